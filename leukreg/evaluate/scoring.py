"""From predictions to scores."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from leukreg.errors import Problems
from leukreg.evaluate.bootstrap import (
    Measured,
    resampling,
    units_in_words,
    units_of,
    with_intervals,
)
from leukreg.evaluate.calibration import (
    Uncalibrated,
    calibrated,
    facts_of_temperatures,
    fit_temperatures,
    judges_probabilities,
    raw_of,
)
from leukreg.evaluate.conformal import SetFigures, conformal_sets, facts_of_conformal, fit_conformal
from leukreg.evaluate.feasibility import problems, refuse_broken, unfitted
from leukreg.evaluate.threshold import choose, decide
from leukreg.progress import SILENT, Progress
from leukreg.recipe.model import EvaluateSpec
from leukreg.registry import Registry
from leukreg.registry.plugin_call import noted
from leukreg.types import Figure, Predictions, Score


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """The figures of a run and the decisions they rest on."""

    scores: tuple[Score, ...]
    confusion: tuple[tuple[int, ...], ...]
    """``confusion[true][decided]``."""
    threshold: float | None
    """Probability of the positive class from which a row is called positive; the mean over folds
    where each has its own; None where the most probable class is taken."""
    threshold_from: str | None
    """"validation", "scored" or "fixed"."""
    predictions: Predictions
    """The scored rows, with ``decision`` filled in."""
    thresholds: Mapping[int, float] = field(default_factory=dict)
    """By fold index: the threshold applied to its rows."""
    validation: Predictions | None = None
    """The validation rows, calibrated where the scored ones are."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What was fitted on them beside thresholds: ``calibration``, ``conformal``; plain
    values. ``thresholds`` has those of the folds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjusted:
    """The scored and the validation rows, calibrated and with sets where that was asked for."""

    predictions: Predictions
    validation: Predictions | None
    facts: Mapping[str, Any] = field(default_factory=dict)
    """``calibration`` and ``conformal``: what was fitted, as plain values."""


def adjusted(
    predictions: Predictions,
    validation: Predictions | None,
    spec: EvaluateSpec,
    seed: int,
    progress: Progress = SILENT,
) -> Adjusted:
    """Calibrate both tables and give the scored rows their sets, fold by fold.

    Begins from raw probabilities, so that rows which were adjusted before come out the same. Sets
    are made from the calibrated probabilities: the ones that stand beside them.
    """
    predictions = raw_of(predictions)
    if validation is None:
        return Adjusted(predictions=predictions, validation=None)
    validation = raw_of(validation)
    folds = sorted({int(fold) for fold in (*validation.fold, *predictions.fold)})
    facts: dict[str, Any] = {}
    if spec.calibration is not None:
        fitted = fit_temperatures(validation, folds, spec.bootstrap, seed, progress)
        values = {one.fold: one.temperature for one in fitted}
        predictions, validation = calibrated(predictions, values), calibrated(validation, values)
        facts["calibration"] = facts_of_temperatures(spec.calibration.method, fitted)
    if spec.conformal is not None:
        conformal = fit_conformal(validation, folds, spec.conformal, seed)
        predictions = replace(predictions, sets=conformal_sets(predictions, conformal))
        facts["conformal"] = facts_of_conformal(conformal)
    return Adjusted(predictions=predictions, validation=validation, facts=facts)


Figures = Mapping[str, Figure]
"""By the name of their scores, in the order of the metrics."""


def declared(registry: Registry) -> Figures:
    """What the installed metrics declare in ``figures``; the first of a name counts."""
    found: dict[str, Figure] = {}
    for entry in registry:
        if entry.kind == "metric":
            for figure in getattr(entry.cls, "figures", ()):
                found.setdefault(figure.name, figure)
    return found


def main_ones(figures: Figures) -> list[Figure]:
    """Those that stand where results are compared or summed up."""
    return [figure for figure in figures.values() if figure.main]


def of_classes(figures: Figures) -> list[Figure]:
    """Those of single classes that have a mean over the classes."""
    means = {figure.mean_of for figure in figures.values()}
    return [figure for figure in figures.values() if figure.name in means]


def mean_of(figures: Figures, name: str) -> str | None:
    """The figure of the whole that is the mean of ``name`` over the classes."""
    return next((figure.name for figure in figures.values() if figure.mean_of == name), None)


def score(
    predictions: Predictions,
    validation: Predictions | None,
    spec: EvaluateSpec,
    seed: int,
    registry: Registry,
    progress: Progress = SILENT,
) -> Scored:
    """Every figure of the scored rows, with 95 % intervals.

    Args:
        predictions: The scored rows.
        validation: The validation rows, fold by fold; temperatures, conformal limits and
            thresholds are fitted there, in this order.
        spec: ``[evaluate]``.
        seed: The recipe's seed; the resamples are drawn from it.
        registry: Where metrics are found.
        progress: Told of resamples done.

    Raises:
        Problems: ``spec`` asks for a threshold with other than two classes, for an unknown
            positive class, or for more than the validation rows can give.
        TrainingError: The probabilities are none.
    """
    found = (*problems(spec, predictions.classes), *unfitted(spec, predictions, validation))
    if found:
        raise Problems(found, closing="nothing was scored.")
    refuse_broken(predictions)
    both = adjusted(predictions, validation, spec, seed, progress)
    cut = None
    if spec.threshold is not None:
        cut = choose(both.predictions, both.validation, spec)
    decided = replace(both.predictions, decision=decide(both.predictions, cut))
    metrics = [*_metrics(spec, registry), *_own(spec, registry)]
    measured = [_measure(name, metric, decided) for name, metric in metrics]
    scores = _scores(measured, decided, spec.bootstrap, seed, progress)
    return Scored(
        scores=scores if cut is None else (*scores, cut.score()),
        confusion=confusion(decided),
        threshold=None if cut is None else cut.threshold,
        threshold_from=None if cut is None else cut.source,
        predictions=decided,
        thresholds={} if cut is None else dict(cut.by_fold),
        validation=both.validation,
        facts={**both.facts, **({} if cut is None else cut.facts())},
    )


def confusion(predictions: Predictions) -> tuple[tuple[int, ...], ...]:
    """``confusion[true][decided]``, counted."""
    k = len(predictions.classes)
    decision = decide(predictions, None) if predictions.decision is None else predictions.decision
    counts = np.bincount(predictions.label * k + decision, minlength=k * k).reshape(k, k)
    return tuple(tuple(int(count) for count in line) for line in counts)


def _metrics(spec: EvaluateSpec, registry: Registry) -> Iterable[tuple[str, Any]]:
    if spec.metrics:
        return [(choice.name, choice.plugin) for choice in spec.metrics]
    names = dict.fromkeys(entry.name for entry in registry if entry.kind == "metric")
    return [(name, default_metric(name, registry)) for name in names]


@dataclass(frozen=True, slots=True)
class _Unusable:
    """A metric that cannot be asked; it raises where it is."""

    error: Exception

    def build(self, predictions: Predictions) -> Iterable[Score]:
        raise self.error


def default_metric(name: str, registry: Registry) -> Any:
    """The metric with its default options."""
    try:
        return registry.get("metric", name).cls()
    except Exception as error:  # it has an option without a default, or is claimed twice
        return _Unusable(error)


def _own(spec: EvaluateSpec, registry: Registry) -> Iterable[tuple[str, Any]]:
    """What calibration and conformal sets are measured by, whatever metrics were chosen."""
    if spec.calibration is not None:
        for name, metric in _metrics(spec, registry):
            if judges_probabilities(metric):
                yield f"{name}, raw", Uncalibrated(metric)
    if spec.conformal is not None:
        yield "conformal", SetFigures()


def _measure(name: str, metric: Any, predictions: Predictions) -> Measured:
    """A metric that fails is said to be undefined: the training behind it must not be lost."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Measured(name, metric, tuple(metric.build(predictions)))
    except Exception as error:
        why = noted(f"metric {name!r} failed", metric, error)
        return Measured(name, metric, (Score(name=name, value=None, why=why),))


def _scores(
    measured: list[Measured], rows: Predictions, count: int, seed: int, progress: Progress
) -> tuple[Score, ...]:
    plain = tuple(score for one in measured for score in one.scores)
    draws = resampling(rows, count, seed)
    if draws is None:
        return tuple(_without(score, rows, count) for score in plain)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return with_intervals(measured, rows, draws, progress)


def _without(score: Score, rows: Predictions, count: int) -> Score:
    if score.value is None or score.why:
        return score
    only = units_in_words(units_of(rows), rows.patient, rows.id)
    reason = "none asked for" if count == 0 else f"{only} only"
    return replace(score, why=f"no interval: {reason}")
