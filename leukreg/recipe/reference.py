"""Every table and key of a recipe, read off the dataclasses that recipes become."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import inspect
import json
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leukreg.errors import LeukregError
from leukreg.recipe import TopLevel
from leukreg.recipe.format import show, type_in_words
from leukreg.recipe.model import Recipe
from leukreg.recipe.options import table_of
from leukreg.recipe.resolved import OWN_PLUGIN, RECORD
from leukreg.recipe.sections import ImageTable
from leukreg.registry.plugin import option_docs, plugin_name
from leukreg.registry.plugin_call import Choice

KIND_OF_KEY = {"class_weights": "class-weights", "metrics": "metric", "rules": "audit"}
"""Kind of the plugins a key names, where it is not the key's own name."""
_DEFAULTS = {
    "name": "the file's name",
    "image": "{}",
    "sampler": '"shuffle"',
    "synthesis.gate": "true",
}
"""Defaults that are settled while a recipe is read."""
PLUGINS = (
    "A table that names a plugin by `use` takes that plugin's options beside it (`leukreg plugins"
    " NAME` lists them), and `fallback`: another plugin, or other options, that are taken and"
    " announced where what it needs is not on this machine."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of a recipe."""

    name: str
    type: str
    """In words, its range included."""
    default: str
    """As a recipe writes it, "required", or "unset"."""
    meaning: str
    kind: str = ""
    """The kind of plugin that it names; empty where it names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTable:
    """One table of a recipe."""

    path: str
    """Dotted; empty for the keys above all tables."""
    header: str
    """As a recipe writes it: ``[data.folds]``, ``[[phase]]``."""
    meaning: str
    keys: tuple[Key, ...]


@functools.cache
def tables() -> tuple[KeyTable, ...]:
    """All of them, in the order of a recipe."""
    top, *others = _tables(Recipe, "", "", "The keys above all tables.")
    bounded = typing.get_type_hints(TopLevel, include_extras=True)
    keys = [_bounded(key, bounded) for key in top.keys]
    keys.insert(1, EXTENDS)
    keys.insert(2, REPLACES)
    return dataclasses.replace(top, keys=tuple(keys)), *others


EXTENDS = Key(
    name="extends",
    type="a path",
    default="unset",
    meaning="Another recipe, beside this file, of which this one says only what differs.",
)
REPLACES = Key(
    name="replaces",
    type="a list of strings",
    default="[]",
    meaning="Inherited tables that this recipe writes anew, such as `data.classes`: nothing of what"
    " `extends` brings stays in them.",
)


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
    close = difflib.get_close_matches(wanted, known, n=1)
    name = wanted.rpartition(".")[2]
    hint = f"did you mean {close[0]!r}?" if close else "'leukreg recipe' lists them"
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


def _bounded(key: Key, hints: dict[str, Any]) -> Key:
    words = type_in_words(hints[key.name]) if key.name in hints else key.type
    return dataclasses.replace(key, type=words)


def _tables(cls: type, path: str, header: str, meaning: str) -> list[KeyTable]:
    """The table of a dataclass, then those in it."""
    hints = typing.get_type_hints(cls, include_extras=True)
    docs = {name: " ".join(text.split()) for name, text in option_docs(cls).items()}
    keys: list[Key] = []
    inner: list[KeyTable] = []
    for field in dataclasses.fields(cls):
        if cls is Recipe and field.name in RECORD:
            continue
        name = "phase" if field.name == "phases" else field.name
        below = f"{path}.{name}" if path else name
        of, several = _held(hints[field.name])
        default = _DEFAULTS.get(below) or _default(field, several)
        if of is Choice:
            own = OWN_PLUGIN.get(path) == name
            keys.append(_plugin(name, own, several, default, docs[field.name]))
        elif of is not None:
            table = ImageTable if name == "image" else of
            said = f"[[{below}]]" if several else f"[{below}]"
            inner += _tables(table, below, said, _sentence(table))
            what = f"{said} tables" if several else f"the table {said}"
            keys.append(Key(name=name, type=what, default=default, meaning=docs[field.name]))
        else:
            words = type_in_words(hints[field.name])
            keys.append(Key(name=name, type=words, default=default, meaning=docs[field.name]))
    return [KeyTable(path=path, header=header, meaning=meaning, keys=tuple(keys)), *inner]


def _plugin(name: str, own: bool, several: bool, default: str, meaning: str) -> Key:
    kind = KIND_OF_KEY.get(name, name)
    word = kind.replace("-", " ")
    article = "an" if word[0] in "aeiou" else "a"
    if own:
        words = f"the name of {article} {word} plugin; its options stand beside it"
        return Key(name="use", type=words, default=default, meaning=meaning, kind=kind)
    each = f"{article} {word} plugin: its name, or a table of `use` and its options"
    words = f"a list, each {each}" if several else each
    return Key(name=name, type=words, default=default, meaning=meaning, kind=kind)


def _held(hint: Any) -> tuple[type[Any] | None, bool]:
    """The dataclass that a field holds, and whether it holds several; None for a plain value."""
    several = False
    members = [hint, *typing.get_args(hint)]
    for member in list(members):
        if typing.get_origin(member) is tuple:
            several = True
            members += typing.get_args(member)
    found = [m for m in members if isinstance(m, type) and dataclasses.is_dataclass(m)]
    return (found[0], several) if found else (None, False)


def _default(field: dataclasses.Field[Any], several: bool) -> str:
    if field.default_factory is not dataclasses.MISSING:
        return "{}"
    if field.default is dataclasses.MISSING:
        return "required"
    if field.default is None:
        return "unset"
    return "[]" if several else show(field.default)


def _sentence(cls: type) -> str:
    """The docstring, without the table's own name before its colon."""
    text = " ".join((inspect.getdoc(cls) or "").split())
    said = text.partition(": ")[2] if text.startswith("``") else text
    return said[:1].upper() + said[1:]


TABLES: dict[str, str] = {
    "source": "[data]",
    "augmentation": "[augmentation]",
    "backbone": "[model.backbone]",
    "attention": "[model.attention]",
    "head": "[model.head]",
    "loss": "[loss]",
    "class-weights": "[loss.class_weights]",
    "sampler": "[sampler]",
    "generator": "[synthesis]",
    "optimizer": "[phase.optimizer]",
    "schedule": "[phase.schedule]",
    "metric": "[[evaluate.metrics]]",
    "audit": "[[audit.rules]]",
}
"""Where a recipe names a plugin of a kind. Reports, commands and extractors have no table."""

_BESIDE = {"generator": ('classes = ["pro-b"]', "per_class = 100")}
"""Keys of the core that must stand beside ``use`` in a kind's table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option of a plugin."""

    name: str
    type: str
    """In words, such as "a number at least 0"."""
    required: bool
    default: Any
    """A plain value; None also where the option is required."""
    example: Any
    """The default, or a value of the right type and range where there is none."""
    meaning: str
    inner: tuple[Option, ...] = ()
    """The options in it, where it is a table."""


def options(cls: type) -> tuple[Option, ...]:
    """The options of a plugin class, in the order of its fields.

    Raises:
        pydantic.PydanticUserError: A field's type cannot be validated.
    """
    from pydantic import TypeAdapter

    schema = TypeAdapter(cls).json_schema()
    named = schema.get("$defs", {})
    required = schema.get("required", ())
    docs = option_docs(cls)
    hints = typing.get_type_hints(cls, include_extras=True)
    return tuple(
        Option(
            name=name,
            type=type_in_words(hints[name]),
            required=name in required,
            default=field.get("default"),
            example=_value(name, field, named) if name in required else field.get("default"),
            meaning=docs.get(name, ""),
            inner=() if (table := table_of(hints[name])) is None else options(table),
        )
        for name, field in schema.get("properties", {}).items()
    )


def example_values(cls: type) -> dict[str, Any]:
    """Every option with a value that validates; options that are unset by default are left out."""
    return {option.name: option.example for option in options(cls) if option.example is not None}


def example_table(kind: str, cls: type) -> str | None:
    """A TOML table that uses the plugin, all options written out; None where recipes name none."""
    if kind not in TABLES:
        return None
    lines = [TABLES[kind], f"use = {toml(plugin_name(cls))}", *_BESIDE.get(kind, ())]
    for option in options(cls):
        unset = option.example is None
        lines.append(
            f"# {option.name}: unset" if unset else f"{option.name} = {toml(option.example)}"
        )
    return "\n".join(lines)


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


def _value(name: str, schema: Mapping[str, Any], named: Mapping[str, Any]) -> Any:
    """A value for a required option: the smallest that its type and range allow."""
    schema = _resolved(schema, named)
    if "const" in schema or "enum" in schema:
        return schema.get("const", next(iter(schema.get("enum", [None]))))
    if "anyOf" in schema:
        return _value(name, schema["anyOf"][0], named)
    kind = schema.get("type")
    if kind == "array":
        each = schema.get("prefixItems") or [schema.get("items", {})] * schema.get("minItems", 0)
        return [_value(name, item, named) for item in each]
    if kind in ("integer", "number"):
        return _number(schema, whole=kind == "integer")
    return {"boolean": False, "string": f"<{name}>", "object": {}}.get(str(kind))


def _number(schema: Mapping[str, Any], whole: bool) -> int | float:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is None and high is None:
        return 1
    if "minimum" in schema:
        value = low
    elif low is not None and high is not None and not whole:
        value = (low + high) / 2
    else:
        value = low + 1 if low is not None else high - 1
    return int(value) if whole else float(value)


def _resolved(schema: Mapping[str, Any], named: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    return named[reference.rpartition("/")[2]] if reference else schema
