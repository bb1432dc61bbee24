"""From predictions to scores."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from leukreg.errors import Problems
from leukreg.evaluate.adjust import adjusted
from leukreg.evaluate.bootstrap import resampling, units_in_words, units_of
from leukreg.evaluate.checks import problems, refuse_broken, unfitted
from leukreg.evaluate.coverage import SetFigures
from leukreg.evaluate.intervals import Measured, with_intervals
from leukreg.evaluate.scored import Scored
from leukreg.evaluate.threshold import choose, decide
from leukreg.evaluate.uncalibrated import Uncalibrated, judges_probabilities
from leukreg.progress import SILENT, Progress
from leukreg.recipe.model import EvaluateSpec
from leukreg.recipe.stranger import noted
from leukreg.registry import Registry
from leukreg.types import Predictions, Score


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
