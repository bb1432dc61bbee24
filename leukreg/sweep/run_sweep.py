"""A sweep from its file, or its folder, to what came of it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leukreg.errors import LeukregError
from leukreg.progress import SILENT, Progress
from leukreg.registry.kinds import Workers
from leukreg.registry.plugin_call import Choice, call, taken
from leukreg.runs.sweep_record import read_sweep_record, sweep_named
from leukreg.sweep.driver import Failure, drive
from leukreg.sweep.search import search
from leukreg.sweep.sweep_file import AskedSweep, executor_of, read_sweep
from leukreg.sweep.sweep_folder import begin, figure_of, held, taken_up
from leukreg.sweep.sweep_plan import PlannedRun, planned, threads_of, together, units_of
from leukreg.sweep.sweep_results import SweepResults, results_in
from leukreg.sweep.unit import forget_opened

IMPORTS = "leukreg.sweep.unit_imports"
"""The module that spares a worker most of its start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepPlan:
    """What a sweep would do, checked whole; nothing of it has begun."""

    asked: AskedSweep
    runs: tuple[PlannedRun, ...]
    """In their order; of a search, what was tried at the ends of its ranges."""

    def workers(self, runs: Path) -> Workers:
        """Those of the executor, which whoever asks for them has to stop, for runs below ``runs``.

        Raises:
            NotAvailable: There are none.
            PluginFault: The executor failed.
        """
        search = self.asked.spec.search
        units = units_of(self.runs) if search is None else together(self.asked, self.runs)
        return _workers(self.asked.spec.executor, units, threads_of(self.runs), runs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """A sweep that was carried out."""

    folder: Path
    """Those of its runs lie beside it."""
    results: SweepResults
    failures: tuple[Failure, ...]
    """What failed; :func:`run_sweep` with ``resume`` tries it again."""


def check_sweep(
    path: Path | str,
    *,
    vary: Sequence[str] = (),
    seeds: str | None = None,
    overrides: Sequence[str] = (),
    executor: Mapping[str, Any] | None = None,
    runs: Path | str = "runs",
    progress: Progress = SILENT,
    soon: bool = False,
) -> SweepPlan:
    """Find every mistake in a sweep, and what it would do; nothing is trained.

    Reads the recipe of every variation, splits its data, and takes a step of it with noise.

    Args:
        path: A sweep file, or a recipe that is varied by ``vary`` and ``seeds``.
        vary: Axes, ``KEY=VALUE,VALUE`` each.
        seeds: Such as "1:5", both ends included; by default the file's, or the recipe's own.
        overrides: Keys of every recipe, ``KEY=VALUE`` each, as ``--set`` takes them.
        executor: Who trains: ``{"use": NAME}`` and its options; by default the file's.
        runs: The folder of runs: what those of the same kind took, these are estimated to take.
        progress: Told how far it is; by default nobody is.
        soon: It is carried out next: its executor may begin what takes seconds meanwhile.

    Raises:
        LeukregError: What is wrong and what to do, :class:`Problems` with the file or its recipes;
            :class:`NotAvailable` where a search lacks Optuna.
    """
    forget_opened()
    asked = read_sweep(Path(path), vary, seeds, overrides, executor)
    figure_of(asked)
    if soon:
        _begin_ahead(asked.spec.executor)
    return SweepPlan(asked=asked, runs=planned(asked, progress, Path(runs)))


def run_sweep(
    path: Path | str | None = None,
    *,
    resume: Path | str | None = None,
    runs: Path | str = "runs",
    vary: Sequence[str] = (),
    seeds: str | None = None,
    overrides: Sequence[str] = (),
    executor: Mapping[str, Any] | None = None,
    progress: Progress = SILENT,
) -> Sweep:
    """Carry out a sweep in new folders below ``runs``, or go on with one that was stopped.

    All of it is checked before any of it begins. A unit that fails stops no other.

    Args:
        path, vary, seeds, overrides, executor, progress: As :func:`check_sweep` has them.
        resume: In place of them, ``executor`` and ``progress`` apart: a sweep's folder, its name,
            the beginning of one, or "last".
        runs: The folder of runs.

    Raises:
        LeukregError: As :func:`check_sweep`; or the sweep, or a recipe of it, has changed since it
            began, another process carries it out, the disk is full.
    """
    if (path is None) == (resume is None):
        raise LeukregError("give either a sweep or one to resume")
    root = Path(runs)
    if path is None:
        place = sweep_named(str(resume), root)
        return carried_out(place, *taken_up_with(place, executor or {}, progress), progress)
    plan = check_sweep(
        path,
        vary=vary,
        seeds=seeds,
        overrides=overrides,
        executor=executor,
        runs=root,
        progress=progress,
        soon=True,
    )
    workers = plan.workers(root)
    return carried_out(*begin(plan.asked, plan.runs, root), workers, progress)


def taken_up_with(
    place: Path, executor: Mapping[str, Any], progress: Progress = SILENT
) -> tuple[dict[str, PlannedRun], Workers]:
    """What a sweep is to do, and who does it: its executor, but for what is said of it now."""
    forget_opened()
    record = read_sweep_record(place)
    choice = executor_of(record.executor, executor)
    _begin_ahead(choice)
    plans = taken_up(place, progress)
    if record.search is not None:
        return plans, _workers(choice, record.search.units, record.search.threads, place.parent)
    units, threads = units_of(plans.values()), threads_of(plans.values())
    return plans, _workers(choice, units, threads, place.parent)


def carried_out(
    place: Path, plans: Mapping[str, PlannedRun], workers: Workers, progress: Progress = SILENT
) -> Sweep:
    """A sweep to its end, in its folder; the workers are stopped then.

    Raises:
        LeukregError: It cannot go on; its notes say how to resume.
    """
    # Waiting threads that spin make training several times slower beside any other busy process.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    progress.say(f"Sweep folder: {place}")
    searched = read_sweep_record(place).search is not None
    try:
        with held(place):
            if searched:
                failures = search(place, workers, progress)
            else:
                failures = drive(place, plans, workers, progress)
    except BaseException as error:
        error.add_note(f"This goes on with it: leukreg sweep --resume {shlex.quote(str(place))}")
        raise
    finally:
        workers.stop()
    return Sweep(folder=place, results=results_in(place), failures=failures)


def _begin_ahead(choice: Choice) -> None:
    ahead = getattr(choice.plugin, "ahead", None)
    if callable(ahead):
        call(choice, ahead, IMPORTS)


def _workers(choice: Choice, units: int, threads: int, runs: Path) -> Workers:
    build = choice.plugin.build
    workers: Workers = call(choice, build, units, threads, **taken(build, folder=runs))
    return workers
