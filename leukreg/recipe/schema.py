"""The shape of a recipe, read off its dataclasses: which key holds what, and where it stands.

A table is a frozen dataclass, a key one of its annotated fields: the type with its range, the
string under it, and the marks below say all there is to say. Whatever reads, dumps, documents a
recipe or takes its fallbacks walks over :func:`fields_of`, and over a plugin's options alike.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from leukreg.recipe.mistakes import KeyPath, undotted
from leukreg.registry.plugin import plain
from leukreg.registry.plugin_call import Choice

REQUIRED = dataclasses.MISSING
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plugin:
    """Marks a field that holds a chosen plugin, whose fallback is taken where it is not ready."""

    kind: str
    default: str = ""
    """The plugin that is taken where the recipe names none."""
    beside: bool = False
    """The table is the plugin's own: its options and ``use`` stand beside the table's keys."""
    by_name: bool = False
    """Of several: each stands in a table of its name."""


@dataclass(frozen=True, slots=True)
class Names:
    """Marks a text that names a plugin of a kind, with ``:ARGUMENT`` where that takes one."""

    kind: str


@dataclass(frozen=True, slots=True)
class Called:
    """Marks a field whose key in a recipe is not its own name."""

    key: str


@dataclass(frozen=True, slots=True)
class Must:
    """Marks what a value of the right type must be besides."""

    wrong: Callable[[Any], str]
    """Why a value will not do; empty where it does."""


@dataclass(frozen=True, slots=True)
class Example:
    """Marks what a listing shows as the value of a key that has no default."""

    value: Any


@dataclass(frozen=True, slots=True)
class Derived:
    """Marks a field that says where a recipe comes from, not what it is: no key is read into it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Field:
    """One key of a table, or one option of a plugin."""

    name: str
    key: str
    """As a recipe writes it."""
    hint: Any
    """Its type, with its range."""
    default: Any
    """``REQUIRED`` where there is none."""
    marks: tuple[Any, ...]
    table: type[Any] | None
    """The dataclass that it holds."""
    several: bool
    """It holds a list of these, or of plugins."""
    droppable: bool
    """It holds a table and nothing else, or several: ``false`` drops what is inherited."""

    def mark(self, kind: type[T]) -> T | None:
        return next((mark for mark in self.marks if isinstance(mark, kind)), None)

    @property
    def plugin(self) -> Plugin | None:
        return self.mark(Plugin)

    @property
    def required(self) -> bool:
        return self.default is REQUIRED and not (self.plugin and self.plugin.default)

    @property
    def optional(self) -> bool:
        return type(None) in members(self.hint)

    @property
    def switch(self) -> bool:
        """There is a table unless ``false`` says that there is none."""
        return self.table is not None and self.optional and not self.required and bool(self.default)


def fields_of(cls: type) -> tuple[Field, ...]:
    """The keys of a table, or the options of a plugin's class, in their order.

    Raises:
        Exception: Anything, where a stranger's annotations cannot be resolved.
    """
    return _fields_of(typing.cast(Any, cls))  # mypy knows no type to be hashable


@functools.cache
def _fields_of(cls: Any) -> tuple[Field, ...]:
    hints = typing.get_type_hints(cls, include_extras=True)
    fields = (_field(field, hints[field.name]) for field in dataclasses.fields(cls) if field.init)
    return tuple(field for field in fields if not field.mark(Derived))


def _field(field: dataclasses.Field[Any], hint: Any) -> Field:
    marks = hint.__metadata__ if typing.get_origin(hint) is Annotated else ()
    kept = [member for member in members(hint) if member is not type(None)]
    lists = [each for each in kept if typing.get_args(each)[1:] == (...,)]
    held = [typing.get_args(each)[0] if each in lists else each for each in kept]
    tables = [each for each in held if isinstance(each, type) and dataclasses.is_dataclass(each)]
    tables = [each for each in tables if each is not Choice]
    mappings = [each for each in held if is_mapping(each)]
    default = field.default
    if field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    called = next((mark.key for mark in marks if isinstance(mark, Called)), field.name)
    return Field(
        name=field.name,
        key=called,
        hint=hint,
        default=default,
        marks=marks,
        table=tables[0] if len(tables) == 1 else None,
        several=bool(lists),
        droppable=len(tables) + len(mappings) == len(kept) > len(lists),
    )


def members(hint: Any) -> tuple[Any, ...]:
    """The types of a union, or the one type, without what is annotated to the whole."""
    bare = typing.get_args(hint)[0] if typing.get_origin(hint) is Annotated else hint
    union = typing.get_origin(bare) in (typing.Union, types.UnionType)
    return typing.get_args(bare) if union else (bare,)


def is_mapping(hint: Any) -> bool:
    """Whether a type is one of tables with keys of any name."""
    origin = typing.get_origin(hint)
    return isinstance(origin, type) and issubclass(origin, Mapping)


def beside(cls: type) -> frozenset[str] | None:
    """The keys that stand beside a plugin's options in its own table; None: it is no such table."""
    fields = fields_of(cls)
    if not any(field.plugin and field.plugin.beside for field in fields):
        return None
    return frozenset(f.key for f in fields if not (f.plugin and f.plugin.beside))


def path_of(field: Field, path: KeyPath) -> KeyPath:
    """Where the field of a table at ``path`` stands."""
    return path if field.plugin and field.plugin.beside else (*path, field.key)


def with_choices(table: T, change: Callable[[KeyPath, Choice], Choice], path: KeyPath = ()) -> T:
    """The table with every chosen plugin in it replaced by ``change(path, choice)``."""
    changed: dict[str, Any] = {}
    for field in fields_of(type(table)):
        value, at = getattr(table, field.name), path_of(field, path)
        if value is None or not (field.plugin or field.table):
            continue
        if not field.several:
            pairs = [(at, value)]
        elif field.plugin and field.plugin.by_name:
            pairs = [((*at, choice.name), choice) for choice in value]
        else:
            pairs = [((*at, number), each) for number, each in enumerate(value)]
        made = [
            change(there, each) if field.plugin else with_choices(each, change, there)
            for there, each in pairs
        ]
        changed[field.name] = tuple(made) if field.several else made[0]
    return dataclasses.replace(table, **changed)  # type: ignore[type-var]


def dumped(value: Any) -> Any:
    """A table or value as plain data, laid out as in a recipe; ``None`` for what is absent."""
    if isinstance(value, Choice):
        table = {"use": value.name, **value.options}
        return table | ({"fallback": dumped(value.fallback)} if value.fallback else {})
    if isinstance(value, tuple):
        return [dumped(item) for item in value]
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return plain(value)
    tree: dict[str, Any] = {}
    for field in fields_of(type(value)):
        item = dumped(getattr(value, field.name))
        if field.plugin and field.plugin.beside:
            tree |= item
        elif field.plugin and field.plugin.by_name:
            tree[field.key] = {rule.pop("use"): rule for rule in item}
        else:
            # That there is no table, although there would be one by default, must be told.
            tree[field.key] = False if field.switch and item is None else item
    return tree


def without_none(value: Any) -> Any:
    """Plain data as TOML could hold it: what is absent is left out."""
    if isinstance(value, Mapping):
        return {key: without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [without_none(item) for item in value]
    return value


def leaves(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Every value that is no table and no list of tables, with its path."""
    tables = isinstance(value, list) and value and all(isinstance(item, dict) for item in value)
    if isinstance(value, dict) and (value or not path):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif tables:
        for number, item in enumerate(value):
            yield from leaves(item, (*path, number))
    else:
        yield path, value


def has(tree: Any, key: str) -> bool:
    """Whether the plain recipe has the dotted key, as a value or as a table."""
    try:
        at(tree, key)
    except KeyError:
        return False
    return True


def at(tree: Any, key: str) -> Any:
    """The value or table at the dotted key.

    Raises:
        KeyError: There is none.
    """
    for part in undotted(key):
        if isinstance(tree, dict) and part in tree:
            tree = tree[part]
        elif isinstance(tree, list) and part.isdecimal() and int(part) < len(tree):
            tree = tree[int(part)]
        else:
            raise KeyError(key)
    return tree
