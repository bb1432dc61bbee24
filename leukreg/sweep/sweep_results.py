"""What came of a sweep: figures of its variations, which differences stand, what was chosen.

Everything is read from the folders of its runs. Variations are compared on the same fold of the
same seed, where both scored the same pictures; of runs about patients, by answers about patients.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from leukreg.errors import RunError
from leukreg.evaluate.scoring import declared
from leukreg.record import RunRecord
from leukreg.registry import Registry
from leukreg.runs.contents import read
from leukreg.runs.environment import ids_digest
from leukreg.runs.sweep_record import SweepRecord, SweptRun
from leukreg.sweep.resampled_t_test import CorrectedMean, corrected_mean, holm
from leukreg.types import Predictions

LEVEL = 0.05
Trial = tuple[int, int]
"""A seed and a fold."""


@dataclass(frozen=True, slots=True)
class TrialFigures:
    """The figure of one fold under one seed."""

    test: float
    validation: float | None
    """None without validation rows, or where it is undefined on them."""
    pictures: str
    """Digest of what was scored."""
    ratio: float
    """Test rows over training rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VariationFigures:
    """What a variation came to."""

    name: str
    runs: tuple[str, ...]
    """Those that finished."""
    pooled: tuple[float, ...]
    """The figure of each run over all its folds, one per seed."""
    trials: Mapping[Trial, TrialFigures]
    undefined: int
    """Folds in which the figure is undefined."""

    @property
    def mean(self) -> CorrectedMean | None:
        """Over folds and seeds; None where there are none."""
        return _mean([one.test for one in self.trials.values()], [*self.trials.values()])

    @property
    def validation(self) -> float | None:
        """Mean over folds and seeds on validation rows; None where one lacks it."""
        known = [one.validation for one in self.trials.values()]
        values = [one for one in known if one is not None]
        return sum(values) / len(values) if values and len(values) == len(known) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The figure of one variation less that of another, on folds that both scored."""

    first: str
    second: str
    mean: CorrectedMean | None
    """None where they share no scored fold."""
    adjusted: float | None
    """Holm's p over all differences of the sweep; None where none is known."""

    @property
    def stands(self) -> bool:
        """Whether chance is no good reading of it."""
        return self.adjusted is not None and self.adjusted < LEVEL


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepResults:
    """All that is known of a sweep by now."""

    record: SweepRecord
    title: str
    """The figure, as readers know it."""
    higher_is_better: bool
    of_patients: bool
    variations: tuple[VariationFigures, ...]
    differences: tuple[Difference, ...]
    unfinished: tuple[str, ...]
    """Runs without a result, and why."""

    def _best(self, values: Mapping[str, float]) -> tuple[str, ...]:
        """The name of the best value, or of several that are equal."""
        best = (max if self.higher_is_better else min)(values.values())
        return tuple(name for name, value in values.items() if value == best)

    @property
    def chosen(self) -> tuple[str, ...]:
        """The variation that the sweep's own rule takes, by the rows that it names; several where
        they are equal there, none where one has no figure."""
        test = self.record.choose == "test"
        known = {
            one.name: one.mean.value if test and one.mean else one.validation
            for one in self.variations
        }
        values = {name: value for name, value in known.items() if value is not None}
        return self._best(values) if len(values) == len(known) > 1 else ()

    @property
    def nested(self) -> CorrectedMean | None:
        """The figure on test rows where each fold takes the variation that its own validation rows
        choose (the first of equals): what the sweep, its choice counted in, can be expected to
        give; None where one has no figure there."""
        shared = set.intersection(*(set(one.trials) for one in self.variations))
        taken = []
        for trial in sorted(shared):
            of = {one.name: one.trials[trial] for one in self.variations}
            seen = {n: one.validation for n, one in of.items() if one.validation is not None}
            if len(seen) < len(of):
                return None
            taken.append(of[self._best(seen)[0]])
        return _mean([one.test for one in taken], taken)

    @property
    def winner(self) -> str | None:
        """The variation that is ahead of every other by a difference that stands; None: none is."""
        sign = 1 if self.higher_is_better else -1
        for one in self.variations:
            own = [d for d in self.differences if one.name in (d.first, d.second)]
            if own and all(d.stands and d.mean and _ahead(d, sign) == one.name for d in own):
                return one.name
        return None


def _ahead(difference: Difference, sign: int) -> str:
    assert difference.mean is not None
    return difference.first if sign * difference.mean.value > 0 else difference.second


def results_of(record: SweepRecord, root: Path, registry: Registry) -> SweepResults:
    """Figures of every run of a sweep that has finished, and what differs between variations.

    Args:
        root: The folder that holds its runs.
    """
    figure = declared(registry)[record.figure]
    found: dict[str, list[tuple[SweptRun, RunRecord]]] = {name: [] for name in record.variations}
    unfinished = []
    for run in record.runs:
        try:
            found[run.variation].append((run, read(root / run.name)))
        except RunError as error:
            unfinished.append(str(error).splitlines()[0])
    of_patients = any(result.patients is not None for own in found.values() for _, result in own)
    metric = _metric(record.figure, registry)
    variations = tuple(
        _variation(name, [(run, r.about_patients) for run, r in own], record.figure, metric)
        for name, own in found.items()
    )
    return SweepResults(
        record=record,
        title=figure.title,
        higher_is_better=bool(figure.higher_is_better),
        of_patients=of_patients,
        variations=variations,
        differences=differences(variations),
        unfinished=tuple(unfinished),
    )


def _metric(figure: str, registry: Registry) -> Any:
    """The metric that gives a figure, with its default options."""
    from leukreg.evaluate.scoring import default_metric

    owners = (e for e in registry if e.kind == "metric")
    name = next(e.name for e in owners if figure in {f.name for f in getattr(e.cls, "figures", ())})
    return default_metric(name, registry)


def _variation(
    name: str, runs: Sequence[tuple[SweptRun, RunRecord]], figure: str, metric: Any
) -> VariationFigures:
    trials: dict[Trial, TrialFigures] = {}
    pooled, undefined = [], 0
    for run, result in runs:
        positive = result.positive.name if result.positive else None
        whole = _value(metric, result.predictions, figure, positive)
        pooled += [] if whole is None else [whole]
        for fold in sorted({int(one) for one in result.predictions.fold}):
            trial = _trial(result, fold, figure, metric, positive)
            undefined += trial is None
            if trial is not None:
                trials[run.seed, fold] = trial
    return VariationFigures(
        name=name,
        runs=tuple(run.name for run, _ in runs),
        pooled=tuple(pooled),
        trials=trials,
        undefined=undefined,
    )


def _trial(
    result: RunRecord, fold: int, figure: str, metric: Any, positive: str | None
) -> TrialFigures | None:
    scored = _of_fold(result.predictions, fold)
    value = _value(metric, scored, figure, positive)
    if value is None:
        return None
    watched = None if result.validation is None else _of_fold(result.validation, fold)
    side = next((one for one in result.folds if one.index == fold), None)
    train = len(side.train) if side else 0
    return TrialFigures(
        test=value,
        validation=None if watched is None else _value(metric, watched, figure, positive),
        pictures=ids_digest(result.pixels.get(one, one) for one in scored.id),
        ratio=len(side.test) / train if side and train else 1.0,
    )


def _of_fold(rows: Predictions, fold: int) -> Predictions:
    return rows.take((rows.fold == fold).nonzero()[0])


def _value(metric: Any, rows: Predictions, figure: str, positive: str | None) -> float | None:
    """The figure of the whole, else of the positive class; None where it is undefined."""
    if not len(rows):
        return None
    scores = {score.label: score.value for score in metric.build(rows) if score.name == figure}
    return scores.get(None, scores.get(positive))


def _mean(values: Sequence[float], trials: Sequence[TrialFigures]) -> CorrectedMean | None:
    if not values:
        return None
    return corrected_mean(values, sum(one.ratio for one in trials) / len(trials))


def differences(variations: Sequence[VariationFigures]) -> tuple[Difference, ...]:
    """Each pair of variations, with p-values adjusted over all of them."""
    found = [*_pairs(variations)]
    known = [n for n, one in enumerate(found) if one.mean and one.mean.p is not None]
    adjusted = holm([found[n].mean.p for n in known])  # type: ignore[union-attr,misc]
    for n, p in zip(known, adjusted, strict=True):
        found[n] = replace(found[n], adjusted=p)
    return tuple(found)


def _pairs(variations: Sequence[VariationFigures]) -> Iterator[Difference]:
    for first, second in itertools.combinations(variations, 2):
        shared = [
            trial
            for trial, one in first.trials.items()
            if trial in second.trials and second.trials[trial].pictures == one.pictures
        ]
        gains = [first.trials[one].test - second.trials[one].test for one in shared]
        mean = _mean(gains, [first.trials[one] for one in shared])
        yield Difference(first=first.name, second=second.name, mean=mean, adjusted=None)
