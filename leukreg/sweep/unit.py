"""A unit of a sweep: one fold of one run, or a whole run whose folds hang together.

It is done in the run's own folder, by whoever an executor gives it to, and goes on where a killed
worker left it. The run is concluded afterwards by the same code as any run, which reads the folds
back: so its figures are the same to the last bit, whoever trained them.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leukreg.errors import LeukregError, PluginFault, RunError
from leukreg.files import write_file
from leukreg.progress import SILENT, Advance, Progress
from leukreg.registry.plugin_call import LOG, is_outer, traced
from leukreg.sweep.pruning import Judge, Stopped, StopRule, stopped

if TYPE_CHECKING:
    from filelock import BaseFileLock

    from leukreg.prepare import OpenedData
    from leukreg.recipe.model import Recipe
    from leukreg.sweep.parcel import Parcel

EVERY = 0.5
"""Seconds between two notes of how far a unit is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What a worker is given: plain values, so that it may be anywhere that sees the folders."""

    run: str
    """The run's folder."""
    fold: int | None
    """From 0; None: all folds."""
    note: str
    """The file that tells how far it is."""
    versions: Mapping[str, str | None]
    """Of Python and the libraries that the sweep works with."""
    rules: Mapping[int, StopRule] = field(default_factory=dict)
    """By fold: when a search stops it."""

    def parcel(self) -> Parcel:
        """The unit with all that it reads, for a worker that does not see the folders."""
        from leukreg.sweep.parcel import parcel_of

        return parcel_of(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of a unit; errors are texts, since those of plugins may not travel."""

    seconds: float
    mended: tuple[str, ...] = ()
    """What was found damaged, and made again."""
    said: tuple[str, ...] = ()
    """Warnings on the way."""
    error: str = ""
    stopped: str = ""
    """Why its search stopped it."""


@dataclass(slots=True)
class ToFile:
    """Progress that leaves a note in a file, for a driver that may be elsewhere."""

    path: Path
    known: str = ""
    """How titles begin that say what the unit's label does."""
    said: list[str] = field(default_factory=list)
    _last: float = 0.0

    @contextmanager
    def task(self, title: str, total: int | None = None) -> Iterator[Advance]:
        title, done = title.removeprefix(self.known), 0

        def advance(steps: int = 1, note: str = "") -> None:
            nonlocal done
            done += steps
            part = f" {100 * done // total} %" if total else ""
            first = note.partition(", ")[0]  # many units share a screen
            self._note(f"{title}{part}{', ' if note else ''}{first}")

        self._note(title)
        yield advance

    def say(self, text: str) -> None:
        if text.startswith("! "):
            self.said.append(text)

    def _note(self, text: str) -> None:
        if time.monotonic() - self._last >= EVERY:
            self._last = time.monotonic()
            write_file(self.path, text.encode("utf-8", "replace"), sync=False)


def versions() -> dict[str, str | None]:
    """Of Python, the libraries on which figures depend, and plugins."""
    from leukreg.runs.environment import library_versions, plugin_versions

    return {"python": platform.python_version(), **library_versions(), **plugin_versions()}


def do_unit(unit: Unit, images: bytes | None = None) -> Done:
    """Train and predict a unit; whatever goes wrong comes back as text.

    Args:
        images: Those that were sent to a worker which does not see their files.
    """
    began = time.monotonic()
    folder, place = Path(unit.run), Path(unit.run) / f"fold-{unit.fold or 0}"
    known = "" if unit.fold is None else f"fold {unit.fold + 1}, "
    progress, mended = ToFile(Path(unit.note), known), list[str]()
    error, why = "", ""
    try:
        place.mkdir(exist_ok=True)
        with traced(place / "traceback.txt"):
            _do(unit, folder, place, progress, mended, images)
    except Stopped as raised:
        why = str(raised)
    except Exception as raised:  # a stranger's plugin may raise anything
        error = _told(raised, place)
    return Done(
        seconds=time.monotonic() - began,
        mended=tuple(mended),
        said=tuple(progress.said),
        error=error,
        stopped=why,
    )


def _do(
    unit: Unit,
    path: Path,
    place: Path,
    progress: Progress,
    mended: list[str],
    images: bytes | None,
) -> None:
    from leukreg.engine.checkpoints import remove_checkpoints
    from leukreg.experiment import do_folds
    from leukreg.recipe import rebuild
    from leukreg.runs.folder import FoldFolder
    from leukreg.sweep.parcel import settled

    # Waiting threads that spin make training several times slower beside any other busy process.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    _refuse_other_versions(unit.versions)
    lock = _lock(place, progress)
    try:
        (place / "traceback.txt").unlink(missing_ok=True)
        folder = FoldFolder(path)
        recipe = rebuild(folder.read_json("recipe.json"), path / "recipe.json")
        if images is None:
            data = opened(recipe, progress)
        else:
            recipe, data = settled(recipe, images)
        try:
            _refuse_stopped(path, unit.rules)
            do_folds(recipe, folder, (), progress, data, unit.fold, Judge(unit.rules, path))
        except Stopped:
            for fold in unit.rules:
                remove_checkpoints(path / f"fold-{fold}")
            raise
        mended += folder.mended
    finally:
        lock.release()


def _lock(place: Path, progress: Progress) -> BaseFileLock:
    """The right to write a fold, which a worker of before, its driver killed, may have yet."""
    from leukreg.runs.status import lock_folder

    try:
        return lock_folder(place)
    except RunError:
        with progress.task("Waiting for another process that trains it"):
            return lock_folder(place, wait=True)


def _refuse_stopped(path: Path, folds: Iterable[int]) -> None:
    """What was stopped before a kill is not trained again."""
    for fold in folds:
        if (curve := stopped(path / f"fold-{fold}")) is not None:
            raise Stopped(curve.why)


def _refuse_other_versions(wanted: Mapping[str, str | None]) -> None:
    here = versions()
    apart = [name for name, version in wanted.items() if here.get(name) != version]
    if apart:
        pairs = (f"{n} {here.get(n)} in place of {wanted[n]}" for n in apart)
        raise RunError(f"this worker has {', '.join(pairs)}; the same versions give the same bits")


def _told(error: Exception, place: Path) -> str:
    told = isinstance(error, LeukregError) and not isinstance(error, PluginFault)
    text = str(error) if isinstance(error, LeukregError) else f"{type(error).__name__}: {error}"
    if told or is_outer(error):
        return text
    with traced(place / "traceback.txt"):
        LOG.error("%s", text, exc_info=error)
    return f"{text}\n{place / 'traceback.txt'}"


KEPT = 2
"""Sets of images that stay open: that of the run in hand, and of the one that ends meanwhile."""
_OPENED: dict[str, OpenedData] = {}
"""What this process had open last, newest last: the folds, seeds and variations of a sweep mostly
have the same. What was opened stays as it was, whatever becomes of the files."""


def opened(recipe: Recipe, progress: Progress = SILENT) -> OpenedData:
    """The images of a recipe, opened once for all units with the same that follow each other."""
    from leukreg.prepare import open_data
    from leukreg.recipe import check_task

    key = key_of(recipe)
    found = _OPENED.pop(key, None)
    for oldest in [*_OPENED][: 1 - KEPT]:
        del _OPENED[oldest]
    _OPENED[key] = found or open_data(recipe, progress)
    check_task(recipe, _OPENED[key].samples)
    return _OPENED[key]


def key_of(recipe: Recipe) -> str:
    """Says which images a recipe has: recipes with the same have the same."""
    table: dict[str, Any] = dict(recipe.resolved["data"])
    table["folds"] = recipe.data.folds.duplicates
    return json.dumps(
        [table, repr(recipe.read_image), str(Path.cwd())], sort_keys=True, default=str
    )


def forget_opened() -> None:
    """Open images anew from now on: a new sweep looks at them as they are by then."""
    _OPENED.clear()
