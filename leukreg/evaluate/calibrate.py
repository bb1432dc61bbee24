"""Temperature scaling (Guo et al., On calibration of modern neural networks, ICML 2017).

Works from probabilities alone: their logarithms are logits up to a constant that softmax forgets.
So it can be done again from a run folder, without the model. Where probabilities are means over
passes or views, it is the mean that is scaled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukreg.types import Predictions

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


def temperatures_of(facts: Mapping[str, Any]) -> dict[int, float]:
    """Fold to temperature from a run's facts; empty where nothing was calibrated."""
    folds = (facts.get("calibration") or {}).get("folds", [])
    return {int(one["fold"]): float(one["temperature"]) for one in folds}
