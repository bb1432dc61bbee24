"""What every plugin must keep, of whatever kind: a name, a listing, documented options."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from typing import Any, TypeVar, cast

from leukreg.errors import LeukregError

Check = TypeVar("Check", bound=Callable[..., None])
_NAME = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*")


def of_plugin(check: Check) -> Check:
    """Has what a check says begin with the name of the plugin.

    Checks are assert statements: they raise LeukregError where Python leaves these out.
    """

    @functools.wraps(check)
    def named(plugin: Any, *args: Any, **more: Any) -> None:
        if not __debug__:
            raise LeukregError(
                "python -O (or PYTHONOPTIMIZE) leaves out assert statements, which checks of "
                "contracts are: nothing was checked; run them without it"
            )
        cls = plugin if isinstance(plugin, type) else type(plugin)
        name = getattr(cls, "leukreg_name", None)
        who = cls.__name__ if name is None else f"plugin {name!r}"
        try:
            check(plugin, *args, **more)
        except AssertionError as error:
            text = str(error)
            raise AssertionError(text if text.startswith(who) else f"{who}: {text}") from error

    return cast("Check", named)


def instance(plugin: Any) -> Any:
    """The plugin with its options: given as an instance, or made from a class by its defaults."""
    if not isinstance(plugin, type):
        check_options(type(plugin))
        return plugin
    check_options(plugin)
    from leukreg.recipe.reference import options

    needed = [option.name for option in options(plugin) if option.default == "required"]
    assert not needed, (
        f"it cannot be built without {', '.join(needed)}: "
        "give the check an instance with its options set"
    )
    return plugin()


@of_plugin
def check_options(cls: type) -> None:
    """A name, a listing line, and options that are documented, strict and loadable.

    Raises:
        AssertionError: With a sentence that says what to mend.
    """
    from leukreg.recipe.reference import options

    name = getattr(cls, "leukreg_name", None)
    assert name is not None, "is not marked with @plugin('its-name')"
    assert _NAME.fullmatch(str(name)), (
        f"the name {name!r} should be lower-case words joined by hyphens, as others are"
    )
    listing = (cls.__doc__ or "").strip().splitlines()[:1]
    assert (
        listing and 8 <= len(listing[0]) <= 100 and not listing[0].startswith(f"{cls.__name__}(")
    ), "the docstring's first line is its listing; write 8 to 100 characters"
    for option in options(cls):
        assert option.meaning, (
            f"option {option.name!r} is not documented; "
            "put a string with its meaning under the field"
        )
    _check_loading(cls)


def _check_loading(cls: type) -> None:
    from pydantic import TypeAdapter, ValidationError

    from leukreg.recipe.reference import example_values

    adapter: TypeAdapter[Any] = TypeAdapter(cls)
    values = example_values(cls)
    try:
        adapter.validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        said = f"its own defaults {values} do not pass its own options: {error}"
        raise AssertionError(said) from error
    try:
        adapter.validate_json(json.dumps(values | {"no-such-option": 1}), strict=True)
    except ValidationError:
        return
    raise AssertionError("accepts unknown options; use @plugin from leukreg")
