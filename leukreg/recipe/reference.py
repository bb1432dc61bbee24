"""What a recipe may say, table by table, and what a plugin's options are, for people."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import json
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from leukreg.errors import LeukregError
from leukreg.recipe.format import type_in_words
from leukreg.recipe.model import Recipe
from leukreg.recipe.schema import REQUIRED, Example, Field, fields_of, is_mapping, members
from leukreg.registry.plugin import option_docs, plain, plugin_name
from leukreg.text import did_you_mean

PLUGINS = (
    "A table that names a plugin by `use` takes that plugin's options beside it (`leukreg plugins"
    " NAME` lists them), and `fallback`: another plugin, or other options, that are taken and"
    " announced where what it needs is not on this machine."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of a recipe, or one option of a plugin."""

    name: str
    type: str
    """In words, its range included."""
    default: str
    """As a recipe writes it, "required", or "unset"."""
    meaning: str
    kind: str = ""
    """The kind of plugin that it names; empty where it names none."""
    example: Any = None
    """The default, or a value of the right type and range; None where it is unset."""
    inner: tuple[Key, ...] = ()
    """The options in it, where an option is a table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTable:
    """One table of a recipe."""

    path: str
    """Dotted; empty for the keys above all tables."""
    header: str
    """As a recipe writes it: ``[data.folds]``, ``[[phase]]``."""
    meaning: str
    keys: tuple[Key, ...]


_OF_FILES = (
    Key(
        name="extends",
        type="a path",
        default="unset",
        meaning="Another recipe, beside this file, of which this one says only what differs.",
    ),
    Key(
        name="replaces",
        type="a list of strings",
        default="[]",
        meaning="Inherited tables that this recipe writes anew, such as `data.classes`: nothing of"
        " what `extends` brings stays in them.",
    ),
)
"""Keys that are gone once files are read, so no dataclass has them."""


@functools.cache
def tables() -> tuple[KeyTable, ...]:
    """All of them, in the order of a recipe."""
    top, *others = _tables(Recipe, "", "", "The keys above all tables.")
    schema, *keys = top.keys
    return dataclasses.replace(top, keys=(schema, *_OF_FILES, *keys)), *others


def described(name: str) -> KeyTable:
    """The table of that name, or the table of the one key: ``data.folds``, ``phase.unfreeze``.

    Raises:
        LeukregError: There is none.
    """
    wanted = name.strip("[] ")
    for table in tables():
        if wanted == table.path:
            return table
    for table, key in _all_keys():
        if wanted == _full((table, key)):
            return dataclasses.replace(table, keys=(key,))
    known = [*(table.path for table in tables() if table.path), *map(_full, _all_keys())]
    name = wanted.rpartition(".")[2]
    hint = did_you_mean(wanted, known, "'leukreg recipe' lists them")
    if places := elsewhere(name):
        hint = f"{name} belongs to {places}"
    raise LeukregError(f"a recipe has no table or key {wanted!r}; {hint}")


def elsewhere(name: str) -> str:
    """The tables that have a key of that name: "[training]", "the top of the file"; or nothing."""
    headers = [table.header for table in tables() if table.path == name]
    places = [
        table.header or "the top of the file" for table, key in _all_keys() if key.name == name
    ]
    return " or ".join(headers or places)


def _all_keys() -> Iterator[tuple[KeyTable, Key]]:
    return ((table, key) for table in tables() for key in table.keys)


def _full(pair: tuple[KeyTable, Key]) -> str:
    table, key = pair
    return f"{table.path}.{key.name}" if table.path else key.name


def options(cls: type) -> tuple[Key, ...]:
    """The options of a plugin class in the order of its fields, those without a default first.

    Raises:
        Exception: Anything, where a field's type cannot be resolved.
    """
    found = zip(fields_of(cls), _keys(cls), strict=True)
    return tuple(key for _, key in sorted(found, key=lambda pair: not pair[0].required))


def _keys(cls: type) -> tuple[Key, ...]:
    docs = option_docs(cls)
    return tuple(
        Key(
            name=field.key,
            type=type_in_words(field.hint),
            default=_default(field),
            meaning=" ".join(docs.get(field.name, "").split()),
            example=None if field.plugin else _example(field),
            inner=options(field.table) if field.table else (),
        )
        for field in fields_of(cls)
    )


def example_values(cls: type) -> dict[str, Any]:
    """Every option with a value that validates; options that are unset by default are left out."""
    return {option.name: option.example for option in options(cls) if option.example is not None}


@functools.cache
def headers_of_kinds() -> dict[str, str]:
    """Where a recipe first names a plugin of a kind: ``[model.head]``; not all have a place."""
    found: dict[str, str] = {}
    for table, key in _all_keys():
        if key.kind:
            path = _full((table, key)).removesuffix(".use")
            several = key.type.startswith("a list")
            found.setdefault(key.kind, f"[[{path}]]" if several else f"[{path}]")
    return found


def example_table(kind: str, cls: type) -> str | None:
    """A TOML table that uses the plugin, all options written out; None where recipes name none."""
    if kind not in headers_of_kinds():
        return None
    lines = example_head(kind, plugin_name(cls))
    for option in options(cls):
        unset = option.example is None
        lines.append(
            f"# {option.name}: unset" if unset else f"{option.name} = {toml(option.example)}"
        )
    return "\n".join(lines)


def example_head(kind: str, name: str) -> list[str]:
    """The lines of a table that name a plugin, and what has to stand beside its options."""
    header = headers_of_kinds()[kind]
    beside = (key for table in tables() if table.header == header for key in table.keys)
    needed = [key for key in beside if key.default == "required" and not key.kind]
    return [
        header,
        f"use = {toml(name)}",
        *(f"{key.name} = {toml(key.example)}" for key in needed),
    ]


def _tables(cls: type, path: str, header: str, meaning: str) -> list[KeyTable]:
    """The table of a dataclass, then those in it."""
    keys: list[Key] = []
    inner: list[KeyTable] = []
    for field, key in zip(fields_of(cls), _keys(cls), strict=True):
        below = f"{path}.{field.key}" if path else field.key
        if below == "name":
            key = dataclasses.replace(key, default="the file's name")
        elif field.plugin:
            key = _plugin(key, field)
        elif field.table:
            said = f"[[{below}]]" if field.several else f"[{below}]"
            inner += _tables(field.table, below, said, _sentence(field.table))
            what = f"{said} tables" if field.several else f"the table {said}"
            key = dataclasses.replace(key, type=what, inner=())
        keys.append(key)
    return [KeyTable(path=path, header=header, meaning=meaning, keys=tuple(keys)), *inner]


def _plugin(key: Key, field: Field) -> Key:
    assert field.plugin is not None
    word = field.plugin.kind.replace("-", " ")
    word = f"{'an' if word[0] in 'aeiou' else 'a'} {word} plugin"
    name, words = key.name, f"{word}: its name, or a table of `use` and its options"
    if field.plugin.beside:
        name, words = "use", f"the name of {word}; its options stand beside it"
    elif field.several:
        words = f"a list, each {words}"
    return dataclasses.replace(key, name=name, type=words, kind=field.plugin.kind)


def _default(field: Field) -> str:
    if field.plugin and field.plugin.default:
        return toml(field.plugin.default)
    if field.switch:
        return "true"
    if field.default is REQUIRED or field.default is None:
        return "required" if field.default is REQUIRED else "unset"
    return "{}" if dataclasses.is_dataclass(field.default) else toml(plain(field.default))


def toml(value: Any) -> str:
    """A plain value as TOML on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # A JSON string is a TOML basic string, but for the one control character JSON leaves.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        pairs = (f"{toml(str(key))} = {toml(each)}" for key, each in value.items())
        return "{ " + ", ".join(pairs) + " }" if value else "{}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(toml(each) for each in value) + "]"
    return repr(value)


def _sentence(cls: type) -> str:
    """The docstring, without the table's own name before its colon."""
    text = " ".join((inspect.getdoc(cls) or "").split())
    said = text.partition(": ")[2] if text.startswith("``") else text
    return said[:1].upper() + said[1:]


def _example(field: Field) -> Any:
    """The default, or the smallest value that type and range allow."""
    if field.default is not REQUIRED:
        return plain(field.default)
    example = field.mark(Example)
    return example.value if example else _smallest(field.hint, field.name, ())


def _smallest(hint: Any, name: str, marks: Sequence[Any]) -> Any:
    if hasattr(hint, "__metadata__"):
        return _smallest(typing.get_args(hint)[0], name, hint.__metadata__)
    if len(members(hint)) > 1:
        return _smallest(members(hint)[0], name, marks)
    if typing.get_origin(hint) is Literal:
        return typing.get_args(hint)[0]
    if hint in (int, float):
        return _number(marks, hint)
    if dataclasses.is_dataclass(hint):
        needed = [key for key in options(typing.cast(type, hint)) if key.default == "required"]
        return {key.name: key.example for key in needed}
    if is_mapping(hint):
        return {}
    items = typing.get_args(hint)
    if items and items[1:] != (...,) and typing.get_origin(hint) is tuple:
        return [_smallest(item, name, ()) for item in items]
    if items:
        return [_smallest(items[0], name, ())] * (_bound(marks, "min_length") or 0)
    return {bool: False, str: f"<{name}>"}.get(hint)


def _number(marks: Sequence[Any], of: type) -> Any:
    least, most = _bound(marks, "ge"), _bound(marks, "le")
    above, below = _bound(marks, "gt"), _bound(marks, "lt")
    high = most if below is None else below
    if least is not None:
        return of(least)
    if above is not None:
        return of((above + high) / 2 if high is not None and of is float else above + 1)
    return of(1 if high is None else high - 1)


def _bound(marks: Sequence[Any], name: str) -> Any:
    found = [getattr(mark, name, None) for mark in marks]
    return next((bound for bound in found if bound is not None), None)
