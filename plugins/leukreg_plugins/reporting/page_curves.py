"""ROC and precision-recall curves with bands, and where the threshold lies on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from leukreg import RunRecord
from leukreg_plugins.reporting.page_bands import (
    GRID,
    Band,
    OnGrid,
    bands,
    points,
    precision_recall,
    roc,
)
from leukreg_plugins.reporting.page_words import BLUE, FAINT, RED, WIDTH, most_rows, plain
from leukreg_plugins.reporting.words import find, interval, number, positive

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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
    shown = plain(result.predictions.classes)[index]
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
