"""From predictions to scores: what is fitted on validation rows, metrics, and their intervals."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from leukreg.errors import Problems
from leukreg.evaluate.bootstrap import Floats, Resampling, percentiles, resampling
from leukreg.evaluate.calibration import Uncalibrated, calibrated, fit_temperatures, raw_of
from leukreg.evaluate.conformal import SetFigures, conformal_sets, fit_conformal
from leukreg.evaluate.feasibility import problems, refuse_broken, unfitted
from leukreg.evaluate.threshold import choose, decide
from leukreg.fitted import Calibration, Fitted, FoldThreshold
from leukreg.progress import SILENT, Progress
from leukreg.recipe.model import EvaluateSpec
from leukreg.record import RunRecord
from leukreg.registry import Registry
from leukreg.registry.plugin_call import noted
from leukreg.types import Figure, Predictions, Score

Key = tuple[str, str | None]
SLOW = 200
"""Resamples for a metric that has no ``resampled`` of its own."""


def score(
    predictions: Predictions,
    validation: Predictions | None,
    spec: EvaluateSpec,
    seed: int,
    registry: Registry,
    progress: Progress = SILENT,
    record: RunRecord | None = None,
) -> RunRecord:
    """Every figure of the scored rows, with 95 % intervals, in a run's record.

    Args:
        predictions: The scored rows.
        validation: The validation rows, fold by fold; temperatures, conformal limits and
            thresholds are fitted there, in this order.
        spec: ``[evaluate]``.
        seed: The recipe's seed; the resamples are drawn from it.
        registry: Where metrics are found.
        progress: Told of resamples done.
        record: What is known of the run already.

    Raises:
        Problems: ``spec`` asks for a threshold with other than two classes, for an unknown
            positive class, or for more than the validation rows can give.
        TrainingError: The probabilities are none.
    """
    found = (*problems(spec, predictions.classes), *unfitted(spec, predictions, validation))
    if found:
        raise Problems(found, closing="nothing was scored.")
    refuse_broken(predictions)
    # From raw probabilities, so that rows which were adjusted before come out the same.
    rows, validation = raw_of(predictions), None if validation is None else raw_of(validation)
    fitted = Fitted()
    if validation is not None:
        rows, validation, fitted = _adjusted(rows, validation, spec, seed, progress)
    cut = None if spec.threshold is None else choose(rows, validation, spec)
    if cut is not None:
        each = (FoldThreshold(fold=fold, threshold=t) for fold, t in cut.by_fold.items())
        fitted = replace(fitted, thresholds=tuple(each))
    rows = replace(rows, decision=rows.answers if cut is None else decide(rows, cut))
    scores = scores_of(_metrics(spec, registry), rows, spec.bootstrap, seed, progress)
    return replace(
        record or RunRecord(),
        scores=scores if cut is None else (*scores, cut.score()),
        confusion=confusion(rows),
        threshold=None if cut is None else cut.threshold,
        threshold_from=None if cut is None else cut.source,
        predictions=rows,
        validation=validation,
        fitted=fitted,
    )


def _adjusted(
    predictions: Predictions,
    validation: Predictions,
    spec: EvaluateSpec,
    seed: int,
    progress: Progress,
) -> tuple[Predictions, Predictions, Fitted]:
    """Both tables calibrated, sets of the scored rows, and what was fitted for it, fold by fold."""
    folds = sorted({int(fold) for fold in (*validation.fold, *predictions.fold)})
    fitted = Fitted()
    if spec.calibration is not None:
        each = fit_temperatures(validation, folds, spec.bootstrap, seed, progress)
        method = spec.calibration.method
        fitted = Fitted(calibration=Calibration(method=method, folds=each))
        values = fitted.temperature_by_fold()
        predictions, validation = calibrated(predictions, values), calibrated(validation, values)
    if spec.conformal is not None:
        # From the calibrated probabilities: the ones that stand beside the sets.
        conformal = fit_conformal(validation, folds, spec.conformal, seed)
        predictions = replace(predictions, sets=conformal_sets(predictions, conformal))
        fitted = replace(fitted, conformal=conformal)
    return predictions, validation, fitted


def confusion(predictions: Predictions) -> tuple[tuple[int, ...], ...]:
    """``confusion[true][decided]``, counted."""
    k = len(predictions.classes)
    cells = predictions.label * k + predictions.answers
    counts = np.bincount(cells, minlength=k * k).reshape(k, k)
    return tuple(tuple(int(count) for count in line) for line in counts)


def _metrics(spec: EvaluateSpec, registry: Registry) -> list[tuple[str, Any]]:
    """The chosen metrics, or all; and what calibration and sets are measured by, in any case."""
    found = [(choice.name, choice.plugin) for choice in spec.metrics]
    if not spec.metrics:
        names = dict.fromkeys(entry.name for entry in registry if entry.kind == "metric")
        found = [(name, default_metric(name, registry)) for name in names]
    if spec.calibration is not None:
        found += [
            (f"{name}, raw", Uncalibrated(metric))
            for name, metric in found
            if getattr(metric, "of_probabilities", False)
        ]
    if spec.conformal is not None:
        found.append(("conformal", SetFigures()))
    return found


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


class _Asked:
    """A metric, what it gave on the scored rows, and what it gives on resamples of them.

    One that fails is undefined, or has no interval: the training behind it must not be lost.
    """

    def __init__(self, name: str, metric: Any, rows: Predictions) -> None:
        self.name = name
        self.metric = metric
        self.fast = callable(getattr(metric, "resampled", None))
        self.drawn: dict[Key, list[Floats]] = {}
        self.broken = ""
        try:
            self.scores: tuple[Score, ...] = tuple(metric.build(rows))
        except Exception as error:  # a stranger's metric may raise anything
            why = noted(f"metric {name!r} failed", metric, error)
            self.scores = (Score(name=name, value=None, why=why),)

    def again(self, rows: Predictions, weights: Floats | None = None) -> None:
        """Ask it once more, of rows that were drawn, or of many draws by weights ``(n, b)``."""
        if self.broken:
            return
        try:
            for key, values in self._values(rows, weights):
                block = np.asarray(values, np.float64)
                self.drawn.setdefault(key, []).append(
                    block.reshape(1 if weights is None else weights.shape[1])
                )
        except Exception as error:
            self.broken = noted(f"no interval: {self.name} failed", self.metric, error)

    def _values(self, rows: Predictions, weights: Floats | None) -> Iterable[tuple[Key, Any]]:
        if weights is not None:
            found: Mapping[Key, Floats] = self.metric.resampled(rows, weights)
            return found.items()
        again: Iterator[Score] = self.metric.build(rows)
        return (((s.name, s.label), np.nan if s.value is None else s.value) for s in again)

    def bounded(self, score: Score, draws: Resampling) -> Score:
        """A score with its interval, or why it has none."""
        blocks = self.drawn.get((score.name, score.label))
        if score.value is None or (blocks is None and not self.broken):
            return score
        if self.broken or blocks is None:
            return _with_why(score, self.broken)
        values = np.concatenate(blocks)
        bounds, undefined = percentiles(values), int((~np.isfinite(values)).sum())
        if bounds is None:
            text = f"no interval: undefined in {undefined} of {len(values)} resamples"
            return _with_why(score, text)
        text = draws.says(len(values))
        text += f", undefined in {undefined} of them" if undefined else ""
        return _with_why(replace(score, low=bounds[0], high=bounds[1]), text)


def _with_why(score: Score, text: str) -> Score:
    return replace(score, why="; ".join(part for part in (score.why, text) if part))


def scores_of(
    metrics: Iterable[tuple[str, Any]],
    rows: Predictions,
    count: int,
    seed: int,
    progress: Progress = SILENT,
) -> tuple[Score, ...]:
    """The scores that metrics give, by name, each with ``low``, ``high`` and how they were made.

    Args:
        metrics: Any metrics, own or a stranger's.
        rows: Decided rows.
        count: Resamples; 0 for no intervals.
        seed: They are drawn from it.
    """
    draws = resampling(rows, count, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        asked = [_Asked(name, metric, rows) for name, metric in metrics]
        if draws:
            _resample(asked, rows, draws, progress)
            return tuple(one.bounded(score, draws) for one in asked for score in one.scores)
    why = f"no interval: {'none asked for' if count == 0 else f'{draws.of} only'}"
    return tuple(
        score if score.value is None or score.why else replace(score, why=why)
        for one in asked
        for score in one.scores
    )


def _resample(
    asked: list[_Asked], rows: Predictions, draws: Resampling, progress: Progress
) -> None:
    fast = [one for one in asked if one.fast]
    with progress.task("intervals", draws.count) as advance:
        for weights in draws.weights():
            for one in fast:
                one.again(rows, weights)
            advance(weights.shape[1])
    slow = [one for one in asked if not one.fast and one.scores]
    if not slow:
        return
    few, positions = replace(draws, count=min(SLOW, draws.count)), np.arange(len(rows))
    with progress.task("intervals of further metrics", few.count) as advance:
        for counts in few.counts():
            drawn = rows.take(np.repeat(positions, counts))
            for one in slow:
                one.again(drawn)
            advance()


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
