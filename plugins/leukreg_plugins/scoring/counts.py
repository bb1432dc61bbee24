"""Figures that follow from counts of (true class, answered class).

``weights`` has shape ``(n, b)``: how often each row stands in each of b resamples. Counts then have
shape ``(b, k, k)``, figures ``(b,)`` or ``(b, k)``, with NaN where 0 would be divided by 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from leukreg import Predictions

Floats = NDArray[np.float64]


def decisions(predictions: Predictions) -> NDArray[np.int64]:
    """The answered class of each row: the decision, else the most probable class."""
    if predictions.decision is not None:
        return predictions.decision
    return np.asarray(predictions.probabilities.argmax(axis=1), dtype=np.int64)


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Element-wise quotient, NaN where the denominator is 0."""
    out = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), np.nan)
    np.divide(numerator, denominator, out=out, where=denominator != 0)
    return out


def confusions(predictions: Predictions, weights: Floats) -> Floats:
    """Weighted confusion counts ``[b, true, answered]``.

    Rows are sorted by cell once and summed cell by cell, so the cost does not grow with k.
    """
    k = len(predictions.classes)
    counts = np.zeros((k * k, weights.shape[1]))
    if len(predictions):
        cell = predictions.label * k + decisions(predictions)
        order = np.argsort(cell, kind="stable")
        cells, starts = np.unique(cell[order], return_index=True)
        counts[cells] = np.add.reduceat(weights[order], starts, axis=0)
    return counts.T.reshape(-1, k, k)


def per_class(counts: Floats) -> dict[str, Floats]:
    """Precision, recall, F1 and specificity of each class against the rest, each ``(b, k)``."""
    hits = np.diagonal(counts, axis1=1, axis2=2)
    support, answered = counts.sum(axis=2), counts.sum(axis=1)
    total = counts.sum(axis=(1, 2))[:, None]
    return {
        "precision": ratio(hits, answered),
        "recall": ratio(hits, support),
        "f1": ratio(2 * hits, support + answered),
        "specificity": ratio(total - support - answered + hits, total - support),
    }


def accuracy(counts: Floats) -> Floats:
    """Share of right answers, ``(b,)``."""
    return ratio(np.trace(counts, axis1=1, axis2=2), counts.sum(axis=(1, 2)))


def mcc(counts: Floats) -> Floats:
    """Matthews correlation for k classes (Gorodkin, 2004), ``(b,)``."""
    hits = np.trace(counts, axis1=1, axis2=2)
    support, answered = counts.sum(axis=2), counts.sum(axis=1)
    total = counts.sum(axis=(1, 2))
    covariance = hits * total - (support * answered).sum(axis=1)
    spread = (total**2 - (support**2).sum(axis=1)) * (total**2 - (answered**2).sum(axis=1))
    return ratio(covariance, np.sqrt(np.maximum(spread, 0)))
