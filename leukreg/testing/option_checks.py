"""What every plugin must keep, of whatever kind: a name, a listing, documented options."""

from __future__ import annotations

import json
import re
from typing import Any

_NAME = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*")


def require(condition: object, sentence: str) -> None:
    """Raise AssertionError with a sentence for the plugin's author unless ``condition`` holds."""
    if not condition:
        raise AssertionError(sentence)


class Require:
    """What a check asks of one plugin, which its messages name: ``ask(condition, sentence)``."""

    def __init__(self, plugin: Any) -> None:
        cls = plugin if isinstance(plugin, type) else type(plugin)
        name = getattr(cls, "leukreg_name", None)
        self.who = cls.__name__ if name is None else f"plugin {name!r}"

    def __call__(self, condition: object, sentence: str) -> None:
        require(condition, f"{self.who}: {sentence}")

    def broken(self, sentence: str) -> AssertionError:
        """The error that says what to mend."""
        return AssertionError(f"{self.who}: {sentence}")


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


def check_options(cls: type) -> None:
    """A name, a listing line, and options that are documented, strict and loadable.

    Raises:
        AssertionError: With a sentence that says what to mend.
    """
    from leukreg.recipe.reference import options

    name = getattr(cls, "leukreg_name", None)
    require(name is not None, f"{cls.__name__} is not marked with @plugin('its-name')")
    require(
        _NAME.fullmatch(str(name)),
        f"the name {name!r} should be lower-case words joined by hyphens, as others are",
    )
    ask = Require(cls)
    listing = (cls.__doc__ or "").strip().splitlines()[:1]
    ask(
        listing and 8 <= len(listing[0]) <= 100 and not listing[0].startswith(f"{cls.__name__}("),
        "the docstring's first line is its listing; write 8 to 100 characters",
    )
    for option in options(cls):
        ask(
            option.meaning,
            f"option {option.name!r} is not documented; "
            "put a string with its meaning under the field",
        )
    _check_loading(cls, ask)


def _check_loading(cls: type, ask: Require) -> None:
    from pydantic import TypeAdapter, ValidationError

    from leukreg.recipe.reference import example_values

    adapter: TypeAdapter[Any] = TypeAdapter(cls)
    values = example_values(cls)
    try:
        adapter.validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        said = f"its own defaults {values} do not pass its own options: {error}"
        raise ask.broken(said) from error
    try:
        adapter.validate_json(json.dumps(values | {"no-such-option": 1}), strict=True)
    except ValidationError:
        return
    raise ask.broken("accepts unknown options; use @plugin from leukreg")
