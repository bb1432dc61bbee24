"""Figures that judge the probabilities themselves."""

from __future__ import annotations

import numpy as np

from leukreg import Predictions
from leukreg_plugins.scoring.counts import Floats, ratio


def nll_rows(predictions: Predictions) -> Floats:
    """Minus the logarithm of each row's probability of its true class, ``(n,)``, in nats.

    A probability of 0 counts as 2.2e-16, as in scikit-learn's ``log_loss``.
    """
    p = predictions.probabilities[np.arange(len(predictions)), predictions.label]
    return np.asarray(-np.log(np.clip(p, np.finfo(np.float64).eps, 1)))


def brier_rows(predictions: Predictions) -> Floats:
    """Squared error of each row's probabilities, ``(n,)``: 0 to 1 with two classes, else 0 to 2.

    With two classes this is the usual (p - y)^2 of one of them (they are equal); with more, the sum
    over classes (Brier, 1950).
    """
    truth = np.eye(len(predictions.classes))[predictions.label]
    errors = ((predictions.probabilities - truth) ** 2).sum(axis=1)
    return np.asarray(errors / 2 if len(predictions.classes) == 2 else errors)


def mean_of(rows: Floats, weights: Floats) -> Floats:
    """Weighted means of a figure per row, ``(b,)``."""
    return ratio(rows @ weights, weights.sum(axis=0))


def ece(predictions: Predictions, bins: int, weights: Floats) -> Floats:
    """Expected calibration error of the most probable class, ``(b,)`` (Guo et al., 2017).

    Confidence is cut into equal widths (i/bins, (i+1)/bins]; the gap between a bin's accuracy and
    its mean confidence counts by the rows in it.
    """
    if len(predictions) == 0:
        return np.full(weights.shape[1], np.nan)
    p = predictions.probabilities
    confidence = p.max(axis=1)
    gap = (p.argmax(axis=1) == predictions.label) - confidence
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    per_bin = (np.eye(bins)[place] * gap[:, None]).T @ weights
    return ratio(np.abs(per_bin).sum(axis=0), weights.sum(axis=0))
