"""Scores with their intervals, and the confusion matrix, as figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from leukreg import STYLE, RunRecord, Score, Table
from leukreg_plugins.reporting.format import BLUE, FAINT, WIDTH, find, most_rows
from leukreg_plugins.reporting.format import overall as figure_of
from leukreg_plugins.reporting.score_tables import NAMES, PER_CLASS
from leukreg_plugins.reporting.verdict import strongest_probe

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


MOST = 25
"""Classes that get a line."""
LARGEST = 20
"""Classes of a matrix that can be read."""
OVERALL = ("accuracy", "balanced_accuracy", "macro_f1", "mcc", "auc", "average_precision")


def overall(result: RunRecord) -> Figure | None:
    """The figures over all classes with intervals; the majority baseline is a dotted line."""
    from matplotlib.figure import Figure

    found = [(NAMES[name], figure_of(result, name)) for name in OVERALL]
    scores = [(name, score) for name, score in found if score is not None]
    if not scores:
        return None
    drawn = Figure(figsize=(WIDTH, 0.9 + 0.32 * len(scores)))
    axes = drawn.subplots()
    for place, (_, score) in enumerate(scores):
        _point(axes, place, score)
    for name, value in _without_cells(result):
        place = [one for one, _ in scores].index(NAMES[name])
        axes.plot([value] * 2, [place - 0.5, place + 0.5], color=FAINT, linestyle=":", linewidth=2)
    low = min([0.0, *(s.low if s.low is not None else s.value or 0.0 for _, s in scores)])
    axes.set_xlim(low - 0.02, 1.02)
    _rows(axes, [name for name, _ in scores])
    return drawn


def _without_cells(result: RunRecord) -> Iterator[tuple[str, float]]:
    """What comes out without a look at a cell, by the figure that it stands beside."""
    majority, probe = find(result, "majority_baseline"), strongest_probe(result)
    if majority is not None and majority.value is not None:
        yield "accuracy", majority.value
    if probe is not None and find(result, "balanced_accuracy") is not None:
        yield "balanced_accuracy", probe.reached


def per_class(result: RunRecord) -> Figure | None:
    """A panel per figure, a line per class, each with its interval; None without rows."""
    from matplotlib.figure import Figure

    classes = [result.predictions.classes[i] for i in most_rows(result.predictions, MOST)]
    if not classes:
        return None
    drawn = Figure(figsize=(WIDTH, 2 * (0.7 + 0.26 * len(classes))))
    panels = drawn.subplots(2, 2, sharex=True, sharey=True).flat
    for axes, name in zip(panels, PER_CLASS, strict=True):
        axes.set_title(NAMES[name])
        for place, label in enumerate(classes):
            score = find(result, name, label)
            if score is not None:
                _point(axes, place, score)
        axes.set_xlim(-0.02, 1.02)
        _rows(axes, STYLE.names(classes, 20))
    return drawn


def _point(axes: Axes, place: int, score: Score) -> None:
    if score.value is None:
        axes.text(0.02, place, "undefined", va="center", color=FAINT)
        return
    if score.low is not None and score.high is not None:
        axes.plot([score.low, score.high], [place, place], color=BLUE, linestyle="-")
    axes.plot(score.value, place, marker="o", color=BLUE, linestyle="", clip_on=False)


def _rows(axes: Axes, names: list[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)


def confusion(result: RunRecord) -> Figure | None:
    """Counts; the darker a cell, the larger its share of the true class."""
    from matplotlib.figure import Figure

    classes = STYLE.names(result.predictions.classes, 18)
    k = len(classes)
    if k > LARGEST:
        return None
    side = WIDTH if k <= 10 else 0.5 * k
    drawn = Figure(figsize=(side, 0.55 * k + 1.6 if k <= 10 else side))
    axes = drawn.subplots()
    for true, line in enumerate(result.confusion):
        for answered, count in enumerate(line):
            _cell(axes, true, answered, count, sum(line))
    axes.set_xlim(-0.5, k - 0.5)
    turned: dict[str, Any] = (
        {} if k <= 3 else {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
    )
    axes.set_xticks(range(k), classes, **turned)
    _rows(axes, classes)
    axes.set_xlabel("answered")
    axes.set_ylabel("true")
    axes.grid(visible=False)
    axes.tick_params(length=0)
    return drawn


def matrix(result: RunRecord) -> Table:
    """Every count, whatever the names and however many."""
    classes = result.predictions.classes
    rows = tuple(
        (name, *(f"{count:,}" for count in line))
        for name, line in zip(classes, result.confusion, strict=True)
    )
    return Table(columns=("true \\ answered", *classes), rows=rows)


def _cell(axes: Axes, true: int, answered: int, count: int, total: int) -> None:
    from matplotlib.patches import Rectangle

    share = count / total if total else 0.0
    light = (0.925, 0.945, 0.965)
    dark = (0.0, 0.29, 0.48)
    shade = tuple(a + share * (b - a) for a, b in zip(light, dark, strict=True))
    edge: dict[str, Any] = (
        {"edgecolor": "#e69f00", "linewidth": 1.5} if true == answered else {"linewidth": 0.0}
    )
    corner = (answered - 0.47, true - 0.46)
    axes.add_patch(Rectangle(corner, 0.94, 0.92, facecolor=shade, **edge))
    # Not quite black and white, which would follow the theme; these belong to their cell.
    ink = "#fdfdfd" if share > 0.45 else "#101214"
    axes.text(answered, true, f"{count:,}", ha="center", va="center", color=ink)
