"""What came of a sweep: figures of its variations, which differences stand, what was chosen.

Everything is read from the folders of its runs. Variations are compared on the same fold of the
same seed, where both scored the same pictures; of runs about patients, by answers about patients.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from leukreg.errors import RunError
from leukreg.evaluate.scoring import declared
from leukreg.record import RunRecord
from leukreg.registry import Registry, installed
from leukreg.runs.contents import read
from leukreg.runs.environment import ids_digest
from leukreg.runs.run_list import Standing, summarise
from leukreg.runs.sweep_record import SweepRecord, SweptRun, read_sweep_record
from leukreg.sweep.resampled_t_test import CorrectedMean, corrected_mean, holm
from leukreg.types import Figure, Predictions

LEVEL = 0.05
SeedAndFold = tuple[int, int]


@dataclass(frozen=True, slots=True)
class FoldFigures:
    """The figure of one fold under one seed."""

    test: float | None
    """None where it is undefined, because a class has no row."""
    validation: float | None
    """The same of validation rows; None also where there are none."""
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
    folds: Mapping[SeedAndFold, FoldFigures]

    @property
    def undefined(self) -> int:
        """Folds in which the figure is undefined on test rows."""
        return sum(one.test is None for one in self.folds.values())

    @property
    def mean(self) -> CorrectedMean | None:
        """Over folds and seeds; None where there are none."""
        return _mean((one.test, one) for one in self.folds.values())

    @property
    def validation(self) -> float | None:
        """Mean over folds and seeds on validation rows; None where one lacks it."""
        known = [one.validation for one in self.folds.values()]
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
    figure: Figure
    """By which variations are compared."""
    of_patients: bool
    variations: tuple[VariationFigures, ...]
    differences: tuple[Difference, ...]
    unfinished: tuple[str, ...]
    """Runs without a result, and why."""
    standing: Mapping[str, Standing] = field(default_factory=dict)
    """Of the variations that have such runs: where the first of these stands."""

    def _best(self, values: Mapping[str, float]) -> tuple[str, ...]:
        """The name of the best value, or of several that are equal."""
        best = (max if self.figure.higher_is_better else min)(values.values())
        return tuple(name for name, value in values.items() if value == best)

    @property
    def candidates(self) -> tuple[VariationFigures, ...]:
        """Those among which it chooses: all, or of a search the trials that went to their end."""
        if self.record.search is None:
            return self.variations
        runs = Counter(run.variation for run in self.record.runs)
        return tuple(one for one in self.variations if len(one.runs) == runs[one.name])

    @property
    def chosen(self) -> tuple[str, ...]:
        """The variation that the sweep's own rule takes, by the rows that it names; several where
        they are equal there, none where one has no figure."""
        test = self.record.choose == "test"
        known = {
            one.name: one.mean.value if test and one.mean else one.validation
            for one in self.candidates
        }
        values = {name: value for name, value in known.items() if value is not None}
        several = len(known) > 1 or (known and self.record.search)
        return self._best(values) if several and len(values) == len(known) else ()

    @property
    def nested(self) -> CorrectedMean | None:
        """The figure on test rows where each fold takes the variation that its own validation rows
        choose (the first of equals): what the sweep, its choice counted in, can be expected to
        give; None where one has no figure there."""
        among, taken = self.candidates, list[FoldFigures]()
        for place in sorted(set[SeedAndFold]().union(*(one.folds for one in among))):
            of = {one.name: one.folds[place] for one in among if place in one.folds}
            seen = {n: one.validation for n, one in of.items() if one.validation is not None}
            if len(seen) < len(of):
                return None
            if len(of) == len(among):
                taken.append(of[self._best(seen)[0]])
        return _mean((one.test, one) for one in taken)

    @property
    def winner(self) -> str | None:
        """The variation that is ahead of every other by a difference that stands; None: none is."""
        sign = 1 if self.figure.higher_is_better else -1
        for one in self.variations:
            own = [d for d in self.differences if one.name in (d.first, d.second)]
            if own and all(d.stands and d.mean and _ahead(d, sign) == one.name for d in own):
                return one.name
        return None


def _ahead(difference: Difference, sign: int) -> str:
    assert difference.mean is not None
    return difference.first if sign * difference.mean.value > 0 else difference.second


def results_in(place: Path) -> SweepResults:
    """What came of a sweep by now.

    Args:
        place: Its folder, beside those of its runs.

    Raises:
        RunError: ``sweep.json`` is damaged.
    """
    return results_of(read_sweep_record(place), place.parent, installed())


def results_of(record: SweepRecord, root: Path, registry: Registry) -> SweepResults:
    """Figures of every run of a sweep that has finished, and what differs between variations.

    Args:
        root: The folder that holds its runs.
    """
    found: dict[str, list[tuple[SweptRun, RunRecord]]] = {name: [] for name in record.variations}
    unfinished, standing = [], dict[str, Standing]()
    for run in record.runs:
        try:
            found[run.variation].append((run, read(root / run.name)))
        except RunError as error:
            unfinished.append(str(error).splitlines()[0])
            standing.setdefault(run.variation, summarise(root / run.name).standing)
    of_patients = any(result.patients is not None for own in found.values() for _, result in own)
    variations = tuple(
        variation_figures(name, own, record.figure, registry) for name, own in found.items()
    )
    return SweepResults(
        record=record,
        figure=declared(registry)[record.figure],
        of_patients=of_patients,
        variations=variations,
        # Of a search, test figures of trials that are not chosen are not looked at.
        differences=() if record.search else differences(variations),
        unfinished=tuple(unfinished),
        standing=standing,
    )


def _metric(figure: str, registry: Registry) -> Any:
    """The metric that gives a figure, with its default options."""
    from leukreg.evaluate.scoring import default_metric

    owners = (e for e in registry if e.kind == "metric")
    name = next(e.name for e in owners if figure in {f.name for f in getattr(e.cls, "figures", ())})
    return default_metric(name, registry)


def variation_figures(
    name: str, runs: Sequence[tuple[SweptRun, RunRecord]], figure: str, registry: Registry
) -> VariationFigures:
    """What a variation came to in those of its runs that finished.

    Args:
        figure: Its name.
    """
    metric = _metric(figure, registry)
    folds: dict[SeedAndFold, FoldFigures] = {}
    pooled = []
    for run, result in ((run, whole.about_patients) for run, whole in runs):
        positive = result.positive.name if result.positive else None
        whole = _value(metric, result.predictions, figure, positive)
        pooled += [] if whole is None else [whole]
        for fold in sorted({int(one) for one in result.predictions.fold}):
            folds[run.seed, fold] = _fold_figures(result, fold, figure, metric, positive)
    return VariationFigures(
        name=name,
        runs=tuple(run.name for run, _ in runs),
        pooled=tuple(pooled),
        folds=folds,
    )


def _fold_figures(
    result: RunRecord, fold: int, figure: str, metric: Any, positive: str | None
) -> FoldFigures:
    scored = _of_fold(result.predictions, fold)
    watched = None if result.validation is None else _of_fold(result.validation, fold)
    side = next((one for one in result.folds if one.index == fold), None)
    train = len(side.train) if side else 0
    return FoldFigures(
        test=_value(metric, scored, figure, positive),
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


def _mean(figures: Iterable[tuple[float | None, FoldFigures]]) -> CorrectedMean | None:
    """Of figures of folds, or differences of them, where they are defined."""
    known = [(value, fold.ratio) for value, fold in figures if value is not None]
    if not known:
        return None
    return corrected_mean([value for value, _ in known], sum(r for _, r in known) / len(known))


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
        both = ((one, second.folds[place]) for place, one in first.folds.items()
                if place in second.folds)  # fmt: skip
        mean = _mean(
            (None if a.test is None or b.test is None else a.test - b.test, a)
            for a, b in both
            if a.pictures == b.pictures
        )
        yield Difference(first=first.name, second=second.name, mean=mean, adjusted=None)
