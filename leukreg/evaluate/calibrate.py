"""Temperature scaling (Guo et al., On calibration of modern neural networks, ICML 2017).

Works from probabilities alone: their logarithms are logits up to a constant that softmax forgets.
So it can be done again from a run folder, without the model. Where probabilities are means over
passes or views, it is the mean that is scaled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukreg.types import Predictions

Floats = NDArray[np.float64]
LOW, HIGH = 0.05, 20.0
"""Temperatures looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Temperature:
    """What the log-probabilities of one fold's model are divided by; above 1 it was too sure."""

    fold: int
    temperature: float
    rows: int
    """Validation rows it was fitted on."""
    why: str = ""
    """Why it was not fitted, or is at a bound; empty where all is well."""


def fit_temperatures(validation: Predictions, folds: Iterable[int]) -> tuple[Temperature, ...]:
    """The temperature of each fold's model, from that fold's validation rows alone."""
    found = []
    for fold in folds:
        own = validation.fold == fold
        value, why = fit_temperature(validation.probabilities[own], validation.label[own])
        found.append(Temperature(fold=fold, temperature=value, rows=int(own.sum()), why=why))
    return tuple(found)


def fit_temperature(p: Floats, label: NDArray[np.int64]) -> tuple[float, str]:
    """The temperature with the least negative log-likelihood, between 0.05 and 20.

    The likelihood is convex in the inverse temperature, so there is one minimum, and it may lie at
    infinity: where every row is right, any lower temperature fits better. Then 1 is kept.

    Args:
        p: Probabilities ``(n, k)``.
        label: True classes ``(n,)``.

    Returns:
        The temperature, and why it was not fitted or is at a bound ("" where it is neither).
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    n = len(label)
    if n == 0:
        return 1.0, "not fitted: there are no validation rows"
    logits, rows = logarithms(p), np.arange(n)
    if (logits[rows, label] >= logits.max(axis=1)).all():
        return 1.0, f"not fitted: all {n} validation rows are right, any lower one would fit better"

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -float(scaled[rows, label].mean())

    bounds = (float(np.log(LOW)), float(np.log(HIGH)))
    fitted = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-9})
    value = float(np.exp(fitted.x))
    if value > 0.999 * HIGH:
        return HIGH, f"at the upper bound: on {n} validation rows even answers fit no worse"
    if value < 1.001 * LOW:
        return LOW, f"at the lower bound on {n} validation rows"
    return value, ""


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


def facts_of_temperatures(method: str, fitted: Iterable[Temperature]) -> dict[str, Any]:
    """What a run keeps of its calibration, as plain values."""
    return {"method": method, "folds": [asdict(one) for one in fitted]}


def temperatures_of(facts: Mapping[str, Any]) -> dict[int, float]:
    """Fold to temperature from a run's facts; empty where nothing was calibrated."""
    folds = (facts.get("calibration") or {}).get("folds", [])
    return {int(one["fold"]): float(one["temperature"]) for one in folds}
