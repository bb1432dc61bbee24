"""What was trained, on what, how its losses went, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from leukreg import STYLE, RunRecord, Table, record
from leukreg_plugins.reporting.format import (
    BLUE,
    FAINT,
    GREEN,
    RED,
    WIDTH,
    counted,
    duration,
    listed,
    table,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


FEW = 6
"""Rows of the table above which folds are put together."""


def lines(result: RunRecord) -> Iterator[str]:
    """Model, data, time, versions, one line each."""
    model = _model(result.recipe)
    if model:
        yield model
    yield _data(result)
    images, seconds = sum(e.images for e in result.epochs), sum(e.seconds for e in result.epochs)
    time = f"{duration(result.seconds)} in all"
    if seconds > 0:
        time += f", {duration(seconds)} of it in {counted(len(result.epochs), 'epoch')}"
        time += f" ({images / seconds:,.0f} images a second)"
    yield time + "."
    yield _machine(result.environment)
    assumed = table(result.recipe, "assumed")
    if assumed:
        keys = ", ".join(assumed)
        yield f"Assumed, not stated by the source ({len(assumed)}): {keys}."


def _model(recipe: Mapping[str, Any]) -> str:
    model = table(recipe, "model")
    parts = []
    for key in ("backbone", "attention", "head"):
        part = table(model, key)
        if part.get("use"):
            weights = f" ({part['weights']} weights)" if part.get("weights") else ""
            parts.append(f"{part['use']}{weights}")
    if not parts:
        return ""
    size = table(recipe, "image").get("size")
    text = " + ".join(parts) + (f", {size} px" if size else "")
    loss = table(recipe, "loss").get("use")
    text += f", {loss} loss" if loss else ""
    return text + (f", seed {recipe['seed']}" if "seed" in recipe else "") + "."


def _data(result: RunRecord) -> str:
    broken = len(result.samples.broken)
    text = f"{counted(len(result.samples), 'image')} listed"
    text += f", {broken:,} unreadable and left out" if broken else ""
    sides = []
    for fold in result.folds[:1]:
        sides = [
            f"{len(rows):,} {name}"
            for name, rows in (
                ("training", fold.train),
                ("validation", fold.validation),
                ("test", fold.test),
            )
            if rows
        ]
    where = f"; fold 1 of {len(result.folds)}: " if len(result.folds) > 1 else "; "
    return text + (where + listed(sides) if sides else "") + "."


def _machine(environment: record.Environment) -> str:
    libraries = environment.libraries
    named = [f"{n} {libraries[n]}" for n in ("leukreg", "torch", "timm") if libraries.get(n)]
    if environment.python:
        named.append(f"Python {environment.python}")
    if environment.git is not None:
        changed = ", with changes" if environment.git.dirty else ""
        named.append(f"git {environment.git.commit[:10]}{changed}")
    return (", ".join(named) or "Versions not recorded") + "."


def phases(result: RunRecord) -> Table:
    """A row per phase: what was trained, for how long, where it was best, why it ended."""
    folds = len({log.fold for log in result.phases})
    if len(result.phases) > FEW and folds > 1:
        return _together(result)
    rows = []
    for log in result.phases:
        rows.append(
            (
                *([str(log.fold + 1)] if folds > 1 else []),
                log.phase,
                f"{log.trainable:,}",
                str(log.epochs),
                str(log.best_epoch),
                _loss(result, log.fold, log.phase, log.best_epoch),
                log.stopped,
            )
        )
    fold = ("fold",) if folds > 1 else ()
    columns = (*fold, "phase", "parameters", "epochs", "best", "its loss", "ended")
    return Table(columns=columns, rows=tuple(rows))


def _together(result: RunRecord) -> Table:
    rows = []
    for phase in dict.fromkeys(log.phase for log in result.phases):
        logs = [log for log in result.phases if log.phase == phase]
        reasons = dict.fromkeys(log.stopped for log in logs)
        rows.append(
            (
                phase,
                _range([log.trainable for log in logs]),
                _range([log.epochs for log in logs]),
                _range([log.best_epoch for log in logs]),
                "; ".join(reasons),
            )
        )
    caption = f"Over {len({log.fold for log in result.phases})} folds."
    columns = ("phase", "parameters", "epochs", "best", "ended")
    return Table(columns=columns, rows=tuple(rows), caption=caption)


def _range(values: list[int]) -> str:
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,}–{high:,}"


def _loss(result: RunRecord, fold: int, phase: str, epoch: int) -> str:
    for log in result.epochs:
        if (log.fold, log.phase, log.epoch) == (fold, phase, epoch):
            known = log.validation_loss is not None
            return f"{log.validation_loss if known else log.train_loss:.4f}"
    return ""


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
    logs: list[record.EpochLog],
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
            [short] = STYLE.names([phase], 16)
            axes.annotate(short, at, (2, 3), xycoords=axes.get_xaxis_transform(),
                          textcoords="offset points", fontsize="small")  # fmt: skip
