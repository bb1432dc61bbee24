"""Learning curves, with the phases marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leukreg import EpochLog, RunRecord
from leukreg_plugins.reporting.page_words import BLUE, FAINT, GREEN, RED, WIDTH, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CURVES = (
    ("train_loss", "training loss", BLUE, "-", "o", 0),
    ("validation_loss", "validation loss", RED, "--", "s", 0),
    ("validation_accuracy", "validation accuracy", GREEN, "-", "^", 1),
)


def figure(result: RunRecord) -> Figure:
    """Losses above, accuracy below; epochs of all phases one after the other."""
    from matplotlib.figure import Figure

    starts = _starts(result)
    drawn = Figure(figsize=(WIDTH, 4.6))
    panels = drawn.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    folds = dict.fromkeys(log.fold for log in result.epochs)
    for name, label, colour, dashes, marker, panel in CURVES:
        for place, fold in enumerate(folds):
            logs = [log for log in result.epochs if log.fold == fold]
            style = {"color": colour, "linestyle": dashes, "marker": marker, "markersize": 4}
            _curve(panels[panel], logs, starts, name, label if not place else "_", style)
    for axes in panels:
        _phases(axes, starts, named=axes is panels[0])
    panels[0].set_ylabel("loss")
    panels[1].set_ylabel("accuracy")
    panels[1].set_xlabel("epoch, all phases one after the other")
    drawn.legend(loc="outside upper left", ncols=3, columnspacing=1.0, handlelength=1.8,
                 fontsize="small")  # fmt: skip
    return drawn


def _starts(result: RunRecord) -> dict[str, int]:
    """Epochs before each phase, taking the longest fold."""
    longest: dict[str, int] = {}
    for log in result.epochs:
        longest[log.phase] = max(longest.get(log.phase, 0), log.epoch)
    starts, total = {}, 0
    for phase, epochs in longest.items():
        starts[phase] = total
        total += epochs
    return starts


def _curve(
    axes: Axes,
    logs: list[EpochLog],
    starts: dict[str, int],
    name: str,
    label: str,
    style: dict[str, object],
) -> None:
    points = [(starts[log.phase] + log.epoch, getattr(log, name)) for log in logs]
    known = [(x, y) for x, y in points if y is not None]
    if known:
        axes.plot(*zip(*known, strict=True), label=label, linewidth=1.3, **style)  # type: ignore[arg-type]


def _phases(axes: Axes, starts: dict[str, int], named: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for phase, start in starts.items():
        if start:
            axes.axvline(start + 0.5, color=FAINT, linewidth=1)
        if named:
            at = (start + 0.5, 1.0)
            axes.annotate(plain([phase], 16)[0], at, (2, 3), xycoords=axes.get_xaxis_transform(),
                          textcoords="offset points", fontsize="small")  # fmt: skip
