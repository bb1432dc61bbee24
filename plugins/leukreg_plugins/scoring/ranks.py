"""Figures that follow from the order of the rows, for many resamples at once.

``weights`` has shape ``(n, b)``; figures have shape ``(b,)``, NaN where undefined. Running totals
are read off only where a positive row stands, which with several classes is a small share.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from leukreg_plugins.scoring.counts import Floats, ratio


def auc(truth: NDArray[np.bool_], p: Floats, weights: Floats) -> Floats:
    """Area under the ROC curve: the chance that a positive ranks above a negative, ties half."""
    if truth.all() or not truth.any():
        return np.full(weights.shape[1], np.nan)
    order, running = _running(p[~truth], weights[~truth])
    rising = p[~truth][order]
    low = np.searchsorted(rising, p[truth], side="left")
    high = np.searchsorted(rising, p[truth], side="right")
    below = running[low]
    if not np.array_equal(low, high):
        below = (below + running[high]) / 2
    positive = weights[truth]
    won = np.einsum("nb,nb->b", positive, below)
    return ratio(won, positive.sum(axis=0) * running[-1])


def average_precision(truth: NDArray[np.bool_], p: Floats, weights: Floats) -> Floats:
    """Precision averaged over the steps of recall, without interpolation, as scikit-learn does.

    Undefined without negatives too, where every order of the rows would be perfect.
    """
    if truth.all() or not truth.any():
        return np.full(weights.shape[1], np.nan)
    answered = _at_least(p, weights, p[truth])
    found = _at_least(p[truth], weights[truth], p[truth])
    np.maximum(answered, 1e-300, out=answered)
    found /= answered
    positive = weights[truth]
    mixed = weights[~truth].sum(axis=0) > 0
    return ratio(np.einsum("nb,nb->b", positive, found), positive.sum(axis=0) * mixed)


def sensitivity_at(
    truth: NDArray[np.bool_], p: Floats, weights: Floats, specificity: float
) -> Floats:
    """The largest sensitivity of any threshold on ``p`` that keeps ``specificity`` at least.

    Rows of one ``p`` are answered alike, so a threshold lies above all rows of a value or below.
    """
    if truth.all() or not truth.any():
        return np.full(weights.shape[1], np.nan)
    order, wrong = _running(-p[~truth], weights[~truth])
    total = wrong[-1]
    beyond = wrong[1:] > (1 - specificity) * total + 1e-9
    first = np.where(beyond.any(axis=0), beyond.argmax(axis=0), -1)
    # Every positive row above the first negative that may not be answered is found.
    limits = np.where(first < 0, -np.inf, p[~truth][order][first])
    places, missed = _running(p[truth], weights[truth])
    rows = np.searchsorted(p[truth][places], limits, side="right")
    found = missed[-1] - missed[rows, np.arange(weights.shape[1])]
    return ratio(found, missed[-1] * (total > 0))


def _running(p: Floats, weights: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Rising order of ``p``, and the weight before each place in it, ``(n + 1, b)``."""
    order = np.argsort(p, kind="stable")
    running = np.zeros((len(p) + 1, weights.shape[1]))
    np.cumsum(weights[order], axis=0, out=running[1:])
    return order, running


def _at_least(p: Floats, weights: Floats, limits: Floats) -> Floats:
    """Weight of the rows whose ``p`` reaches each limit, ``(len(limits), b)``."""
    order, running = _running(-p, weights)
    return np.asarray(running[np.searchsorted(-p[order], -limits, side="right")])
