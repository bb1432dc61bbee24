"""Temperature scaling (Guo et al., On calibration of modern neural networks, ICML 2017).

Works from probabilities alone: their logarithms are logits up to a constant that softmax forgets.
So it can be done again from a run folder, without the model. Where probabilities are means over
passes or views, it is the mean that is scaled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukreg.evaluate.bootstrap import Resampling, percentiles, resampling
from leukreg.fitted import Temperature
from leukreg.progress import SILENT, Advance, Progress
from leukreg.types import Predictions, Score

Floats = NDArray[np.float64]


def logarithms(p: Floats) -> Floats:
    """Logarithms of probabilities; of 0 that of the smallest number above it."""
    return np.asarray(np.log(np.maximum(p, np.finfo(np.float64).tiny)))


def tempered(p: Floats, temperature: Floats | float) -> Floats:
    """Probabilities ``(n, k)`` at a temperature, one for all rows or ``(n,)``."""
    from scipy.special import softmax

    divisor = np.asarray(temperature, dtype=np.float64).reshape(-1, 1)
    return np.asarray(softmax(logarithms(p) / divisor, axis=1))


def entropy(p: Floats) -> Floats:
    """Entropy in nats of each row, ``(n,)``; 0 log 0 is 0."""
    from scipy.special import entr

    return np.asarray(entr(p).sum(axis=1))


def calibrated(predictions: Predictions, temperatures: Mapping[int, float]) -> Predictions:
    """The rows at the temperature of their folds; what they were stands in ``raw``.

    Without temperatures the rows come back as they are.

    Raises:
        KeyError: A row's fold has no temperature.
    """
    if not temperatures:
        return predictions
    predictions = raw_of(predictions)
    each = np.array([temperatures[int(fold)] for fold in predictions.fold], dtype=np.float64)
    p = tempered(predictions.probabilities, each)
    return replace(
        predictions, probabilities=p, uncertainty=entropy(p), raw=predictions.probabilities
    )


def raw_of(predictions: Predictions) -> Predictions:
    """The rows as the network gave them: nothing calibrated, decided or put into sets."""
    bare = replace(predictions, decision=None, sets=None, raw=None)
    if predictions.raw is None:
        return bare
    return replace(bare, probabilities=predictions.raw, uncertainty=entropy(predictions.raw))


LOW, HIGH = 0.05, 20.0
"""Temperatures looked at."""
RESAMPLES = 200
"""For the interval, at most: each is a fit."""


def fit_temperatures(
    validation: Predictions,
    folds: Iterable[int],
    resamples: int = 0,
    seed: int = 0,
    progress: Progress = SILENT,
) -> tuple[Temperature, ...]:
    """The temperature of each fold's model, from that fold's validation rows alone.

    Args:
        resamples: For the interval; 0 for none.
        seed: They are drawn from it.
    """
    chosen, count = list(folds), min(resamples, RESAMPLES)
    found = []
    with progress.task("temperatures", len(chosen) * max(1, count)) as advance:
        for fold in chosen:
            own = validation.take(np.flatnonzero(validation.fold == fold))
            value, why = fit_temperature(own.probabilities, own.label)
            one = Temperature(fold=fold, temperature=value, rows=len(own), why=why)
            draws = resampling(own, count, seed)
            if why or not draws:
                advance(max(1, count))
            elif bounds := _interval(own, draws, advance):
                one = replace(one, low=bounds[0], high=bounds[1], by=draws.says())
            found.append(one)
    return tuple(found)


def _interval(own: Predictions, draws: Resampling, advance: Advance) -> tuple[float, float] | None:
    """The temperature's interval; none where half the resamples have no best one."""
    values = np.full(draws.count, np.nan)
    for place, weights in enumerate(draws.counts()):
        value, why = fit_temperature(own.probabilities, own.label, weights, 1e-4)
        values[place] = np.nan if why.startswith("not fitted") else value
        advance()
    return percentiles(values)


def fit_temperature(
    p: Floats,
    label: NDArray[np.int64],
    weights: NDArray[np.int64] | None = None,
    tolerance: float = 1e-9,
) -> tuple[float, str]:
    """The temperature with the least negative log-likelihood, between 0.05 and 20.

    The likelihood is convex in the inverse temperature, so there is one minimum, and it may lie at
    infinity: where every row is right, any lower temperature fits better. Then 1 is kept.

    Args:
        p: Probabilities ``(n, k)``.
        label: True classes ``(n,)``.
        weights: How often each row counts, ``(n,)``; once by default.
        tolerance: Of the temperature's logarithm.

    Returns:
        The temperature, and why it was not fitted or is at a bound ("" where it is neither).
    """
    from scipy.optimize import minimize_scalar

    weights = np.ones(len(label), dtype=np.int64) if weights is None else weights
    p, label, weights = p[weights > 0], label[weights > 0], weights[weights > 0]
    n, total = len(label), int(weights.sum())
    if n == 0:
        return 1.0, "not fitted: there are no validation rows"
    logits = logarithms(p)
    logits -= logits.max(axis=1, keepdims=True)  # so that no exponential overflows
    true = logits[np.arange(n), label]
    if (true == 0).all():  # each true class is the most probable one
        return 1.0, f"not fitted: all {n} validation rows are right, any lower one would fit better"

    def loss(log_temperature: float) -> float:
        scaled = np.exp(-log_temperature)
        each = np.log(np.exp(logits * scaled).sum(axis=1)) - true * scaled
        return float(each @ weights) / total

    bounds = (float(np.log(LOW)), float(np.log(HIGH)))
    fitted = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": tolerance})
    value = float(np.exp(fitted.x))
    if value > 0.999 * HIGH:
        return HIGH, (
            f"at the upper bound: on {n} validation rows equal probabilities for"
            " all classes fit no worse"
        )
    if value < 1.001 * LOW:
        return LOW, f"at the lower bound on {n} validation rows"
    return value, ""


Resampled = Mapping[tuple[str, str | None], Floats]
RAW, CHANGE = "raw_", "_change"
"""``raw_brier`` is the figure of the raw probabilities, ``brier_change`` the calibrated one minus
it, on the same rows and in the same resamples."""


@dataclass(frozen=True, slots=True)
class Uncalibrated:
    """A metric of probabilities, asked of the raw ones, and what calibration changed."""

    metric: Any

    def build(self, predictions: Predictions) -> Iterable[Score]:
        after = {(one.name, one.label): one for one in self.metric.build(predictions)}
        for raw in self.metric.build(raw_of(predictions)):
            yield replace(raw, name=RAW + raw.name)
            now = after.get((raw.name, raw.label))
            if now is None or now.value is None or raw.value is None:
                why = (now.why if now and now.value is None else raw.why) or "one of the two is"
                yield Score(name=raw.name + CHANGE, value=None, label=raw.label, why=why)
            else:
                change = now.value - raw.value
                yield Score(name=raw.name + CHANGE, value=change, label=raw.label)

    @property
    def resampled(self) -> Callable[[Predictions, Floats], Resampled] | None:
        """The same over resamples; None where the metric has no fast way."""
        fast = getattr(self.metric, "resampled", None)
        if not callable(fast):
            return None

        def both(predictions: Predictions, weights: Floats) -> Resampled:
            after, before = fast(predictions, weights), fast(raw_of(predictions), weights)
            raw = {(RAW + name, label): values for (name, label), values in before.items()}
            change = {
                (name + CHANGE, label): after[name, label] - values
                for (name, label), values in before.items()
                if (name, label) in after
            }
            return {**raw, **change}

        return both
