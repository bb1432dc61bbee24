"""The commands of the program: leukreg's own by name, those of plugins as they are found.

``leukreg --help`` runs through here, so json, pathlib and the like are not imported: together they
would cost half as much again as click does.
"""

from __future__ import annotations

import ast
import os
import sys
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leukreg import __version__
from leukreg.paths import cache_folder

if TYPE_CHECKING:
    import click

    from leukreg.registry import BrokenPlugin, Owner, Registry

OWN: dict[str, str] = {
    "run": "Run a recipe, or resume a run, and report on it.",
    "sweep": "Run recipes in variations and under several seeds.",
    "check": "Check a recipe and print its plan; nothing is run.",
    "recipe": "Show what a recipe may say: its tables and keys.",
    "lr": "Suggest a learning rate for a phase of a recipe.",
    "data": "Look at images: classes, sizes, patients, broken files, copies.",
    "datasets": "List public blood-cell data sets, and what each holds.",
    "demo": "Write rendered blood cells to a folder.",
    "synthesize": "Write the synthetic cells of a recipe that pass its gate.",
    "fidelity": "Compare synthetic images with real ones, and find copies.",
    "cache": "List or clear what leukreg keeps between runs.",
    "plugins": "List the plugins, show one, or write a new one.",
    "runs": "List the runs of a folder.",
    "show": "Show the report of a run.",
    "report": "Write the page of a run, or of several side by side.",
    "compare": "Put runs and published figures side by side.",
    "audit": "Find what is wrong with a run or a published result.",
    "published": "List published results with the audit's verdicts.",
    "predict": "Predict images with a run's models.",
    "explain": "Show where a run's models look in images.",
    "stress": "Score a run's models on changed test images.",
    "evaluate": "Score a run's models on images from elsewhere.",
    "export": "Write a run's models in a standard format.",
}
"""leukreg's commands and their one-line helps; each lies in ``leukreg/cli/<name>.py``."""


@dataclass(frozen=True, slots=True)
class PluginCommands:
    """The commands that plugins add, and what is wrong with the others."""

    commands: dict[str, tuple[click.Command, Owner]]
    broken: tuple[BrokenPlugin, ...]


def find(registry: Registry) -> PluginCommands:
    """Ask every plugin for its commands; a failing, shadowing or doubled one is left out."""
    import click

    from leukreg.registry import BrokenPlugin, reason_of

    claims: dict[str, list[tuple[click.Command, Owner]]] = {}
    broken: list[BrokenPlugin] = []
    for owner, hook in registry.implementations("command"):
        group = click.Group(owner.distribution)
        try:
            hook(group)
        except Exception as error:  # a stranger's hook may raise anything
            broken.append(BrokenPlugin(owner, f"leukreg_commands: {reason_of(error)}"))
            continue
        for name, command in group.commands.items():
            claims.setdefault(name, []).append((command, owner))
    for name in list(claims):
        reason = _refusal(name, [owner for _, owner in claims[name]])
        if reason:
            broken += [BrokenPlugin(owner, reason) for _, owner in claims.pop(name)]
    return PluginCommands({name: claim[0] for name, claim in sorted(claims.items())}, tuple(broken))


def faults(registry: Registry) -> tuple[str, ...]:
    """A sentence for every plugin that could not be used, those that add commands too."""
    return (*registry.faults(), *(each.sentence for each in find(registry).broken))


def require_whole() -> None:
    """Under ``--strict``: refuse to work where a plugin could not be used.

    Raises:
        PluginError: Naming them all.
    """
    from leukreg.errors import PluginError
    from leukreg.registry import installed

    found = faults(installed())
    if found:
        advice = "mend or uninstall it; --strict goes on with no plugin that is broken"
        raise PluginError("\n".join([*found, advice]))


def _refusal(name: str, owners: list[Owner]) -> str:
    if name in OWN:
        return f"command {name!r} is leukreg's own; a plugin cannot replace it"
    if len(owners) > 1:
        names = " and ".join(map(str, owners))
        return f"command {name!r} is claimed by {names}; uninstall one of them"
    return ""


def known() -> dict[str, str]:
    """Name and one-line help of every plugin command.

    ``leukreg --help`` must not import plugins: the answer is remembered until a distribution is
    installed, changed or removed, or a file of a plugin that was looked at is edited.
    """
    memory = _read(_memory_path())
    if memory is None:
        memory = _ask_plugins()
        _write(_memory_path(), memory)
    return dict(memory["commands"])


def _memory_path() -> str:
    environment = f"{sys.prefix}\0{__version__}\0{os.pathsep.join(sys.path)}"
    return os.path.join(cache_folder(), f"commands-{zlib.crc32(environment.encode()):08x}.txt")


def _read(path: str) -> dict[str, Any] | None:
    try:
        with open(path, encoding="utf-8") as file:
            memory: dict[str, Any] = ast.literal_eval(file.read())
        fresh = memory["installed"] == _stamps(_installed()) and memory["files"] == _stamps(
            memory["files"]
        )
        return memory if fresh and isinstance(memory["commands"], dict) else None
    except (OSError, ValueError, KeyError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _write(path: str, memory: dict[str, Any]) -> None:
    from contextlib import suppress
    from pathlib import Path

    from leukreg.errors import LeukregError
    from leukreg.files import write_file

    # Only speed is lost when the cache cannot be written, so that is not worth a message.
    with suppress(OSError, LeukregError):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_file(Path(path), repr(memory).encode(), sync=False)


def _ask_plugins() -> dict[str, Any]:
    from leukreg.registry import installed

    registry = installed()
    found = find(registry)
    packages = tuple({module.partition(".")[0] for module in registry.modules()})
    files = [
        module.__file__
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in packages and getattr(module, "__file__", None)
    ]
    return {
        "installed": _stamps(_installed()),
        "files": _stamps(str(file) for file in files),
        "commands": {
            name: command.get_short_help_str(100) for name, (command, _) in found.commands.items()
        },
    }


def _installed() -> list[str]:
    """The entry-point tables of all distributions that can be imported."""
    tables = []  # importlib.metadata would take longer than all the rest of --help
    for folder in sys.path:
        try:
            with os.scandir(folder or ".") as entries:
                found = [each.path for each in entries]
        except OSError:
            continue
        for path in found:
            if path.endswith((".dist-info", ".egg-info")):
                tables.append(f"{path}/entry_points.txt")
    return tables


def _stamps(paths: Iterable[str]) -> dict[str, int]:
    """Time of last change in nanoseconds by path; 0 for a file that is not there."""
    stamps = {}
    for path in paths:
        try:
            stamps[path] = os.stat(path).st_mtime_ns
        except OSError:
            stamps[path] = 0
    return stamps
