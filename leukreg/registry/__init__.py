"""Discover plugins, know their owners, refuse the broken and the duplicated."""

from __future__ import annotations

import functools
import inspect
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import pluggy

from leukreg.errors import PluginError
from leukreg.registry.kinds import KINDS, hookspecs
from leukreg.registry.plugin import plugin_name, summary
from leukreg.text import did_you_mean

GROUP = "leukreg"
_ANYTHING = (Exception, SystemExit)
"""What a stranger's module may raise while it is imported or asked."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The installed distribution a plugin comes from."""

    distribution: str
    version: str
    entry_point: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


@dataclass(frozen=True, slots=True)
class Entry:
    """A registered plugin class."""

    kind: str
    name: str
    cls: type
    owner: Owner

    @property
    def summary(self) -> str:
        return summary(self.cls)


@dataclass(frozen=True, slots=True)
class BrokenPlugin:
    """An entry point that could not be used, and why."""

    owner: Owner
    reason: str

    @property
    def sentence(self) -> str:
        where = self.owner.entry_point
        return f"plugin {self.owner} ({where}) could not be loaded: {self.reason}"


@dataclass(frozen=True, slots=True)
class Registry:
    """All plugins of this environment."""

    manager: pluggy.PluginManager
    owners: dict[str, Owner]
    """By pluggy's plugin name, ``distribution:entry-point``."""
    entries: dict[tuple[str, str], tuple[Entry, ...]]
    """By kind and name; more than one entry is a conflict."""
    broken: tuple[BrokenPlugin, ...]

    def __iter__(self) -> Iterator[Entry]:
        for found in self.entries.values():
            yield from found

    def names(self, kind: str) -> list[str]:
        """The names of a kind, sorted."""
        return sorted(name for of, name in self.entries if of == kind)

    def conflicts(self) -> list[tuple[Entry, ...]]:
        """Plugins of one kind and name with several owners."""
        return [found for found in self.entries.values() if len(found) > 1]

    def faults(self) -> tuple[str, ...]:
        """What could not be used, a sentence each: plugins that failed, names claimed twice."""
        failed = [each.sentence for each in self.broken]
        return (*failed, *(claimed_twice(entries) for entries in self.conflicts()))

    def get(self, kind: str, name: str) -> Entry:
        """The one plugin of this kind and name.

        Raises:
            PluginError: There is none (with a suggestion) or more than one (naming the owners).
        """
        found = self.entries.get((kind, name), ())
        if len(found) == 1:
            return found[0]
        if found:
            raise PluginError(claimed_twice(found))
        message = self.missing(kind, name)
        for broken in self.broken:
            message += f" (plugin {broken.owner.distribution} could not be loaded: {broken.reason})"
        raise PluginError(message)

    def find(self, name: str) -> list[Entry]:
        """Every plugin of this name, of whatever kind."""
        return [entry for entry in self if entry.name == name]

    def implementations(self, kind: str) -> list[tuple[Owner, Callable[..., Any]]]:
        """Who implements the hook of a kind, and the functions themselves, sorted by owner."""
        hook = getattr(self.manager.hook, KINDS[kind].hook)
        found = [(self.owners[impl.plugin_name], impl.function) for impl in hook.get_hookimpls()]
        return sorted(found, key=lambda pair: (pair[0].distribution, pair[0].entry_point))

    def modules(self) -> dict[str, Owner]:
        """The owner of every registered plugin module, by the module's name."""
        found = {}
        for name, module in self.manager.list_name_plugin():
            found[str(getattr(module, "__name__", name))] = self.owners[name]
        return found

    def missing(self, kind: str, name: str) -> str:
        """That there is no such plugin, with a suggestion or what there is."""
        message = f"there is no {kind} {name!r}"
        elsewhere = [entry.kind for entry in self.find(name)]
        if elsewhere:
            message += f"; {name!r} is a {' and a '.join(elsewhere)}"
        elif known := self.names(kind):
            message += f"; {did_you_mean(name, known)}"
        return message


def claimed_twice(entries: Sequence[Entry]) -> str:
    """That plugins of several owners have one name."""
    owners = " and ".join(str(entry.owner) for entry in entries)
    return f"{entries[0].kind} {entries[0].name!r} is claimed by {owners}; uninstall one of them"


def discover(entry_points: Iterable[metadata.EntryPoint] | None = None) -> Registry:
    """Load every plugin of the entry-point group ``leukreg``; a failing one is kept as broken.

    pluggy's own loader skips a second entry point of the same name without a word and lets one
    broken plugin end the program, so the entry points are walked here.
    """
    manager = pluggy.PluginManager("leukreg")
    manager.add_hookspecs(hookspecs())
    owners: dict[str, Owner] = {}
    broken: list[BrokenPlugin] = []
    points = metadata.entry_points(group=GROUP) if entry_points is None else entry_points
    for point in _unique(points):
        owner = _owner(point)
        try:
            _register(manager, point, owner)
            owners[f"{owner.distribution}:{owner.entry_point}"] = owner
        except _ANYTHING as error:
            broken.append(BrokenPlugin(owner, reason_of(error)))
    entries, faulty = _collect(manager, owners)
    return Registry(manager, owners, entries, tuple(broken + faulty))


def reason_of(error: BaseException) -> str:
    """What was raised while a plugin was loaded or asked, and where in its own code."""
    ours = ("<frozen", "importlib", "pluggy", "leukreg/registry/", "leukreg/cli/commands.py")
    frames = traceback.extract_tb(error.__traceback__)
    places = [
        f" ({frame.filename}:{frame.lineno})"
        for frame in frames
        if not any(name in Path(frame.filename).as_posix() for name in ours)
    ]
    return f"{type(error).__name__}: {error}" + (places[-1] if places else "")


@functools.cache
def installed() -> Registry:
    """The plugins of this environment, discovered once per process."""
    return discover()


def _unique(points: Iterable[metadata.EntryPoint]) -> list[metadata.EntryPoint]:
    seen: dict[tuple[str, str, str], metadata.EntryPoint] = {}
    for point in points:
        seen.setdefault((_owner(point).distribution, point.name, point.value), point)
    return sorted(seen.values(), key=lambda point: (_owner(point).distribution, point.name))


def _owner(point: metadata.EntryPoint) -> Owner:
    if point.dist is None:
        return Owner("(unknown)", "?", point.name)
    return Owner(point.dist.name, point.dist.version, point.name)


def _register(manager: pluggy.PluginManager, point: metadata.EntryPoint, owner: Owner) -> None:
    module = point.load()
    _refuse_faulty_hooks(point.value, module)
    name = f"{owner.distribution}:{owner.entry_point}"
    try:
        manager.register(module, name)
        if not manager.get_hookcallers(module):
            raise PluginError(f"{point.value}: implements no leukreg hook (is @hookimpl missing?)")
    except Exception:
        # pluggy keeps what it had registered before it found the fault.
        if manager.has_plugin(name):
            manager.unregister(name=name)
        raise


def _refuse_faulty_hooks(place: str, module: Any) -> None:
    hooks = [kind.hook for kind in KINDS.values()]
    for name, value in vars(module).items():
        if not inspect.isfunction(value):
            continue
        options = getattr(value, "leukreg_impl", None)
        if options is None and name in hooks:
            raise PluginError(f"{place}: {name!r} is not marked with @hookimpl")
        if options and name not in hooks and not options.get("optionalhook"):
            raise PluginError(f"{place}: there is no hook {name!r}; {did_you_mean(name, hooks)}")


def _collect(
    manager: pluggy.PluginManager, owners: dict[str, Owner]
) -> tuple[dict[tuple[str, str], tuple[Entry, ...]], list[BrokenPlugin]]:
    entries: dict[tuple[str, str], tuple[Entry, ...]] = {}
    broken: list[BrokenPlugin] = []
    registry = Registry(manager, owners, {}, ())
    for kind in KINDS.values():
        # Commands are click's, asked for by the program alone.
        for owner, hook in registry.implementations(kind.name) if kind.builds else ():
            try:
                for cls in _classes(hook()):
                    entry = Entry(kind.name, plugin_name(cls), cls, owner)
                    key = (entry.kind, entry.name)
                    entries[key] = (*entries.get(key, ()), entry)
            except _ANYTHING as error:
                broken.append(BrokenPlugin(owner, f"{kind.hook}: {reason_of(error)}"))
    return entries, broken


def _classes(returned: Any) -> list[type]:
    if not isinstance(returned, (list, tuple)):
        raise PluginError(f"must return a list of plugin classes, not {returned!r}")
    for cls in returned:
        if not isinstance(cls, type) or not hasattr(cls, "leukreg_name"):
            raise PluginError(f"returns {cls!r}, which is not a class marked with @plugin")
    return list(returned)
