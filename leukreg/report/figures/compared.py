"""Figures of several results side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from leukreg.report.compare.columns import Column
from leukreg.report.figures.style import FAINT, OKABE_ITO, WIDTH

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "auc": "AUC",
}


def side_by_side(columns: Sequence[Column]) -> Figure:
    """A panel per figure, a row per column of the comparison; all between 0 and 1."""
    from matplotlib.figure import Figure

    height = 2 * (0.9 + 0.3 * len(columns))
    figure = Figure(figsize=(WIDTH, height))
    panels = figure.subplots(2, 2, sharex=True, sharey=True).flat
    for axes, (name, title) in zip(panels, SHOWN.items(), strict=True):
        axes.set_title(title)
        for place, column in enumerate(columns):
            _point(axes, place, column, name)
        axes.set_yticks(range(len(columns)), [column.head for column in columns])
        axes.set_ylim(len(columns) - 0.5, -0.5)
        axes.set_xlim(-0.02, 1.02)
    return figure


def _point(axes: Axes, place: int, column: Column, name: str) -> None:
    if column.reported is not None:
        printed = column.reported.figure(name)
        if printed is not None and printed.value is not None:
            axes.plot(float(printed), place, marker="D", mfc="none", mec=OKABE_ITO[1], ls="")
        return
    scores = () if column.result is None else column.result.scores
    score = next((s for s in scores if (s.name, s.label) == (name, None)), None)
    if score is None or score.value is None:
        axes.text(0, place, "undefined" if score else "-", va="center", color=FAINT)
        return
    if score.low is not None and score.high is not None:
        axes.plot([score.low, score.high], [place, place], color=OKABE_ITO[0], ls="-")
    axes.plot(score.value, place, marker="o", color=OKABE_ITO[0], ls="")
