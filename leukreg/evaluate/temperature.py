"""Fitting temperatures on validation rows by maximum likelihood (Guo et al., 2017)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukreg.evaluate.bootstrap import Resampling, percentiles, resampling
from leukreg.evaluate.calibrate import logarithms
from leukreg.evaluate.rows import take
from leukreg.progress import SILENT, Advance, Progress
from leukreg.types import Predictions

Floats = NDArray[np.float64]
LOW, HIGH = 0.05, 20.0
"""Temperatures looked at."""
RESAMPLES = 200
"""For the interval, at most: each is a fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Temperature:
    """What the log-probabilities of one fold's model are divided by; above 1 it was too sure."""

    fold: int
    temperature: float
    rows: int
    """Validation rows it was fitted on."""
    low: float | None = None
    high: float | None = None
    """95 % interval, over patients where they are known, and pictures."""
    by: str = ""
    """How the interval was made."""
    why: str = ""
    """Why it was not fitted, or is at a bound; empty where all is well."""


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
            own = take(validation, np.flatnonzero(validation.fold == fold))
            value, why = fit_temperature(own.probabilities, own.label)
            one = Temperature(fold=fold, temperature=value, rows=len(own), why=why)
            draws = None if why else resampling(own, count, seed)
            if draws is None:
                advance(max(1, count))
            found.append(one if draws is None else _bounded(one, own, draws, advance))
    return tuple(found)


def _bounded(
    one: Temperature, own: Predictions, draws: Resampling, advance: Advance
) -> Temperature:
    """The temperature with its interval; none where half the resamples have no best one."""
    values = np.full(draws.count, np.nan)
    for place, weights in enumerate(draws.counts()):
        value, why = fit_temperature(own.probabilities, own.label, weights, 1e-4)
        values[place] = np.nan if why.startswith("not fitted") else value
        advance()
    bounds = percentiles(values)
    if bounds is None:
        return one
    return replace(one, low=bounds[0], high=bounds[1], by=draws.says())


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
    if (true == 0).all():
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


def facts_of_temperatures(method: str, fitted: Iterable[Temperature]) -> dict[str, Any]:
    """What a run keeps of its calibration, as plain values."""
    return {"method": method, "folds": [asdict(one) for one in fitted]}
