"""What every plugin must keep, of whatever kind: a name, a listing, documented options."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

_NAME = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*")


def require(condition: object, sentence: str) -> None:
    """Raise AssertionError with a sentence for the plugin's author unless ``condition`` holds."""
    if not condition:
        raise AssertionError(sentence)


def instance(plugin: Any) -> Any:
    """The plugin with its options: given as an instance, or made from a class by its defaults."""
    if not isinstance(plugin, type):
        check_options(type(plugin))
        return plugin
    check_options(plugin)
    from leukreg.recipe.reference import options

    needed = [option.name for option in options(plugin) if option.default == "required"]
    require(
        not needed,
        f"{plugin.__name__} cannot be built without {', '.join(needed)}: "
        "give the check an instance with its options set",
    )
    return plugin()


def named(plugin: Any) -> str:
    """How messages call a plugin."""
    cls = plugin if isinstance(plugin, type) else type(plugin)
    return f"plugin {cls.leukreg_name!r}" if hasattr(cls, "leukreg_name") else cls.__name__


def check_options(cls: type) -> None:
    """A name, a listing line, and options that are documented, strict and loadable.

    Raises:
        AssertionError: With a sentence that says what to mend.
    """
    name = getattr(cls, "leukreg_name", None)
    require(name is not None, f"{cls.__name__} is not marked with @plugin('its-name')")
    require(
        _NAME.fullmatch(str(name)),
        f"the name {name!r} should be lower-case words joined by hyphens, as others are",
    )
    listing = (cls.__doc__ or "").strip().splitlines()[:1]
    require(
        listing and 8 <= len(listing[0]) <= 100 and not listing[0].startswith(f"{cls.__name__}("),
        f"{named(cls)}: the docstring's first line is its listing; write 8 to 100 characters",
    )
    _check_documented(cls)
    _check_loading(cls)


def _check_documented(cls: type) -> None:
    from leukreg.recipe.reference import options

    for option in options(cls):
        require(
            option.meaning,
            f"{named(cls)}: option {option.name!r} is not documented; "
            "put a string with its meaning under the field",
        )


def _check_loading(cls: type) -> None:
    from pydantic import TypeAdapter, ValidationError

    from leukreg.recipe.reference import example_values

    adapter: TypeAdapter[Any] = TypeAdapter(cls)
    values = example_values(cls)
    try:
        adapter.validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        raise AssertionError(
            f"{named(cls)}: its own defaults {values} do not pass its own options: {error}"
        ) from error
    try:
        adapter.validate_json(json.dumps(values | {"no-such-option": 1}), strict=True)
    except ValidationError:
        return
    raise AssertionError(f"{named(cls)}: accepts unknown options; use @plugin from leukreg")


def same_under_seed(
    make: Callable[[], Any], sentence: str, equal: Callable[[Any, Any], bool]
) -> None:
    """``make`` must give equal results when torch's generator starts from one seed."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        first = make()
        torch.manual_seed(7)
        second = make()
    require(equal(first, second), sentence)
