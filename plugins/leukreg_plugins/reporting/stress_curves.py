"""Figures on changed test images, the worst change first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from leukreg import STYLE, RunRecord, Score, Section, Table, plugin, record, rounded
from leukreg_plugins.audits.finding import counted
from leukreg_plugins.reporting.format import (
    BLUE,
    FAINT,
    GREEN,
    WIDTH,
    interval,
    number,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = (("balanced_accuracy", "balanced accuracy", BLUE), ("accuracy", "accuracy", GREEN))
TINY = 1e-6
"""Difference of a probability that is put down to another machine or batch."""


@plugin("changed-images")
class StressReport:
    """Figures on changed test images, the worst change first."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        stress = result.stress
        if stress is None or not stress.changes:
            return
        yield Section(
            title="Changed images",
            text=tuple(lines(stress)),
            tables=(table(stress),),
            figure=partial(figure, stress),
            caption="Balanced accuracy and accuracy with 95 % bands, step by step, the worst "
            "change first; in grey, the sensitivity of each class. 0: as they are.",
            order=45,
            page=42,
        )
        yield Section(
            title="Changed images, step by step",
            tables=(steps_table(stress),),
            order=46,
            page=43,
            console=False,
        )


def score(step: tuple[Score, ...], name: str, label: str | None = None) -> Score | None:
    return next((one for one in step if one.name == name and one.label == label), None)


def worst_first(stress: record.Stress) -> list[record.StressChange]:
    """By the mean loss of balanced accuracy over the steps."""

    def loss(change: record.StressChange) -> float:
        values = [step.loss.value or 0.0 for step in change.steps]
        return sum(values) / len(values)

    return sorted(stress.changes, key=loss, reverse=True)


def lines(stress: record.Stress) -> Iterator[str]:
    """What was changed, and how the figures were made."""
    taken = counted(stress.images, "test image")
    if stress.images < stress.of:
        taken += f" of {stress.of:,}"
        taken += f" (at most {stress.each:,} of a class)" if stress.each else ""
    yield f"{taken}, each seen by its fold's own model, changed in steps."
    if stress.lost:
        yield f"! {counted(stress.lost, 'image')} gone or changed since the run, and left out."
    if stress.difference > TINY:
        yield (
            f"As they are, the models' probabilities differ by up to {stress.difference:.2g} from "
            "the run's own: other images stand beside them, or the machine is another."
        )
    whole = score(stress.scores, "balanced_accuracy")
    if whole is not None:
        yield f"Balanced accuracy of the images as they are: {number(whole.value)}{_bounds(whole)}."
    yield f"Intervals: {stress.how}."


def _bounds(one: Score) -> str:
    return f" ({interval(one)})" if interval(one) else ""


def table(stress: record.Stress) -> Table:
    """A row for each change: balanced accuracy step by step, and what the last step costs."""
    rows = []
    for change in worst_first(stress):
        each = [score(step.scores, "balanced_accuracy") for step in change.steps]
        last = change.steps[-1]
        rows.append(
            (
                change.name,
                " ".join(number(one.value if one else None, 2) for one in each),
                last.said,
                _loss(last.loss),
                _most_hurt(stress, last),
            )
        )
    return Table(
        columns=("change", "balanced accuracy, by step", "last step", "lost", "most hurt"),
        rows=tuple(rows),
        caption="Worst first. Lost: balanced accuracy less than without the change, and its 95 % "
        "interval. Most hurt: the class whose sensitivity fell most, from and to.",
    )


def steps_table(stress: record.Stress) -> Table:
    """A row for each step, with the sensitivity of each class."""
    names = [one.label or "" for one in stress.scores if one.name == "sensitivity"]
    rows = [("as they are", "", *_cells(stress.scores, names))]
    rows += [
        (change.name, step.said, *_cells(step.scores, names))
        for change in worst_first(stress)
        for step in change.steps
    ]
    columns = ("change", "step", "accuracy", "balanced accuracy", *names)
    return Table(columns=columns, rows=tuple(rows), caption="Every step; classes: sensitivity.")


def _cells(scores: tuple[Score, ...], names: list[str]) -> tuple[str, ...]:
    keys = [("accuracy", None), ("balanced_accuracy", None), *(("sensitivity", n) for n in names)]
    found = [score(scores, name, label) for name, label in keys]
    return tuple("" if one is None else f"{number(one.value)}{_bounds(one)}" for one in found)


def _loss(one: Score) -> str:
    if one.value is None:
        return number(None)
    text = rounded(one.value, 2)
    if one.low is None or one.high is None:
        return text
    return f"{text} ({rounded(one.low, 2)} to {rounded(one.high, 2)})"


def _most_hurt(stress: record.Stress, step: record.StressStep) -> str:
    fell = []
    for one in stress.scores:
        now = score(step.scores, "sensitivity", one.label) if one.label else None
        if now is not None and one.value is not None and now.value is not None:
            fell.append((one.value - now.value, one.label, one.value, now.value))
    if not fell or max(fell)[0] <= 0:
        return ""
    _, label, before, after = max(fell)
    return f"{label}: {rounded(before, 2)} to {rounded(after, 2)}"


COLUMNS = 3


def figure(stress: record.Stress) -> Figure:
    """A panel for each change: balanced accuracy and accuracy with bands, classes in grey."""
    from matplotlib.figure import Figure

    changes = worst_first(stress)
    down = -(-len(changes) // COLUMNS)
    drawn = Figure(figsize=(WIDTH, 2.1 * down + 0.4), layout="constrained")
    grid = drawn.subplots(down, COLUMNS, squeeze=False, sharey=True)
    for place, axes in enumerate(grid.flat):
        if place >= len(changes):
            axes.set_visible(False)
            continue
        _panel(axes, stress, changes[place])
    drawn.legend(*grid.flat[0].get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return drawn


def _panel(axes: Axes, stress: record.Stress, change: record.StressChange) -> None:
    steps = [stress.scores, *(step.scores for step in change.steps)]
    places = range(len(steps))
    for name in [one.label for one in stress.scores if one.name == "sensitivity"]:
        found = [score(step, "sensitivity", name) for step in steps]
        values = [float("nan") if one is None or one.value is None else one.value for one in found]
        axes.plot(places, values, color=FAINT, linewidth=0.6, linestyle="-")
    for key, says, colour in SHOWN:
        known = [one for step in steps if (one := score(step, key)) is not None]
        values = [float("nan") if one.value is None else one.value for one in known]
        axes.plot(places, values, color=colour, label=says, marker="o", markersize=3)
        if all(one.low is not None and one.high is not None for one in known):
            low, high = [one.low or 0.0 for one in known], [one.high or 0.0 for one in known]
            axes.fill_between(places, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.set_title(STYLE.names([change.name])[0])
    axes.set_ylim(-0.02, 1.02)
    levels = [f"{step.level:g}".removeprefix("0") for step in change.steps]
    axes.set_xticks(list(places), ["0", *levels], fontsize=7)
