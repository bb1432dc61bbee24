"""Types and values in words, for messages and listings."""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types as bounds

from leukreg.recipe.mistakes import quoted

_NAMES = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "a string",
    dict: "a table",
    list: "a list",
    tuple: "a list",
    types.NoneType: "nothing",
}
_PLURALS = {
    "true or false": "true and false",
    "an integer": "integers",
    "a number": "numbers",
    "a string": "strings",
    "a table": "tables",
    "a list": "lists",
    "the reason": "reasons",
}
_BOUNDS = (
    (bounds.Ge, "ge", "at least"),
    (bounds.Gt, "gt", "above"),
    (bounds.Le, "le", "at most"),
    (bounds.Lt, "lt", "below"),
    (bounds.MultipleOf, "multiple_of", "a multiple of"),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """Marks a type that is not called by its own name in messages."""

    words: str


def type_in_words(hint: Any) -> str:
    """``Annotated[float, Gt(0), Lt(1)]`` as "a number above 0 and below 1"."""
    origin = get_origin(hint)
    if origin is Annotated:
        base, *constraints = get_args(hint)
        if said := [each.words for each in constraints if isinstance(each, Said)]:
            return said[0]
        limits = [text for c in constraints for text in _limits(c)]
        return " ".join([type_in_words(base), " and ".join(limits)]).strip()
    if origin is Literal:
        return _either([show(value) for value in get_args(hint)])
    if origin in (Union, types.UnionType):
        options = [o for o in get_args(hint) if o is not types.NoneType]
        return _either([type_in_words(option) for option in options])
    if origin is tuple or (isinstance(origin, type) and issubclass(origin, Sequence)):
        return _list(get_args(hint))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        of = (*get_args(hint), Any, Any)[1]
        return "a table" if of is Any else f"a table of {_plural(type_in_words(of))}"
    if dataclasses.is_dataclass(hint):
        return "a table"
    return _NAMES.get(hint, getattr(hint, "__name__", str(hint)))


def _list(items: tuple[Any, ...]) -> str:
    if len(items) == 1 or (len(items) == 2 and items[1] is Ellipsis):
        return f"a list of {_plural(type_in_words(items[0]))}"
    return f"a list of {len(items)}: {', '.join(type_in_words(item) for item in items)}"


def _plural(words: str) -> str:
    for singular, plural in _PLURALS.items():
        if words.startswith(singular):
            return plural + words[len(singular) :]
    return words


def _limits(constraint: Any) -> list[str]:
    if isinstance(constraint, bounds.GroupedMetadata):
        return [text for part in constraint for text in _limits(part)]
    if isinstance(constraint, bounds.MinLen):
        return [f"of at least {constraint.min_length}"]
    if isinstance(constraint, bounds.MaxLen):
        return [f"of at most {constraint.max_length}"]
    found = [(c, name, words) for c, name, words in _BOUNDS if isinstance(constraint, c)]
    return [f"{words} {getattr(constraint, name)}" for _, name, words in found]


def _either(options: Sequence[str]) -> str:
    return " or ".join([", ".join(options[:-1]), options[-1]]) if options[1:] else options[0]


_LONGEST = 100
"""Characters of a text; of a longer one the middle is left out."""


def show(value: Any) -> str:
    """A value as the recipe writes it; a long text loses its middle, a long list its tail."""
    if isinstance(value, dict):
        text = "a table"
    elif isinstance(value, (list, tuple)):
        text = f"[{', '.join(show(item) for item in value[:8])}{', ...' if value[8:] else ''}]"
    elif isinstance(value, (bool, int, float, str)):
        text = quoted(value) if isinstance(value, str) else json.dumps(value)
        if isinstance(value, str) and len(text) > _LONGEST:
            text = f"{text[: _LONGEST // 2]}...{text[-_LONGEST // 2 :]}"
    else:
        text = str(value)
    return text
