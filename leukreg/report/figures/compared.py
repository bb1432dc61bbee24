"""Figures of several results side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from leukreg.evaluate.scoring import Figures, main_ones
from leukreg.report.compare.columns import Column
from leukreg.report.figures.style import FAINT, OKABE_ITO, WIDTH
from leukreg.types import Figure as Declared

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def side_by_side(columns: Sequence[Column], known: Figures) -> Figure | None:
    """A panel per figure, a row per column of the comparison; all between 0 and 1.

    None where no column has such a figure.
    """
    from matplotlib.figure import Figure

    shown = [one for one in main_ones(known) if _fits(one) and _is_there(one.name, columns)]
    if not shown:
        return None
    lines = (len(shown) + 1) // 2
    figure = Figure(figsize=(WIDTH, lines * (0.9 + 0.3 * len(columns))))
    panels = figure.subplots(lines, 2, sharex=True, sharey=True, squeeze=False).flatten()
    for axes in panels[len(shown) :]:
        axes.set_visible(False)
    for axes, one in zip(panels, shown, strict=False):
        axes.set_title(one.title)
        for place, column in enumerate(columns):
            _point(axes, place, column, one.name)
        axes.set_yticks(range(len(columns)), [column.head for column in columns])
        axes.set_ylim(len(columns) - 0.5, -0.5)
        axes.set_xlim(-0.02, 1.02)
    if lines > 1 and len(shown) % 2:  # nothing stands below the last panel on the right
        panels[len(shown) - 2].tick_params(labelbottom=True)
    return figure


def _fits(figure: Declared) -> bool:
    return bool(figure.higher_is_better) and (figure.low, figure.high) == (0.0, 1.0)


def _is_there(name: str, columns: Sequence[Column]) -> bool:
    """Whether a column has the figure of the whole."""
    return any(
        (column.reported is not None and column.reported.figure(name) is not None)
        or (
            column.result is not None
            and any((s.name, s.label) == (name, None) for s in column.result.scores)
        )
        for column in columns
    )


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
    axes.plot(score.value, place, marker="o", color=OKABE_ITO[0], ls="", clip_on=False)
