"""A search carried out: trials proposed, done as runs of a sweep, and what came of them told.

Optuna is told figures on validation rows, and no others.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from leukreg.errors import LeukregError, RunError
from leukreg.progress import SILENT, Progress
from leukreg.recipe.reference import toml
from leukreg.registry import installed
from leukreg.registry.kinds import Workers
from leukreg.runs.contents import read
from leukreg.runs.sweep_record import (
    SearchRecord,
    SweepRecord,
    SweptRun,
    read_sweep_record,
    write_sweep,
)
from leukreg.sweep.driver import Failure, drive
from leukreg.sweep.pruning import StopRule, curves_of
from leukreg.sweep.search_space import Axis, Range, distributions, shown, values_of
from leukreg.sweep.search_study import (
    SECONDS,
    first_like,
    forget,
    is_told,
    opened_study,
    propose,
    tell,
    trials_of,
)
from leukreg.sweep.sweep_file import Variation
from leukreg.sweep.sweep_folder import again
from leukreg.sweep.sweep_plan import planned_trial
from leukreg.sweep.sweep_results import variation_figures

if TYPE_CHECKING:
    from optuna import Study

LOST = 3
"""Trials that may fail one after the other: then the reason lies in no trial."""


def search(place: Path, workers: Workers, progress: Progress = SILENT) -> tuple[Failure, ...]:
    """Do what is left of a search; what failed comes back.

    Args:
        place: The sweep's folder.
        workers: As :func:`leukreg.sweep.driver.drive` has them.

    Raises:
        LeukregError: It cannot go on.
    """
    with opened_study(place) as study:
        return Search(place, read_sweep_record(place), study, workers, progress).to_the_end()


@dataclass(slots=True, eq=False)
class Search:
    """A search under way."""

    place: Path
    record: SweepRecord
    study: Study
    workers: Workers
    progress: Progress
    failures: list[Failure] = field(default_factory=list)
    lost: set[int] = field(default_factory=set)
    """Trials that failed by now."""
    refused: dict[int, str] = field(default_factory=dict)
    """Trials of which no recipe came, and why."""

    def to_the_end(self) -> tuple[Failure, ...]:
        self._drop_unrecorded()
        while True:
            began = time.monotonic()
            self._do([n for n in self._untold() if n not in self.lost])
            spent = self.study.user_attrs.get(SECONDS, 0.0) + time.monotonic() - began
            self.study.set_user_attr(SECONDS, spent)
            if self._over(spent):
                return tuple(self.failures)
            self._propose()

    @property
    def spec(self) -> SearchRecord:
        assert self.record.search is not None
        return self.record.search

    def _over(self, spent: float) -> bool:
        done = self.spec.proposed
        if done >= LOST and self.lost >= set(range(done - LOST + 1, done + 1)):
            self.progress.say(f"! {LOST} trials failed one after the other: no other is begun")
            return True
        late = self.spec.hours is not None and spent >= 3600 * self.spec.hours
        if late and done < self.spec.trials:
            self.progress.say(f"{done} of {self.spec.trials} trials in {self.spec.hours} hours")
        return late or done >= self.spec.trials

    def _untold(self) -> list[int]:
        return [n for n, one in enumerate(trials_of(self.study), 1) if not is_told(one)]

    def _drop_unrecorded(self) -> None:
        """What was proposed just before a kill is proposed again."""
        for trial in trials_of(self.study)[self.spec.proposed :]:
            forget(self.study, trial)

    def _propose(self) -> None:
        """The next trials, recorded with their runs before any of these begins."""
        spec, space = self.spec, distributions(axes_of(self.spec))
        last = min(spec.trials, spec.proposed + spec.at_once)
        for _ in range(spec.proposed, last):
            propose(self.study, space, spec.seed)
        runs = list(self.record.runs)
        for number in range(spec.proposed + 1, last + 1):
            if first_like(trials_of(self.study), number) == number:
                runs += self._runs(number)
        self.record = replace(self.record, runs=tuple(runs), search=replace(spec, proposed=last))
        write_sweep(self.place, self.record)

    def _runs(self, number: int) -> Iterator[SweptRun]:
        """The runs of a trial; none where no recipe comes of it."""
        variation, width = self._variation(number), len(str(self.spec.trials))
        try:
            plans = planned_trial(variation, self.spec.seeds, self.spec.threads, self.progress)
        except LeukregError as error:
            self.refused[number] = str(error).splitlines()[0]
            self.progress.say(f"! {variation.name}: {self.refused[number]}")
            return
        for place, plan in enumerate(plans, 1):
            one = f"-{place}" if len(plans) > 1 else ""
            name = f"{self.place.name}-{number:0{width}d}{one}"
            yield replace(plan.swept(name), trial=number)

    def _variation(self, number: int) -> Variation:
        spec, axes = self.spec, axes_of(self.spec)
        values = values_of(axes, trials_of(self.study)[number - 1].params)
        return Variation(
            name=f"trial {number} ({', '.join(shown(values, axes))})",
            path=Path(spec.path),
            overrides=(*spec.overrides, *(f"{key}={toml(v)}" for key, v in values.items())),
        )

    def _do(self, numbers: list[int]) -> None:
        """Do these trials, or go on with them, and tell what came of them."""
        of_these = [run for run in self.record.runs if run.trial in numbers]
        plans = {run.name: again(run, self.record) for run in of_these}
        if plans:
            rules = {run.name: self._rules(run) for run in of_these}
            to = f" to {numbers[-1]}" if numbers[1:] else ""
            title = f"trial {numbers[0]}{to} of {self.spec.trials}"
            self.failures += drive(self.place, plans, self.workers, self.progress, rules, title)
        for number in numbers:
            self._tell(number)

    def _rules(self, run: SweptRun) -> dict[int, StopRule]:
        """By fold, when a run is stopped: by curves of the trials that were proposed before its."""
        if self.spec.prune == "none" or run.trial is None:
            return {}
        before = (run.trial - 1) // self.spec.at_once * self.spec.at_once
        place = self._own(run.trial).index(run)
        earlier = [dict(curves_of(self._folders(n))) for n in range(1, before + 1)]
        return {
            fold: StopRule(
                self.spec.prune,
                tuple(one[place, fold] for one in earlier if (place, fold) in one),
            )
            for fold in range(run.folds)
        }

    def _own(self, number: int) -> list[SweptRun]:
        return [run for run in self.record.runs if run.trial == number]

    def _folders(self, number: int) -> list[tuple[Path, int]]:
        return [(self.place.parent / run.name, run.folds) for run in self._own(number)]

    def _tell(self, number: int) -> None:
        trials = trials_of(self.study)
        trial, like = trials[number - 1], first_like(trials, number)
        if like != number:
            first = trials[like - 1]
            if is_told(first):
                tell(self.study, trial, first.value, f"as trial {like}")
            else:
                self.lost.add(number)
            return
        own = self._own(number)
        if not own:
            tell(self.study, trial, None, self.refused.get(number, "no recipe comes of it"))
            return
        curves = [curve for _, curve in curves_of(self._folders(number))]
        if curves and curves[-1].why:
            epochs = sum(len(one.accuracy) for one in curves)
            reached = epochs, curves[-1].accuracy[-1]
            tell(self.study, trial, None, curves[-1].why, reached)
            return
        try:
            value = value_of(self.place.parent, own, self.record.figure)
        except RunError:
            self.lost.add(number)
        else:
            tell(self.study, trial, value, "undefined on validation rows" * (value is None))


def value_of(root: Path, runs: Sequence[SweptRun], figure: str) -> float | None:
    """The figure of a trial: the mean over folds and seeds on validation rows, None where it is
    undefined in one.

    Raises:
        RunError: A run has not finished, or is damaged.
    """
    done = [(run, read(root / run.name)) for run in runs]
    return variation_figures(runs[0].variation, done, figure, installed()).validation


def axes_of(spec: SearchRecord) -> dict[str, Axis]:
    """The axes, as they were before they were written."""
    return {
        key: Range(**axis) if isinstance(axis, dict) else tuple(axis)
        for key, axis in spec.axes.items()
    }
