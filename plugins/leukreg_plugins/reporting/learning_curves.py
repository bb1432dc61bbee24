"""What was trained, on what, how its losses went, and how it ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from leukreg import STYLE, RunRecord, Section, Table, plugin, record
from leukreg_plugins.audits.finding import counted, option
from leukreg_plugins.reporting.format import (
    BLUE,
    FAINT,
    GREEN,
    RED,
    WIDTH,
    duration,
    listed,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


FEW = 6
"""Rows of the table above which folds are put together."""


@plugin("training")
class Training:
    """What was trained, on what, how long, and why it ended."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        yield Section(
            title="Training",
            text=tuple(lines(result)),
            tables=(phases(result),) if result.phases else (),
            order=60,
            page=50,
            figure=partial(figure, result) if result.epochs else None,
            caption="Losses and accuracy by epoch; a line for each fold, phases parted by "
            f"upright lines.{_of_patients(result)}",
        )


def _of_patients(result: RunRecord) -> str:
    names = dict.fromkeys(repr(log.phase) for log in result.epochs if log.of_patients)
    return f" Those of {listed([*names])} are of patients, not of images." if names else ""


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
    if assumed := option(result.recipe, "assumed"):
        keys = ", ".join(assumed)
        yield f"Assumed, not stated by the source ({len(assumed)}): {keys}."


def _model(recipe: Mapping[str, Any]) -> str:
    parts = []
    for key in ("backbone", "attention", "head"):
        if use := option(recipe, "model", key, "use"):
            weights = option(recipe, "model", key, "weights")
            parts.append(f"{use} ({weights} weights)" if weights else use)
    if not parts:
        return ""
    size, loss = option(recipe, "image", "size"), option(recipe, "loss", "use")
    text = " + ".join(parts) + (f", {size} px" if size else "")
    text += f", {loss} loss" if loss else ""
    return text + (f", seed {recipe['seed']}" if "seed" in recipe else "") + "."


def _data(result: RunRecord) -> str:
    broken = len(result.samples.broken)
    text = f"{counted(len(result.samples), 'image')} listed"
    text += f", {broken:,} unreadable and left out" if broken else ""
    sides = [
        f"{len(rows):,} {name}"
        for fold in result.folds[:1]
        for name, rows in {
            "training": fold.train,
            "validation": fold.validation,
            "test": fold.test,
        }.items()
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
    """A row per phase: what was trained, for how long, where it was best, why it ended.

    Many folds are put together, each figure from its lowest to its highest.
    """
    folds = len({log.fold for log in result.phases})
    together = folds > 1 and len(result.phases) > FEW
    groups: dict[tuple[int, str], list[Any]] = {}
    for log in result.phases:
        groups.setdefault((0 if together else log.fold, log.phase), []).append(log)
    losses = {
        (log.fold, log.phase, log.epoch): (
            log.train_loss if log.validation_loss is None else log.validation_loss
        )
        for log in result.epochs
    }
    rows = []
    for (fold, phase), logs in groups.items():
        row = {"fold": str(fold + 1), "phase": phase}
        row["parameters"] = _range([log.trainable for log in logs])
        row["epochs"] = _range([log.epochs for log in logs])
        row["best"] = _range([log.best_epoch for log in logs])
        best = losses.get((fold, phase, logs[0].best_epoch))
        row["its loss"] = "" if best is None else f"{best:.4f}"
        row["ended"] = "; ".join(dict.fromkeys(log.stopped for log in logs))
        if together or folds == 1:
            del row["fold"]
        if together:
            del row["its loss"]
        rows.append(row)
    caption = f"Over {folds} folds." if together else ""
    return Table(
        columns=tuple(rows[0]), rows=tuple(tuple(row.values()) for row in rows), caption=caption
    )


def _range(values: list[int]) -> str:
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,}–{high:,}"


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
    for name, label, colour, dashes, marker, panel in CURVES:
        style: dict[str, Any] = {"color": colour, "linestyle": dashes, "marker": marker}
        for place, fold in enumerate(dict.fromkeys(log.fold for log in result.epochs)):
            logs = [log for log in result.epochs if log.fold == fold]
            points = [(starts[log.phase] + log.epoch, getattr(log, name)) for log in logs]
            known = [(x, y) for x, y in points if y is not None]
            if known:
                x, y = zip(*known, strict=True)
                one = "_" if place else label  # matplotlib leaves it out of the legend
                panels[panel].plot(x, y, label=one, linewidth=1.3, markersize=4, **style)
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
