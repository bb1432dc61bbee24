"""ROC and precision-recall curves, with pointwise bands by bootstrap of patients where known.

``weights`` has shape ``(n, b)``: how often each row stands in each of b resamples. Rows that tie in
their score are taken together, so no curve depends on the order of the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from leukreg import STYLE, Predictions, RunRecord, resampling
from leukreg_plugins.reporting.format import (
    BLUE,
    FAINT,
    RED,
    WIDTH,
    find,
    interval,
    most_rows,
    number,
    positive,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


Floats = NDArray[np.float64]
OnGrid = Callable[[Floats], Floats]
"""From weights ``(n, b)`` to values on a grid ``(g, b)``, NaN where undefined."""
RESAMPLES = 200
GRID = np.linspace(0, 1, 101)


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A curve on a grid: from all rows, and the middle 95 % of the resamples."""

    x: Floats
    y: Floats
    low: Floats | None = None
    high: Floats | None = None


def bands(result: RunRecord, x: Floats, curves: Mapping[Any, OnGrid]) -> dict[Any, Band]:
    """Each curve with its band; without one where the recipe asks for no intervals."""
    n = len(result.predictions)
    whole = {key: curve(np.ones((n, 1)))[:, 0] for key, curve in curves.items()}
    resample = resampling(result.predictions, *_asked(result))
    if not resample:
        return {key: Band(x=x, y=y) for key, y in whole.items()}
    drawn: dict[Any, list[Floats]] = {key: [] for key in curves}
    for weights in resample.weights():
        for key, curve in curves.items():
            drawn[key].append(curve(weights))
    return {key: _bounded(x, whole[key], np.hstack(parts)) for key, parts in drawn.items()}


def says(result: RunRecord) -> str:
    """How bands are made; "" where there are none."""
    resample = resampling(result.predictions, *_asked(result))
    return f"Bands: {resample.says()}, pointwise." if resample else ""


def _asked(result: RunRecord) -> tuple[int, int]:
    """Resamples, and the seed that they are drawn from."""
    evaluate = result.recipe.get("evaluate")
    asked = evaluate.get("bootstrap") if isinstance(evaluate, Mapping) else None
    count = min(RESAMPLES, asked) if isinstance(asked, int) else RESAMPLES
    seed = result.recipe.get("seed")
    return count, seed if isinstance(seed, int) else 0


def _bounded(x: Floats, y: Floats, drawn: Floats) -> Band:
    """No band where a curve is undefined in more than half of the resamples."""
    defined = np.isfinite(drawn).sum(axis=1)
    low, high = np.full(len(x), np.nan), np.full(len(x), np.nan)
    enough = 2 * defined >= drawn.shape[1]
    if enough.any():
        low[enough], high[enough] = np.nanpercentile(drawn[enough], [2.5, 97.5], axis=1)
    return Band(x=x, y=y, low=low, high=high)


def roc(truth: NDArray[np.bool_], score: Floats) -> OnGrid:
    """True positive rate by false positive rate."""
    return partial(_roc, *_sorted(truth, score))


def precision_recall(truth: NDArray[np.bool_], score: Floats) -> OnGrid:
    """Precision at the highest threshold that reaches a recall, without interpolation."""
    return partial(_precision, *_sorted(truth, score))


def kept_accuracy(right: NDArray[np.bool_], uncertainty: Floats) -> OnGrid:
    """Accuracy of what is kept when the most uncertain share is rejected."""
    return partial(_kept, *_sorted(right, -uncertainty))


def _sorted(
    truth: NDArray[np.bool_], score: Floats
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Falling order of the score, the last place of each tie in it, and the truth so ordered."""
    order = np.argsort(-score, kind="stable")
    falling = score[order]
    last = np.flatnonzero(np.append(falling[1:] != falling[:-1], len(falling) > 0))
    return order, last, truth[order].astype(np.float64)


def _totals(
    order: NDArray[np.int64], last: NDArray[np.int64], truth: Floats, weights: Floats
) -> tuple[Floats, Floats]:
    """Running totals of true rows and of all rows, from 0, ``(t + 1, b)``."""
    sorted_weights = weights[order]
    start = np.zeros((1, weights.shape[1]))
    every = np.vstack([start, np.cumsum(sorted_weights, axis=0)[last]])
    sorted_weights *= truth[:, None]
    return np.vstack([start, np.cumsum(sorted_weights, axis=0)[last]]), every


def _roc(order: Any, last: Any, truth: Floats, weights: Floats) -> Floats:
    hits, every = _totals(order, last, truth, weights)
    false = every - hits
    out = np.full((len(GRID), weights.shape[1]), np.nan)
    for b in range(weights.shape[1]):
        if hits[-1, b] and false[-1, b]:
            out[:, b] = np.interp(GRID, false[:, b] / false[-1, b], hits[:, b] / hits[-1, b])
    return out


def _precision(order: Any, last: Any, truth: Floats, weights: Floats) -> Floats:
    hits, every = _totals(order, last, truth, weights)
    out = np.full((len(GRID), weights.shape[1]), np.nan)
    for b in range(weights.shape[1]):
        if hits[-1, b] and hits[-1, b] < every[-1, b]:
            # From the first place that finds anything: before it precision has no value.
            first = int(np.searchsorted(hits[:, b], 0, side="right"))
            found = hits[first:, b] / hits[-1, b]
            place = np.searchsorted(found, GRID - 1e-12, side="left")
            out[:, b] = (hits[first:, b] / every[first:, b])[np.minimum(place, len(found) - 1)]
    return out


def points(name: str, truth: NDArray[np.bool_], score: Floats) -> tuple[Floats, Floats]:
    """The corners of a curve from all rows: "roc" from (0, 0), or "precision" by rising recall."""
    order, last, ordered = _sorted(truth, score)
    hits, every = _totals(order, last, ordered, np.ones((len(truth), 1)))
    found, all_rows = hits[:, 0], every[:, 0]
    if name == "roc":
        false = all_rows - found
        return false / false[-1], found / found[-1]
    return found[1:] / found[-1], found[1:] / all_rows[1:]


REJECTED = GRID[:96]
"""Rejecting more than 95 % leaves too few rows to speak of."""


def _kept(order: Any, last: Any, truth: Floats, weights: Floats) -> Floats:
    hits, every = _totals(order, last, truth, weights)
    out = np.full((len(REJECTED), weights.shape[1]), np.nan)
    for b in range(weights.shape[1]):
        if every[-1, b]:
            kept = (1 - REJECTED) * every[-1, b]
            out[:, b] = np.interp(kept, every[:, b], hits[:, b]) / kept
    return out


def reliability(
    predictions: Predictions, probabilities: Floats, bins: int
) -> tuple[OnGrid, Floats, NDArray[np.int64]]:
    """Accuracy by bin of confidence, with each bin's mean confidence and rows.

    Bins are of equal width, (i/bins, (i+1)/bins], of the most probable class (Guo et al., 2017).
    """
    confidence = probabilities.max(axis=1)
    right = (probabilities.argmax(axis=1) == predictions.label).astype(np.float64)
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    member = np.eye(bins)[place]
    rows = member.sum(axis=0)
    means = np.full(bins, np.nan)
    np.divide(member.T @ confidence, rows, out=means, where=rows > 0)

    def curve(weights: Floats) -> Floats:
        total = member.T @ weights
        out = np.full(total.shape, np.nan)
        np.divide(member.T @ (weights * right[:, None]), total, out=out, where=total > 0)
        return out

    return curve, means, rows.astype(np.int64)


MOST = 12
"""Classes that get a panel."""
_AXES = {
    "auc": ("false positive rate", "true positive rate"),
    "average_precision": ("recall", "precision"),
}
_SHORT = {"auc": "AUC", "average_precision": "AP"}
_CURVES = {"auc": roc, "average_precision": precision_recall}


def chosen(result: RunRecord) -> list[int]:
    """Classes with rows and with others': the positive one of two, else at most ``MOST``."""
    rows = result.predictions
    counts = np.bincount(rows.label, minlength=len(rows.classes))
    drawable = {index for index, count in enumerate(counts) if 0 < count < len(rows)}
    label = positive(result)
    if label is not None:
        return [index for index in [rows.classes.index(label)] if index in drawable]
    return [index for index in most_rows(rows, MOST) if index in drawable]


def figure(result: RunRecord, name: str) -> Figure:
    """One panel per class, each against all others; ``name`` is the score that sums a curve up."""
    from matplotlib.figure import Figure

    classes = chosen(result)
    found = bands(result, GRID, {index: _curve(result, index, name) for index in classes})
    across = 1 if len(classes) == 1 else 2
    down = -(-len(classes) // across)
    drawn = Figure(figsize=(WIDTH, 4.0 if across == 1 else 0.5 + 2.4 * down))
    panels = drawn.subplots(down, across, sharex=True, sharey=True, squeeze=False).flat
    for place, axes in enumerate(panels):
        if place < len(classes):
            _panel(axes, result, classes[place], name, found[classes[place]])
        else:
            axes.set_visible(False)
            drawn.axes[place - across].tick_params(labelbottom=True)
    if len(classes) == 1:
        drawn.axes[0].set(xlabel=_AXES[name][0], ylabel=_AXES[name][1])
    else:
        drawn.supxlabel(_AXES[name][0], fontsize="medium")
        drawn.supylabel(_AXES[name][1], fontsize="medium")
    return drawn


def threshold(result: RunRecord) -> str:
    """What the dot on the curves is."""
    if result.threshold is None:
        return "The dot is what the answers reach: the most probable class of each image."
    place = {"validation": "on validation rows", "scored": "on the scored rows themselves"}
    how = place.get(str(result.threshold_from), "beforehand")
    each = " of each fold" if len(result.folds) > 1 and how == place["validation"] else ""
    return f"The dot is what the answers reach at the threshold{each}, chosen {how}."


def _curve(result: RunRecord, index: int, name: str) -> OnGrid:
    rows = result.predictions
    return _CURVES[name](rows.label == index, rows.probabilities[:, index])


def _panel(axes: Axes, result: RunRecord, index: int, name: str, band: Band) -> None:
    rows = result.predictions
    if band.low is not None and band.high is not None:
        axes.fill_between(band.x, band.low, band.high, color=BLUE, alpha=0.22, linewidth=0)
    truth, score = rows.label == index, rows.probabilities[:, index]
    if name == "auc":
        axes.plot(*points("roc", truth, score), color=BLUE, linestyle="-")
    else:
        x, y = points("precision", truth, score)
        axes.step([0, *x], [y[0], *y], where="pre", color=BLUE, linestyle="-")
    axes.set_title(_title(result, index, name))
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_aspect("equal")
    share = float(truth.mean())
    chance: Any = ([0, 1], [0, 1]) if name == "auc" else ([0, 1], [share, share])
    axes.plot(*chance, color=FAINT, linestyle=":", linewidth=1.2)
    if len(chosen(result)) == 1:
        _mark_threshold(axes, result, index, name)


def _title(result: RunRecord, index: int, name: str) -> str:
    label = result.predictions.classes[index]
    shown = STYLE.names(result.predictions.classes)[index]
    score = find(result, name, label)
    if score is None:
        return shown
    bounds = interval(score)
    value = f"{_SHORT[name]} {number(score.value)}{f' ({bounds})' if bounds else ''}"
    if len(chosen(result)) == 1:
        return f"{shown}: {value}"
    return f"{shown}\n{value}"


def _mark_threshold(axes: Axes, result: RunRecord, index: int, name: str) -> None:
    rows = result.predictions
    answered = rows.answers == index  # not by one threshold: each fold may have its own
    truth = rows.label == index
    hits = int((answered & truth).sum())
    recall = hits / int(truth.sum())
    if name == "auc":
        x, y = int((answered & ~truth).sum()) / int((~truth).sum()), recall
    elif answered.any():
        x, y = recall, hits / int(answered.sum())
    else:
        return
    axes.plot(x, y, marker="o", markersize=8, color=RED, linestyle="", clip_on=False, zorder=5)
    said = "as answered" if result.threshold is None else "at the threshold"
    side = (-8, "right") if x > 0.55 else (8, "left")
    below = -14 if y > 0.5 else 8
    axes.annotate(said, (x, y), (side[0], below), textcoords="offset points", ha=side[1])
