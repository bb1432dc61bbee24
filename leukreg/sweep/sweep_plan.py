"""What a sweep would do: every variation read and checked, its data split, a step of it tried.

Nothing of a sweep begins before all of it could.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from leukreg.errors import LeukregError, Problem, Problems
from leukreg.files import digest_of
from leukreg.prepare import OpenedData, data_record, labels_of
from leukreg.progress import SILENT, Progress
from leukreg.recipe import check_task, load, take_fallbacks
from leukreg.runs.environment import ids_digest
from leukreg.runs.sweep_record import SweptRun
from leukreg.sweep.estimate import NONE, Estimate, KnownRun, estimated, known_runs
from leukreg.sweep.search_space import spread
from leukreg.sweep.search_study import require_optuna
from leukreg.sweep.unit import opened
from leukreg.text import counted

if TYPE_CHECKING:
    from leukreg.recipe.model import Recipe
    from leukreg.record import RunRecord
    from leukreg.sweep.sweep_file import AskedSweep, Variation
    from leukreg.types import Notice

SAME = ("name", "title", "assumed")
"""Keys of a recipe in which the same experiment may differ."""
MOST_TRIED = 16
"""Corners of a search's space of which a step is tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRun:
    """A run that a sweep is to do: a variation under a seed."""

    variation: Variation
    overrides: tuple[str, ...]
    """The variation's, with the seed and the threads that the sweep gives it."""
    recipe: Recipe
    """Its fallbacks taken."""
    notices: tuple[Notice, ...]
    folds: int = 1
    validated: bool = True
    """Whether each fold has validation rows."""
    test_set: str = ""
    estimate: Estimate = NONE
    """What its trainings take one worker."""

    @property
    def apart(self) -> bool:
        """Whether its folds can be trained apart: rows that a generator adds for one fold stay in
        the table, and the next fold's come after them."""
        return self.recipe.synthesis is None

    @property
    def units(self) -> tuple[int | None, ...]:
        """Its folds; None: all of them, as one."""
        return tuple(range(self.folds)) if self.apart else (None,)

    @property
    def label(self) -> str:
        return f"{self.variation.name}, seed {self.recipe.seed}"

    @property
    def digest(self) -> str:
        """Of the resolved recipe."""
        return digest_of(json.dumps(self.recipe.resolved, sort_keys=True, default=str).encode())

    def swept(self, name: str) -> SweptRun:
        """What the sweep's folder keeps of it."""
        return SweptRun(
            name=name,
            variation=self.variation.name,
            seed=self.recipe.seed,
            path=str(self.variation.path),
            overrides=self.overrides,
            digest=self.digest,
            folds=self.folds,
            apart=self.apart,
            test_set=self.test_set,
        )


def planned(
    sweep: AskedSweep, progress: Progress = SILENT, root: Path | None = None
) -> tuple[PlannedRun, ...]:
    """Every run of a sweep, checked whole: recipes, data, splits, and a step of each variation.

    Args:
        root: Runs from which estimates are made where there are some of the same kind.

    Raises:
        Problems: Everything that is wrong, each with the variations that it is wrong in.
    """
    search = sweep.spec.search is not None
    if search:
        require_optuna()
    mistakes = _Mistakes(len(sweep.variations))
    runs: list[PlannedRun] = []
    with progress.task("Checking recipes", len(sweep.variations)) as advance:
        for variation in sweep.variations:
            with mistakes.of(variation):
                for seed in sweep.seeds:
                    runs.append(read_run(variation, seed, sweep.spec.threads))
            advance()
    mistakes.stop()
    _refuse_same(runs)
    known = {} if root is None else known_runs(root)
    tried = sweep.variations
    if search:
        tried = tuple(spread(iter(tried), len(tried), MOST_TRIED))
    found: list[PlannedRun] = []
    with progress.task("Trying variations", len(tried)) as advance:
        for variation in tried:
            with mistakes.of(variation):
                own = _looked_at([r for r in runs if r.variation == variation], known, progress)
                if search and not all(run.validated for run in own):
                    raise LeukregError(
                        "a search chooses on validation rows, and a fold has none; set "
                        "data.folds.validation"
                    )
                found += own
            advance()
    mistakes.stop()
    return tuple(found)


def planned_trial(
    variation: Variation, seeds: Sequence[int | None], threads: int, progress: Progress = SILENT
) -> tuple[PlannedRun, ...]:
    """The runs of a trial of a search, whose space was checked.

    Raises:
        Problems: Its recipe contradicts itself, or the data do not allow it.
    """
    runs = (read_run(variation, seed, threads) for seed in seeds)
    return tuple(
        _divided(run, _split(run.recipe, opened(run.recipe, progress), progress)) for run in runs
    )


def read_run(variation: Variation, seed: int | None, threads: int = 0) -> PlannedRun:
    """A variation under a seed.

    Args:
        threads: Of its training, where its recipe does not say.
    """
    overrides = variation.overrides + (() if seed is None else (f"seed={seed}",))
    recipe = load(variation.path, overrides)
    if threads and "training.threads" not in recipe.given:
        overrides = (*overrides, f"training.threads={threads}")
        recipe = load(variation.path, overrides)
    settled, notices = take_fallbacks(recipe)
    return PlannedRun(variation=variation, overrides=overrides, recipe=settled, notices=notices)


class _Mistakes:
    """Problems by what they say, with the variations in which they occur."""

    def __init__(self, variations: int) -> None:
        self.variations = variations
        self.found: dict[Problem, list[str]] = {}

    @contextmanager
    def of(self, variation: Variation) -> Iterator[None]:
        """What is wrong within is wrong in this variation."""
        try:
            yield
        except LeukregError as error:
            own = error.problems if isinstance(error, Problems) else (Problem(str(error)),)
            for problem in own:
                names = self.found.setdefault(problem, [])
                names += [] if variation.name in names else [variation.name]

    def stop(self) -> None:
        """End here if there are mistakes."""
        if self.found:
            raise Problems([*self._named()])

    def _named(self) -> Iterator[Problem]:
        for problem, names in self.found.items():
            if len(names) == self.variations > 1:
                yield problem
                continue
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            where = f"in variation {'; '.join(names[:3])}{more}"
            yield replace(problem, message=f"{problem.message} ({where})")


def _refuse_same(runs: Sequence[PlannedRun]) -> None:
    """Two variations that come to the same experiment would count it twice."""
    seen: dict[str, PlannedRun] = {}
    problems = []
    for run in runs:
        kept = {key: value for key, value in run.recipe.resolved.items() if key not in SAME}
        first = seen.setdefault(json.dumps(kept, sort_keys=True, default=str), run)
        if first is not run:
            text = f"{first.label} and {run.label} are the same experiment; leave one out"
            problems.append(Problem(text))
    if problems:
        raise Problems(problems)


def _looked_at(
    runs: Sequence[PlannedRun], known: Mapping[str, KnownRun], progress: Progress
) -> list[PlannedRun]:
    """Runs of one variation with their folds, and what a training is estimated to take."""
    from leukreg.engine.rehearsal import rehearse

    recipe = runs[0].recipe
    data = opened(recipe, progress)
    rehearsed = rehearse(recipe, labels_of(recipe, data.samples, ()), data.samples)
    found = []
    for run in runs:
        record = _split(run.recipe, data, progress)
        rows = [len(fold.train) for fold in record.folds]
        taken = estimated(run.recipe, rows, known, rehearsed.phases, rehearsed.seconds)
        found.append(replace(_divided(run, record), estimate=taken))
    return found


def _divided(run: PlannedRun, record: RunRecord) -> PlannedRun:
    """A run, when its folds are known."""
    return replace(
        run,
        folds=len(record.folds),
        validated=all(fold.validation for fold in record.folds),
        test_set=_test_set(run.recipe, record),
    )


def _split(recipe: Recipe, data: OpenedData, progress: Progress) -> RunRecord:
    """The folds of a run, before anything is made of them."""
    from leukreg.evaluate.feasibility import refuse_too_few
    from leukreg.synthesis import leakage
    from leukreg.synthesis.gate import gate_extractor
    from leukreg.synthesis.generator import listed

    check_task(recipe, data.samples)
    gate_extractor(recipe.synthesis)
    beside = listed(recipe.synthesis, data.samples.classes)
    record = data_record(recipe, data.samples, data.images, data.dropped, beside)
    leakage.check(recipe, data.images, record.folds, progress)
    refuse_too_few(recipe, data.images, record.folds)
    return record


def _test_set(recipe: Recipe, record: RunRecord) -> str:
    """As the run's own history will know it; rows made before the split are not known yet."""
    if recipe.synthesis is not None and recipe.synthesis.place == "before-split":
        return ""
    every = [row for fold in record.folds for row in fold.test]
    if recipe.evaluate.on == "all":
        every = [r for f in record.folds for r in sorted({*f.train, *f.validation, *f.test})]
    names = (record.samples.rows[row].id for row in every)
    return ids_digest(record.pixels.get(name, name) for name in names)


def units_of(runs: Iterable[PlannedRun]) -> int:
    return sum(len(run.units) for run in runs)


def threads_of(runs: Iterable[PlannedRun]) -> int:
    """Of a training."""
    return max((run.recipe.training.threads or 1 for run in runs), default=1)


def together(sweep: AskedSweep, tried: Sequence[PlannedRun]) -> int:
    """Trainings of the trials that a search proposes together."""
    assert sweep.spec.search is not None
    each = max(len(run.units) for run in tried)
    return each * len(sweep.seeds) * sweep.spec.search.at_once


def in_words(runs: Sequence[PlannedRun]) -> str:
    """Such as "3 variations, 5 seeds, 15 runs of 5 folds, 75 trainings"."""
    seeds = len({run.recipe.seed for run in runs})
    names = len({run.variation.name for run in runs})
    folds = sorted({run.folds for run in runs})
    several = f"{folds[0]} to {folds[-1]} folds" if folds[1:] else counted(folds[0], "fold")
    trainings = counted(sum(run.folds for run in runs), "training")
    each = counted(len(runs), "run")
    return (
        f"{counted(names, 'variation')}, {counted(seeds, 'seed')}: {each} of {several}, {trainings}"
    )
