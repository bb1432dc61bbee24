"""Formulas of the built-in metrics, over one set of rows or many resamples at once.

``weights`` has shape ``(n, b)``: how often each row stands in each of b resamples. Counts then have
shape ``(b, k, k)``, figures ``(b,)`` or ``(b, k)``, with NaN where 0 would be divided by 0. Running
totals are read off only where a positive row stands, which with several classes is a small share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukreg import Predictions, Score

Floats = NDArray[np.float64]


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
        cell = predictions.label * k + predictions.answers
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


Against = Callable[[NDArray[np.bool_], Floats, Floats], Floats]


def once(metric: Any, predictions: Predictions) -> dict[tuple[str, str | None], float]:
    """What a metric's ``resampled`` gives of the rows as they are; NaN where undefined."""
    found = metric.resampled(predictions, np.ones((len(predictions), 1)))
    return {key: float(values[0]) for key, values in found.items()}


def one_against_rest(
    name: str, figure: Callable[..., Any], predictions: Predictions
) -> Iterator[Score]:
    """A ranking figure of each class against the rest, then of the whole.

    The whole is the mean over classes; with two classes and the AUC both are one figure. Undefined
    as soon as one class is.
    """
    values, lacking = [], ""
    for index, label in enumerate(predictions.classes):
        truth = predictions.label == index
        if truth.any() and not truth.all():
            values.append(float(figure(truth, predictions.probabilities[:, index])))
            yield Score(name=name, value=values[-1], label=label)
        else:
            why = f"no row of {label}" if not truth.any() else f"no row of any class but {label}"
            why = why if len(truth) else "no rows"
            lacking = lacking or why
            yield Score(name=name, value=None, label=label, why=why)
    yield Score(name=name, value=None if lacking else float(np.mean(values)), why=lacking)


def resampled_against_rest(
    name: str, figure: Against, predictions: Predictions, weights: Floats
) -> Mapping[tuple[str, str | None], Floats]:
    """The same over resamples; ``weights`` has shape ``(n, b)``."""
    found: dict[tuple[str, str | None], Floats] = {}
    for index, label in enumerate(predictions.classes):
        p = predictions.probabilities[:, index]
        found[name, label] = figure(predictions.label == index, p, weights)
    return {**found, (name, None): np.mean(list(found.values()), axis=0)}
