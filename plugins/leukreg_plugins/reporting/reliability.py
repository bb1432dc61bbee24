"""Whether probabilities mean what they say, and whether uncertain answers are the wrong ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from leukreg import RunRecord, Table, rounded
from leukreg_plugins.reporting.format import BLUE, FAINT, INK, RED, WIDTH
from leukreg_plugins.reporting.roc_curves import (
    REJECTED,
    Band,
    Floats,
    OnGrid,
    bands,
    kept_accuracy,
    reliability,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


BINS = 10


def reliability_figure(result: RunRecord) -> Figure:
    """Accuracy against confidence, raw beside calibrated where there is both; rows below."""
    from matplotlib.figure import Figure

    kinds = _kinds(result)
    figure = Figure(figsize=(WIDTH, 5.0))
    top, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    top.plot([0, 1], [0, 1], color=FAINT, linestyle=":", linewidth=1.2)
    for place, (name, probabilities) in enumerate(kinds):
        _diagram(top, below, result, name, probabilities, place)
    top.set_ylabel("accuracy")
    top.set_ylim(-0.02, 1.02)
    below.set_ylabel("images")
    below.set_xlabel("confidence of the most probable class")
    below.set_xlim(0, 1)
    if len(kinds) > 1:
        top.legend(loc="upper left")
    return figure


def _kinds(result: RunRecord) -> list[tuple[str, Floats]]:
    rows = result.predictions
    raw = getattr(rows, "raw", None)
    kinds = [("calibrated" if raw is not None else "answers", rows.probabilities)]
    return kinds if raw is None else [*kinds, ("raw", raw)]


def _diagram(
    top: Axes, below: Axes, result: RunRecord, name: str, probabilities: Floats, place: int
) -> None:
    curve, means, rows = reliability(result.predictions, probabilities, BINS)
    band: Band = bands(result, means, {name: curve})[name]
    filled = rows > 0
    colour, marker = ((BLUE, "o"), (RED, "s"))[place]
    if band.low is not None and band.high is not None:
        bounded = filled & np.isfinite(band.low)
        top.vlines(means[bounded], band.low[bounded], band.high[bounded], color=colour, alpha=0.6)
    line = ("-", "--")[place]
    x, y = means[filled], band.y[filled]
    top.plot(x, y, color=colour, linestyle=line, marker=marker, label=name)
    edges = np.arange(BINS) / BINS
    below.bar(
        edges + 0.5 / BINS, rows, width=0.9 / BINS, linewidth=1.2,
        color=colour if place == 0 else "none", edgecolor=colour, linestyle=line,
    )  # fmt: skip


def reliability_table(result: RunRecord) -> Table:
    """A row per bin: images, mean confidence, accuracy; raw too where it was calibrated."""
    kinds = _kinds(result)
    lines: list[tuple[str, ...]] = []
    for name, probabilities in kinds:
        curve, means, rows = reliability(result.predictions, probabilities, BINS)
        right = curve(np.ones((len(result.predictions), 1)))[:, 0]
        kind = (name,) if len(kinds) > 1 else ()
        for i in np.flatnonzero(rows):
            figures = (f"{rows[i]:,}", rounded(means[i]), rounded(right[i]))
            lines.append((f"{i / BINS:.1f}–{(i + 1) / BINS:.1f}", *kind, *figures))
    of = ("of",) if len(kinds) > 1 else ()
    columns = ("confidence", *of, "images", "mean confidence", "accuracy")
    return Table(columns=columns, rows=tuple(lines))


def rejection_figure(result: RunRecord) -> Figure:
    """Accuracy of what is kept, by the share of most uncertain rows that is rejected."""
    from matplotlib.figure import Figure

    band = bands(result, REJECTED, {"": _curve(result)})[""]
    figure = Figure(figsize=(WIDTH, 3.4))
    axes = figure.subplots()
    if band.low is not None and band.high is not None:
        axes.fill_between(band.x, band.low, band.high, color=BLUE, alpha=0.22, linewidth=0)
    axes.plot(band.x, band.y, color=BLUE, linestyle="-")
    axes.axhline(band.y[0], color=FAINT, linestyle=":", linewidth=1.2)
    axes.annotate("nothing rejected", (1, band.y[0]), (0, 3), textcoords="offset points",
                  ha="right", color=INK)  # fmt: skip
    axes.set_xlabel("share rejected, most uncertain first")
    axes.set_ylabel("accuracy of the rest")
    axes.set_xlim(0, 1)
    return figure


def _curve(result: RunRecord) -> OnGrid:
    rows = result.predictions
    return kept_accuracy(rows.answers == rows.label, rows.uncertainty)


def rejection_table(result: RunRecord) -> Table:
    """Accuracy of the rest when a tenth, a fifth, ... is rejected."""
    rows = result.predictions
    values = _curve(result)(np.ones((len(rows), 1)))
    lines = tuple(
        (f"{100 * REJECTED[place]:.0f} %", f"{len(rows) * (1 - REJECTED[place]):,.0f}",
         rounded(values[place, 0]))
        for place in range(0, len(REJECTED), 10)
    )  # fmt: skip
    return Table(columns=("rejected", "images kept", "accuracy"), rows=lines)
