"""A chosen plugin, and its code called: what it raises names who must mend it, and where."""

from __future__ import annotations

import functools
import inspect
import linecache
import logging
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from leukreg.errors import USERS_TO_MEND, LeukregError, PluginFault
from leukreg.registry.plugin import plain

T = TypeVar("T")
LOG = logging.getLogger("leukreg.plugins")
"""Tracebacks of plugins that failed, for those who write them: a run folder keeps them, --debug
shows them, nobody else hears of them."""
LOG.propagate = False
LOG.addHandler(logging.NullHandler())


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A plugin with its checked options."""

    kind: str
    name: str
    plugin: Any
    """The plugin's instance: its options are its fields, ``build`` its contract."""
    owner: str
    """Distribution and version it comes from."""
    fallback: Choice | None = None
    """Taken, and announced, when ``plugin.ready()`` raises NotAvailable."""

    @functools.cached_property
    def options(self) -> Mapping[str, Any]:
        """All options as plain values, defaults included."""
        return plain(self.plugin) if is_dataclass(self.plugin) else {}


def call(choice: Choice, function: Callable[..., T], *args: Any, **more: Any) -> T:
    """What ``function`` of the chosen plugin returns.

    Raises:
        PluginFault: It raised what is no LeukregError, and what it has to answer for.
    """
    name = getattr(function, "__name__", "<lambda>")
    with blamed(choice, "failed" if name == "<lambda>" else f"failed in {name}"):
        return function(*args, **more)


def blamed(choice: Choice, doing: str) -> AbstractContextManager[None]:
    """Whatever is raised within is the chosen plugin's fault; ``doing`` follows its name.

    Raises:
        PluginFault: What was raised is no LeukregError.
    """
    return blamed_on(f"{named(choice)} {doing}", choice.plugin, choice.owner)


@contextmanager
def blamed_on(who: str, plugin: object, owner: str = "") -> Iterator[None]:
    """The same for a plugin that no recipe chose; ``who`` begins the sentence."""
    try:
        yield
    except LeukregError:
        raise
    except Exception as error:  # a stranger's plugin may raise anything
        if is_outer(error):
            raise
        raise PluginFault(failed(who, plugin, error), owner) from error


def breach(choice: Choice, what: str) -> PluginFault:
    """That the chosen plugin broke its contract: ``what`` follows its name."""
    place = _build_of(choice.plugin)
    return PluginFault(f"{named(choice)}{what}" + (f"\n  {place}" if place else ""), choice.owner)


def failed(who: str, plugin: object, error: BaseException) -> str:
    """``who`` ("loss 'poly1' (from leukreg-poly1 1.0) failed"), what was raised, and where."""
    place = place_of(error, module_of(plugin))
    shown = _build_of(plugin)
    if place:
        path, _, line = place.rpartition(":")
        shown = f"{place}: {linecache.getline(path, int(line)).strip()}"
    return f"{who}: {type(error).__name__}: {error}" + (f"\n  {shown}" if shown else "")


def noted(who: str, plugin: object, error: BaseException) -> str:
    """As :func:`failed` on one line, where work goes on without the plugin; logs the traceback."""
    LOG.error("%s", who, exc_info=error)
    place = place_of(error, module_of(plugin)) or _build_of(plugin)
    first = next(iter(str(error).splitlines()), "")
    return f"{who}: {type(error).__name__}: {first}" + (f" ({place})" if place else "")


@contextmanager
def traced(path: Path) -> Iterator[None]:
    """Add the tracebacks that are logged meanwhile to a file, which only then is made."""
    handler = log_file(path, "a")
    LOG.addHandler(handler)
    try:
        yield
    finally:
        LOG.removeHandler(handler)
        handler.close()


def log_file(path: Path, mode: str) -> logging.FileHandler:
    """A file for tracebacks that is opened with the first one."""
    return logging.FileHandler(path, mode, encoding="utf-8", delay=True, errors="backslashreplace")


def is_outer(error: BaseException) -> bool:
    """Whether the machine gave out (memory, disk), which no plugin can help."""
    return out_of_memory(error) or getattr(error, "errno", None) in USERS_TO_MEND


def out_of_memory(error: BaseException) -> bool:
    """Whether this is Python's, torch's or CUDA's way to say that there is no more memory."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and "not enough memory" in str(error)


def place_of(error: BaseException, module: str) -> str | None:
    """``file:line`` of the innermost frame in the package of ``module``; None: none is."""
    package = package_of(module)
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        if package and package_of(frame.f_globals.get("__name__", "")) == package:
            return f"{frame.f_code.co_filename}:{line}"
    return None


def module_of(plugin: object) -> str:
    """The name of the module that a plugin, its class or its function was written in."""
    return str(getattr(plugin, "__module__", ""))


def package_of(module: object) -> str:
    """The package that a module of this name lies in."""
    return str(module).partition(".")[0]


def _build_of(plugin: object) -> str | None:
    """Where ``build`` begins: what it made failed in a library's code."""
    code = getattr(getattr(plugin, "build", None), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else None


def taken(function: Callable[..., Any], **values: T) -> dict[str, T]:
    """Those of the values that ``function`` has a parameter for: a contract does not ask for all;
    none where that cannot be told."""
    try:
        known = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}
    return {name: value for name, value in values.items() if name in known}


def named(choice: Choice) -> str:
    """The chosen plugin as messages name it."""
    return f"{choice.kind} {choice.name!r} (from {choice.owner})"
