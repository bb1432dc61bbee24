"""A TOML table to a dataclass, strictly: unknown keys, wrong types and ranges become mistakes."""

from __future__ import annotations

import dataclasses
import functools
import json
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from leukreg.recipe.format import show, type_in_words
from leukreg.recipe.mistakes import KeyPath, Mistakes
from leukreg.registry.plugin_call import place_of

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")


def read_options(
    cls: type[T],
    table: Mapping[str, Any],
    path: KeyPath,
    mistakes: Mistakes,
    what: str,
    noun: str = "key",
    own: Collection[str] | None = None,
    also: Collection[str] = (),
) -> T | None:
    """An instance of the dataclass ``cls`` from its fields in ``table``, or None with mistakes.

    ``what`` owns the fields in messages ("loss 'focal' (from leukreg)", "[training]"). Where
    ``own`` is given, only mistakes in these keys are noted: the others were noted elsewhere.
    ``also`` are keys that may stand beside, for suggestions.
    """
    known = {field.name for field in dataclasses.fields(cls) if field.init}  # type: ignore[arg-type]
    for key in table:
        if key not in known and (own is None or key in own):
            mistakes.unknown((*path, key), f"no such {noun} of {what}", {*known, *also})
    try:
        adapter, hints = _adapter(typing.cast(Any, cls))  # mypy: a type is hashable
    except Exception as error:  # a stranger's annotations may be anything
        message = f"options of {what} cannot be checked: {type(error).__name__}: {error}"
        mistakes.add(path, message)
        return None
    given = {key: value for key, value in table.items() if key in known}
    tables = {key: of for key in given if (of := table_of(hints[key])) is not None}
    given = {key: value for key, value in given.items() if value is not False or key not in tables}
    inner = {key: of for key, of in tables.items() if isinstance(given.get(key), dict)}
    for key, of in inner.items():
        if own is None or key in own:
            read_options(of, given[key], (*path, key), mistakes, f"{key} of {what}", noun)

    def note(name: str, at: KeyPath, message: str) -> None:
        if name not in inner and (own is None or not name or name in own):
            mistakes.add(at, message)

    return _validate(adapter, given, path, note, hints, what, cls.__module__)


def _validate(
    adapter: TypeAdapter[T],
    given: Mapping[str, Any],
    path: KeyPath,
    note: Callable[[str, KeyPath, str], None],
    hints: Mapping[str, Any],
    what: str,
    module: str,
) -> T | None:
    from pydantic import ValidationError

    try:
        return adapter.validate_json(json.dumps(given), strict=True)
    except ValidationError as error:
        details = error.errors(include_url=False)
    except Exception as error:  # a plugin's own check may raise anything
        place = place_of(error, module)
        where = f" ({place})" if place else ""
        note("", path, f"{what} refuses its options: {type(error).__name__}: {error}{where}")
        return None
    # One message per key: of a union's members, the one that got deepest into the value was meant.
    deepest: dict[str, Any] = {}
    for detail in details:
        name = str(detail["loc"][0]) if detail["loc"] else ""
        before = deepest.setdefault(name, detail)
        if len(_deepest(path, detail, given)) > len(_deepest(path, before, given)):
            deepest[name] = detail
    for name, detail in deepest.items():
        message = _message(name, detail, given, hints, what)
        note(name, _deepest(path, detail, given), message)
    return None


def table_of(hint: Any) -> type[Any] | None:
    """The dataclass that a field holds: a table of options, which ``false`` drops."""
    members = (hint, *typing.get_args(hint))
    found = [each for each in members if isinstance(each, type) and dataclasses.is_dataclass(each)]
    return found[0] if len(found) == 1 else None


def _message(
    name: str, detail: Any, given: Mapping[str, Any], hints: Mapping[str, Any], what: str
) -> str:
    if not name:
        return f"{what} refuses its options: {_own_words(detail)}"
    if detail["type"] == "missing":
        return f"is missing; {what} needs {type_in_words(hints.get(name))}"
    if detail["type"] in ("value_error", "assertion_error"):
        return _own_words(detail)
    hint, value = _in_tables(hints[name], given[name], detail["loc"][1:])
    return f"must be {type_in_words(hint)}, not {show(value)}"


def _in_tables(hint: Any, value: Any, loc: Sequence[Any]) -> tuple[Any, Any]:
    """The type and value of what is wrong, through tables of anything."""
    for part in loc:
        tables = [h for h in (hint, *typing.get_args(hint)) if typing.get_origin(h) is dict]
        if not tables or not isinstance(value, dict):
            break
        if part in value:
            hint, value = typing.get_args(tables[0])[1], value[part]
    return hint, value


def _own_words(detail: Any) -> str:
    return str(detail.get("ctx", {}).get("error") or detail["msg"])


def _deepest(path: KeyPath, detail: Any, given: Mapping[str, Any]) -> KeyPath:
    """The path of the offending item inside a list or table, where pydantic names it."""
    value: Any = given
    for part in detail["loc"]:
        inside = isinstance(value, dict) and part in value
        if not inside and not (isinstance(value, list) and part in range(len(value))):
            continue  # the name of a union's member, which pydantic puts between
        value = value[part]
        path = (*path, part)
    if detail["type"] == "missing" and len(detail["loc"]) == 1:
        return (*path, detail["loc"][0])
    return path


@functools.cache
def _adapter(cls: type[Any]) -> tuple[TypeAdapter[Any], dict[str, Any]]:
    from pydantic import TypeAdapter

    return TypeAdapter(cls), typing.get_type_hints(cls, include_extras=True)


@functools.cache
def plain_part(cls: type, *without: str) -> type[Any]:
    """The dataclass ``cls`` with only its plain fields: not those named, which hold plugins."""
    hints = typing.get_type_hints(cls, include_extras=True)
    fields: list[tuple[str, Any, Any]] = []
    for field in dataclasses.fields(cls):
        if field.name not in without:
            copy = dataclasses.field(default=field.default, default_factory=field.default_factory)
            fields.append((field.name, hints[field.name], copy))
    return dataclasses.make_dataclass(f"{cls.__name__}Plain", fields, frozen=True, kw_only=True)
