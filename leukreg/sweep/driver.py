"""A sweep carried out: units handed to workers, runs concluded, what failed told.

Runs are concluded here, in the order of the plan, by the code that concludes any run. A killed
driver leaves nothing that cannot be gone on with: what is done stands in the folders of the runs,
and there alone.
"""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from leukreg.errors import LeukregError
from leukreg.experiment import carry_out
from leukreg.prepare import prepare
from leukreg.progress import SILENT, Progress
from leukreg.registry import installed
from leukreg.registry.kinds import Workers
from leukreg.runs.folder import RunFolder
from leukreg.runs.status import FILE as STATUS
from leukreg.runs.status import read_status
from leukreg.sweep.pruning import StopRule, is_stopped
from leukreg.sweep.sweep_plan import PlannedRun
from leukreg.sweep.unit import Done, Unit, do_unit, opened, versions
from leukreg.sweep.unit_notes import Watch

Rules = Mapping[str, Mapping[int, StopRule]]
LOOK = 0.5
"""Seconds between two looks at what is done."""
LIVES = 2
"""Workers that a unit may lose before it counts as failed."""
NOTES = "units"
"""The folder in a sweep's in which its units tell how far they are."""


@dataclass(slots=True, eq=False)
class SweptFolder:
    """A run under way: its folder, which the driver alone may write, and what is left to do."""

    plan: PlannedRun
    path: Path
    left: set[int | None]
    folder: RunFolder | None = None
    failed: bool = False
    stopped: str = ""
    """Why its search stopped it, or a run of the same trial."""
    over: bool = False
    """Concluded, now or before, or given up."""

    def label(self, fold: int | None = None) -> str:
        """The run, or a fold of it, as people read it: folds are counted from 1."""
        return self.plan.label + ("" if fold is None else f", fold {fold + 1}")


@dataclass(frozen=True, slots=True)
class Failure:
    """A unit, or the conclusion of a run, that failed."""

    what: str
    error: str


@dataclass(slots=True, eq=False)
class Drive:
    """A sweep under way."""

    place: Path
    """The sweep's folder."""
    runs: list[SweptFolder]
    workers: Workers
    watch: Watch
    todo: deque[tuple[SweptFolder, int | None]]
    rules: Rules
    """When units of a search are stopped."""
    flying: dict[Future[Any], tuple[SweptFolder, int | None]] = field(default_factory=dict)
    lives: dict[str, int] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    versions: dict[str, str | None] = field(default_factory=versions)
    stops: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By variation: the first unit, by number of its run and fold, that was stopped."""

    def to_the_end(self) -> tuple[Failure, ...]:
        while self.todo or self.flying:
            while self.todo and len(self.flying) < self.workers.count:
                self._hand_over(*self.todo.popleft())
            if self._conclude_next():  # while the workers are at theirs
                continue
            for future in wait(self.flying, LOOK, FIRST_COMPLETED).done:
                self._take(future, *self.flying.pop(future))
        while self._conclude_next():
            pass
        return tuple(self.failures)

    def _hand_over(self, run: SweptFolder, fold: int | None) -> None:
        label = run.label(fold)
        if self._is_behind_a_stop(run, fold):
            run.stopped = run.stopped or "stopped with its trial"
            run.left.discard(fold)
            self.watch.done(label)
            return
        if run.folder is None and not run.failed:
            try:
                run.folder = _opened_folder(run, self.place.name)
            except LeukregError as error:
                self._fail(run, run.label(), str(error))
        if run.folder is None:
            run.left.discard(fold)
            self.watch.done(label)
            return
        note = self.place / NOTES / f"{run.path.name}-{0 if fold is None else fold}.txt"
        unit = Unit(
            run=str(run.path.resolve()),
            fold=fold,
            note=str(note.resolve()),
            versions=self.versions,
            rules=self._rules_of(run, fold),
        )
        self.watch.begin(label, note)
        self.flying[self.workers.submit(do_unit, unit)] = run, fold

    def _take(self, future: Future[Done], run: SweptFolder, fold: int | None) -> None:
        label = run.label(fold)
        try:
            done = future.result()
        except Exception as error:  # each executor has its own word for a worker that died
            self.lives[label] = self.lives.get(label, LIVES) - 1
            if self.lives[label]:
                self.watch.end(label)
                self.watch.progress.say(f"! {label}: its worker died; another goes on with it")
                self.todo.appendleft((run, fold))
                return
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            done = Done(seconds=0.0, error=f"its worker died {LIVES} times ({reason})")
        run.left.discard(fold)
        self.watch.done(label)
        for text in done.said:
            self.watch.progress.say(f"{text} ({label})")
        assert run.folder is not None
        for text in done.mended:
            run.folder.mend(text)
        run.folder.count(done.seconds)
        if done.stopped:
            run.stopped = done.stopped
            at, name = self._position(run, fold), run.plan.variation.name
            self.stops[name] = min(at, self.stops.get(name, at))
        if done.error:
            self._fail(run, label, done.error)
        else:
            run.folder.checkpoint_time()

    def _position(self, run: SweptFolder, fold: int | None) -> tuple[int, int]:
        return self.runs.index(run), fold or 0

    def _is_behind_a_stop(self, run: SweptFolder, fold: int | None) -> bool:
        """Whether one of the same trial that comes before it was stopped: one after the other, it
        would not have begun."""
        first = self.stops.get(run.plan.variation.name)
        return first is not None and first < self._position(run, fold)

    def _rules_of(self, run: SweptFolder, fold: int | None) -> dict[int, StopRule]:
        rules = self.rules.get(run.path.name, {})
        return {n: rule for n, rule in rules.items() if fold in (None, n)}

    def _fail(self, run: SweptFolder, label: str, error: str) -> None:
        self.failures.append(Failure(label, error))
        self.watch.progress.say(f"! {label}: {error}")
        if run.folder is not None and not run.failed:
            run.folder.fail(error if run.label() == label else f"{label}: {error}")
        run.failed = True

    def _conclude_next(self) -> bool:
        """Score and audit a run whose units are all done, in the order of the plan."""
        run = next((one for one in self.runs if not one.over), None)
        if run is None or run.left:
            return False
        run.over = True
        if run.folder is None and not run.failed and not run.stopped:  # all its folds were there
            run.folder = _opened_folder(run, self.place.name)
        if run.folder is not None and run.stopped and not run.failed:
            run.folder.stop(run.stopped)
        elif run.folder is not None and not run.failed:
            self._conclude_one(run, run.folder)
        if run.folder is not None:
            run.folder.close()
        return True

    def _conclude_one(self, run: SweptFolder, folder: RunFolder) -> None:
        plan = run.plan
        folder.count(0.0)
        try:
            with folder:
                data = opened(plan.recipe)
                carry_out(plan.recipe, installed(), folder, plan.notices, SILENT, data)
        except Exception as error:  # the folder has its traceback
            text = str(error) if isinstance(error, LeukregError) else repr(error)
            self.failures.append(Failure(run.label(), text))
            self.watch.progress.say(f"! {run.label()}: {text}")


def drive(
    place: Path,
    plans: Mapping[str, PlannedRun],
    workers: Workers,
    progress: Progress = SILENT,
    rules: Rules = MappingProxyType({}),
    title: str = "",
) -> tuple[Failure, ...]:
    """Do what is left of some runs of a sweep; what failed comes back, the rest is done.

    Args:
        place: The sweep's folder; those of its runs lie, or come to lie, beside it.
        plans: What to do, by the names of the runs' folders.
        workers: Whoever made them stops them in the end; on an error here they are stopped.
        rules: When folds are stopped, by the name of the run's folder.
        title: Of the progress; by default the sweep's name.

    Raises:
        LeukregError: The driver itself cannot go on.
    """
    (place / NOTES).mkdir(exist_ok=True)
    runs = [_standing(place.parent / name, plan) for name, plan in plans.items()]
    every = [(run, fold) for run in runs for fold in run.plan.units]
    todo = deque((run, fold) for run, fold in every if fold in run.left)
    try:
        with Watch(progress, title or place.name, len(every), len(every) - len(todo)) as watch:
            going = Drive(place, runs, workers, watch, todo, rules, stops=_stops(runs))
            return going.to_the_end()
    except BaseException:
        workers.stop()
        raise
    finally:
        shutil.rmtree(place / NOTES, ignore_errors=True)
        for run in runs:
            if run.folder is not None and not run.over:
                with suppress(LeukregError):
                    run.folder.checkpoint_time()
                run.folder.close()


def _standing(path: Path, plan: PlannedRun) -> SweptFolder:
    """A run and those of its units that are not there yet."""
    if (path / STATUS).is_file() and read_status(path).state in ("finished", "stopped"):
        return SweptFolder(plan, path, set(), over=True)
    there = {n for n in range(plan.folds) if (path / f"fold-{n}" / "predictions.csv").is_file()}
    return SweptFolder(plan, path, set(plan.units) - (there if plan.apart else set()))


def _stops(runs: Sequence[SweptFolder]) -> dict[str, tuple[int, int]]:
    """The first unit of each variation that was stopped before a kill."""
    found: dict[str, tuple[int, int]] = {}
    for number, run in enumerate(runs):
        for fold in range(run.plan.folds):
            if is_stopped(run.path / f"fold-{fold}"):
                found.setdefault(run.plan.variation.name, (number, fold))
    return found


def _opened_folder(run: SweptFolder, sweep: str) -> RunFolder:
    """The run's folder, made or taken up, with what its data are held against from now on."""
    plan = run.plan
    if (run.path / STATUS).is_file():
        folder = RunFolder.open(run.path)
    else:
        folder = RunFolder.create(run.path.parent, plan.recipe, plan.notices, sweep, run.path.name)
    if plan.apart:
        try:
            _, record = prepare(plan.recipe, run.path / "synthetic", data=opened(plan.recipe))
            folder.refuse_changed(record)
            folder.keep_data(record)
        except LeukregError as error:
            folder.fail(error)
            folder.close()
            raise
    return folder
