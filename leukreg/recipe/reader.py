"""Plain data to the dataclasses of a recipe and of its plugins, strictly: unknown keys, wrong
types and ranges, plugins that are not there become mistakes, each at its place."""

from __future__ import annotations

import functools
import json
import typing
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leukreg.errors import PluginError
from leukreg.recipe.format import show, type_in_words
from leukreg.recipe.mistakes import KeyPath, Mistakes
from leukreg.recipe.schema import (
    REQUIRED,
    Field,
    Must,
    Names,
    Plugin,
    beside,
    fields_of,
    is_mapping,
    members,
    path_of,
)
from leukreg.registry import Entry, Registry
from leukreg.registry.plugin_call import Choice, place_of

if TYPE_CHECKING:
    from pydantic import TypeAdapter

WRONG: Any = object()
"""Stands for what has mistakes; they are noted."""
RESERVED = frozenset({"use", "fallback"})
"""Keys of the core beside a plugin's options."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Whose keys a table holds, in messages."""

    of: str
    """As in "no such key of [training]"."""
    noun: str = "key"
    beside: Collection[str] = ()
    """Keys of another that may stand in the same table, for suggestions."""


@dataclass(frozen=True, slots=True)
class Reader:
    """What every table is read with."""

    registry: Registry
    mistakes: Mistakes

    def table(self, cls: type[Any], value: Any, path: KeyPath, keys: Keys | None = None) -> Any:
        """An instance of the dataclass ``cls``, or ``WRONG``."""
        own = next((f.plugin for f in fields_of(cls) if f.plugin and f.plugin.beside), None)
        if own and not isinstance(value, dict):  # a name, or a mistake that the choice tells
            value = {"use": value} if isinstance(value, str) else value
            if not isinstance(value, dict):
                return self.choice(own.kind, value, path)
        if not isinstance(value, dict):
            return self._no_table(path, value)
        keys = keys or Keys(of=header(path))
        parts = self.parts(cls, value, path, keys)
        if any(part is WRONG for part in parts.values()):
            return WRONG
        try:
            return cls(**parts)
        except (ValueError, AssertionError) as error:
            reason = str(error)
        except Exception as error:  # a plugin's own check may raise anything
            place = place_of(error, cls.__module__)
            reason = f"{type(error).__name__}: {error}" + (f" ({place})" if place else "")
        return self._wrong(path, f"{keys.of} refuses its options: {reason}")

    def parts(
        self, cls: type[Any], table: Mapping[str, Any], path: KeyPath, keys: Keys
    ) -> dict[str, Any]:
        """What the table says of each field of ``cls``, without those left to their defaults."""
        fields, core = fields_of(cls), beside(cls)
        known = {field.key for field in fields}
        for key in table if core is None else ():  # else the plugin's options stand there too
            if key not in known:
                message = f"no such {keys.noun} of {keys.of}"
                self.mistakes.unknown((*path, key), message, {*known, *keys.beside})
        found: dict[str, Any] = {}
        for field in fields:
            at = path_of(field, path)
            if field.plugin and field.plugin.beside:
                found[field.name] = self.choice(field.plugin.kind, table, at, core or ())
            else:
                value = self._field(field, table.get(field.key, REQUIRED), at, keys)
                if value is WRONG and field.table and field.optional and keys.noun == "key":
                    value = None  # so that what goes with the other keys is checked too
                if value is not REQUIRED:
                    found[field.name] = value
        return found

    def _field(self, field: Field, value: Any, at: KeyPath, keys: Keys) -> Any:
        """The value of a field, ``WRONG``, or ``REQUIRED`` where its default is to stay."""
        plugin = field.plugin
        if field.switch and isinstance(value, bool):
            return REQUIRED if value else None
        if value is False and (field.droppable or (plugin and field.default is None)):
            value = REQUIRED
        if value is not REQUIRED:
            return self._value(field, value, at, keys)
        if plugin and plugin.default:
            return self.choice(plugin.kind, plugin.default, at)
        if field.default is not REQUIRED:
            return REQUIRED
        needed = f"{keys.of} needs {type_in_words(field.hint)}"
        if plugin:
            needed = f"the {plugin.kind} plugins are {self._known(plugin.kind)}"
        elif len(at) == 1:
            needed = "every recipe needs it"
        return self._wrong(at, f"is missing; {needed}", on_value=False)

    def _value(self, field: Field, value: Any, at: KeyPath, keys: Keys) -> Any:
        if field.plugin and field.several:
            return self._choices(field.plugin, value, at)
        if field.plugin:
            return self.choice(field.plugin.kind, value, at)
        if field.table and field.several:
            return self._tables(field, value, at)
        if field.table and (field.droppable or isinstance(value, dict)):
            if field.switch and not isinstance(value, dict):
                return self._wrong(at, f"must be true, false or a table, not {show(value)}")
            of = Keys(of=f"{field.key} of {keys.of}", noun=keys.noun)
            return self.table(field.table, value, at, of if keys.noun == "option" else None)
        return self._plain(field, value, at, keys)

    def _tables(self, field: Field, value: Any, at: KeyPath) -> Any:
        """A list of tables; those with mistakes are ``WRONG``."""
        least = next((mark.min_length for mark in field.marks if hasattr(mark, "min_length")), 0)
        if not isinstance(value, list) or len(value) < least:
            several = "one or more " * bool(least)
            found = "" if value == [] else f", not {show(value)}"
            name = header((*at, 0))
            return self._wrong(at, f"must be {several}{name} tables{found}", on_value=False)
        assert field.table is not None
        return tuple(self.table(field.table, item, (*at, n)) for n, item in enumerate(value))

    def _plain(self, field: Field, value: Any, at: KeyPath, keys: Keys) -> Any:
        """A value without plugins, validated as JSON: TOML knows no more types than that."""
        from pydantic import ValidationError

        try:
            made = adapter(field).validate_json(json.dumps(value), strict=True)
        except ValidationError as error:
            details: list[Any] = error.errors(include_url=False)
            # Of a union's members, the one that got deepest into the value was meant.
            detail = max(details, key=lambda each: len(_deepest(at, each["loc"], value)))
            deepest = _deepest(at, detail["loc"], value)
            return self._wrong(deepest, _message(detail, field.hint, value, keys.of))
        except Exception as error:  # a stranger's own type may raise anything
            return self._wrong(at, f"cannot be checked: {type(error).__name__}: {error}")
        for must in (mark for mark in field.marks if isinstance(mark, Must)):
            if wrong := must.wrong(made):
                return self._wrong(at, wrong)
        names = field.mark(Names)
        if names and made != field.default:
            self._entry(names.kind, made.partition(":")[0], at)
        return made

    def _choices(self, plugin: Plugin, value: Any, at: KeyPath) -> Any:
        """Several plugins: a list, or (``by_name``) a table of tables of options."""
        if plugin.by_name and isinstance(value, dict):
            made = {(*at, name): self._rule(plugin, name, value[name], at) for name in value}
        elif isinstance(value, list):
            made = {(*at, n): self.choice(plugin.kind, v, (*at, n)) for n, v in enumerate(value)}
        elif plugin.by_name:
            return self._no_table(at, value)
        else:
            return self._wrong(at, f"must be a list of {plugin.kind}s, not {show(value)}")
        found: list[Any] = []
        for there, choice in made.items():
            if choice is WRONG:
                continue
            if choice in found or (plugin.by_name and choice.name in [one.name for one in found]):
                self._wrong(there, f"{show(choice.name)} stands here twice")
            found.append(choice)
        return tuple(found)

    def _rule(self, plugin: Plugin, name: str, options: Any, at: KeyPath) -> Any:
        path = (*at, name)
        if not isinstance(options, dict):
            return self._no_table(path, options)
        for key in ("use", "fallback"):
            if key in options:
                message = "has no place here: the table's name is the rule"
                return self._wrong((*path, key), message)
        return self.choice(plugin.kind, {"use": name, **options}, path)

    def choice(self, kind: str, value: Any, path: KeyPath, core: Collection[str] = ()) -> Any:
        """The plugin of ``kind`` named by ``value``, with its checked options; or ``WRONG``.

        ``core`` are keys of the core that stand in the same table.
        """
        table = {"use": value} if isinstance(value, str) else value
        if not isinstance(table, dict):
            message = f"must name a {kind} or be a table with use, not {show(value)}"
            return self._wrong(path, message)
        name = table.get("use")
        if not isinstance(name, str):
            wrong = f"must be a string, not {show(name)}" if "use" in table else "is missing"
            known = self._known(kind)
            return self._wrong((*path, "use"), f"{wrong}; the {kind} plugins are {known}")
        at = (*path, "use") if (*path, "use") in self.mistakes.marks else path
        entry = self._entry(kind, name, at)
        if entry is None:
            return WRONG
        options = {key: item for key, item in table.items() if key not in {*RESERVED, *core}}
        origins = {self.mistakes.origin((*path, "use"), (*path, key)) for key in options}
        of = f"{kind} {name!r} (from {entry.owner.distribution}){max(origins, default='')}"
        try:
            for field in fields_of(entry.cls):
                adapter(field)
        except Exception as error:  # a stranger's annotations may be anything
            reason = f"{type(error).__name__}: {error}"
            return self._wrong(path, f"options of {of} cannot be checked: {reason}")
        keys = Keys(of=of, noun="option", beside=core)
        plugin = self.table(entry.cls, options, path, keys)
        fallback = self._fallback(entry, table, path, options)
        if plugin is WRONG or fallback is WRONG:
            return WRONG
        owner = str(entry.owner)
        return Choice(kind=kind, name=name, plugin=plugin, owner=owner, fallback=fallback)

    def _fallback(
        self, entry: Entry, table: Mapping[str, Any], path: KeyPath, options: Mapping[str, Any]
    ) -> Any:
        stated, path = table.get("fallback", False), (*path, "fallback")
        if stated is False:
            return None
        if not callable(getattr(entry.cls, "ready", None)):
            why = f"{entry.kind} {entry.name!r} needs nothing that could be missing"
            return self._wrong(path, f"is never taken: {why}", on_value=False)
        if not isinstance(stated, dict) or stated.get("use", entry.name) != entry.name:
            return self.choice(entry.kind, stated, path)
        # Mistakes in what it inherits were noted where that stands.
        merged, before = {"use": entry.name, **options, **stated}, len(self.mistakes.found)
        choice = self.choice(entry.kind, merged, path)
        self.mistakes.keep(before, path, stated)
        return choice

    def _entry(self, kind: str, name: str, at: KeyPath) -> Entry | None:
        """The plugin of that name; where there is none, plugins that failed are named once."""
        try:
            return self.registry.get(kind, name)
        except PluginError as error:
            claimed = (kind, name) in self.registry.entries
            message = str(error) if claimed else self.registry.missing(kind, name)
        self.mistakes.add(at, message)
        for broken in self.registry.broken if not claimed else ():
            self.mistakes.once(f"plugin {broken.owner} could not be loaded: {broken.reason}")
        return None

    def _known(self, kind: str) -> str:
        return ", ".join(self.registry.names(kind)) or "none"

    def _no_table(self, path: KeyPath, value: Any) -> Any:
        instead = "; {} is one with every default" if value is True else ""
        return self._wrong(path, f"must be a table, not {show(value)}{instead}")

    def _wrong(self, path: KeyPath, message: str, on_value: bool = True) -> Any:
        self.mistakes.add(path, message, on_value=on_value)
        return WRONG


def header(path: KeyPath) -> str:
    """The table as it stands in the file: ``[data.folds]``, ``[[phase]]``."""
    names = ".".join(part for part in path if isinstance(part, str))
    return f"[[{names}]]" if path and isinstance(path[-1], int) else f"[{names}]"


@functools.cache
def adapter(field: Field) -> TypeAdapter[Any]:
    """What validates the values of a field, made once."""
    from pydantic import TypeAdapter

    return TypeAdapter(field.hint)


def _message(detail: Any, hint: Any, value: Any, of: str) -> str:
    if detail["type"] == "missing":
        return f"has no {detail['loc'][-1]}, which {of} needs"
    if detail["type"] in ("value_error", "assertion_error"):
        return str(detail.get("ctx", {}).get("error") or detail["msg"])
    for part in detail["loc"]:  # through tables of anything to the type of what is wrong
        tables = [each for each in members(hint) if is_mapping(each)]
        if not tables or not isinstance(value, dict):
            break
        if part in value:
            hint, value = typing.get_args(tables[0])[1], value[part]
    return f"must be {type_in_words(hint)}, not {show(value)}"


def _deepest(path: KeyPath, loc: Sequence[Any], value: Any) -> KeyPath:
    """The path of the offending item inside a list or table, where pydantic names it."""
    for part in loc:
        inside = isinstance(value, dict) and part in value
        if not inside and not (isinstance(value, list) and part in range(len(value))):
            continue  # the name of a union's member, which pydantic puts between
        value = value[part]
        path = (*path, part)
    return path
