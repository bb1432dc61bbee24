"""A table that names a plugin by ``use``, or the bare name, to a checked ``Choice``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from leukreg.errors import PluginError
from leukreg.recipe.format import show
from leukreg.recipe.mistakes import KeyPath, Mistakes
from leukreg.recipe.options import read_options
from leukreg.registry import Entry, Registry
from leukreg.registry.plugin_call import Choice

RESERVED = frozenset({"use", "fallback"})
"""Core keys beside a plugin's options."""


@dataclass(frozen=True, slots=True)
class Reader:
    """What every table is read with."""

    registry: Registry
    mistakes: Mistakes

    def choice(
        self,
        kind: str,
        value: Any,
        path: KeyPath,
        beside: Collection[str] = (),
        own: Collection[str] | None = None,
    ) -> Choice | None:
        """The plugin of ``kind`` named by ``value``; None with mistakes noted.

        ``beside`` are core keys that stand in the same table. ``own`` are the keys the table
        itself states, where it inherited others (a fallback): only mistakes in these are noted.
        """
        table = {"use": value} if isinstance(value, str) else value
        if not isinstance(table, dict):
            self.mistakes.add(path, f"must name a {kind} or be a table with use, not {show(value)}")
            return None
        entry = self._entry(kind, table, path, own)
        if entry is None:
            return None
        hidden = RESERVED.union(beside)
        options = {key: item for key, item in table.items() if key not in hidden}
        named = {self.mistakes.origin((*path, "use"), (*path, key)) for key in options}
        what = f"{kind} {entry.name!r} (from {entry.owner.distribution}){max(named, default='')}"
        plugin = read_options(
            entry.cls, options, path, self.mistakes, what, "option", own, also=beside
        )
        fallback = self._fallback(kind, entry, table, path, options)
        return None if plugin is None else checked(entry, plugin, fallback)

    def _entry(
        self, kind: str, table: Mapping[str, Any], path: KeyPath, own: Collection[str] | None
    ) -> Entry | None:
        name = table.get("use")
        if not isinstance(name, str):
            known = ", ".join(self.registry.names(kind)) or "none"
            wrong = f"must be a string, not {show(name)}" if "use" in table else "is missing"
            self.mistakes.add((*path, "use"), f"{wrong}; the {kind} plugins are {known}")
            return None
        try:
            return self.registry.get(kind, name)
        except PluginError as error:
            if own is None or "use" in own:
                at = (*path, "use") if (*path, "use") in self.mistakes.marks else path
                self.missing(kind, name, at, error)
            return None

    def missing(self, kind: str, name: str, at: KeyPath, error: PluginError) -> None:
        """Note a plugin that is not there; plugins that could not be loaded are named once."""
        if (kind, name) in self.registry.entries:  # two owners claim it
            self.mistakes.add(at, str(error))
            return
        self.mistakes.add(at, self.registry.missing(kind, name))
        for broken in self.registry.broken:
            owner = f"{broken.owner.distribution} {broken.owner.version}"
            self.mistakes.once(f"plugin {owner} could not be loaded: {broken.reason}")

    def _fallback(
        self,
        kind: str,
        entry: Entry,
        table: Mapping[str, Any],
        path: KeyPath,
        options: Mapping[str, Any],
    ) -> Choice | None:
        stated = table.get("fallback", False)
        if stated is False:
            return None
        path = (*path, "fallback")
        if not callable(getattr(entry.cls, "ready", None)):
            self.mistakes.add(
                path,
                f"is never taken: {kind} {entry.name!r} needs nothing that could be missing",
                on_value=False,
            )
            return None
        if not isinstance(stated, dict):
            return self.choice(kind, stated, path)
        if stated.get("use", entry.name) != entry.name:
            return self.choice(kind, stated, path)
        merged = {"use": entry.name, **options, **stated}
        return self.choice(kind, merged, path, own=frozenset(stated))


def checked(entry: Entry, plugin: Any, fallback: Choice | None) -> Choice:
    """The choice of an entry with its instance."""
    return Choice(
        kind=entry.kind,
        name=entry.name,
        plugin=plugin,
        owner=f"{entry.owner.distribution} {entry.owner.version}",
        options=plain_options(plugin),
        fallback=fallback,
    )


def plain_options(plugin: Any) -> dict[str, Any]:
    """All options of a plugin instance as JSON values, those at their default included."""
    from pydantic import TypeAdapter

    values: dict[str, Any] = TypeAdapter(type(plugin)).dump_python(plugin, mode="json")
    return values
