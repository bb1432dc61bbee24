"""Scores and the confusion matrix: tables for the console and the page, figures for the page."""

from __future__ import annotations

import string
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from leukreg import STYLE, RunRecord, Score, Section, Table, plugin
from leukreg_plugins.reporting.format import (
    BLUE,
    FAINT,
    WIDTH,
    cells_have_labels,
    find,
    interval,
    left_out,
    most_rows,
    number,
    overall,
)
from leukreg_plugins.reporting.verdict import strongest_probe

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@plugin("per-class")
class PerClassReport:
    """Precision, recall, F1 and specificity of each class with intervals."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        if not cells_have_labels(result):
            return
        yield Section(
            title="Each class",
            text=undefined_reasons(result),
            tables=(per_class(result),),
            order=10,
            page=24,
            figure=partial(class_figure, result),
            caption="Figures of each class with their 95 % intervals.",
        )


@plugin("confusion")
class Confusion:
    """The confusion matrix: true classes down, answers across."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        if not cells_have_labels(result):
            return
        yield Section(
            title="Confusion",
            tables=(confusion(result),),
            order=20,
            page=30,
            figure=partial(confusion_figure, result),
            caption="Images by true class and answer; the darker a cell, the larger its share "
            "of the true class. Framed: right answers.",
        )


@plugin("page-confusion")
class PageConfusion:
    """The whole confusion matrix by name, where the console has to shorten it."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        if not cells_have_labels(result):
            return
        classes = result.predictions.classes
        if confusion(result).columns[1:] != classes:
            counts = zip(classes, result.confusion, strict=True)
            rows = tuple((name, *(f"{count:,}" for count in line)) for name, line in counts)
            table = Table(columns=("true \\ answered", *classes), rows=rows)
            yield Section(title="Confusion by name", tables=(table,), order=31, console=False)


@plugin("whole")
class WholeReport:
    """The figures over all classes with intervals."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        if not cells_have_labels(result):
            return
        how = how_bounded(result)
        of = "These are figures of cells; those of patients stand under Patients."
        yield Section(
            title="All classes together",
            text=tuple(filter(None, (of if result.patients else "", how))),
            tables=(whole(result),),
            order=30,
            page=20,
            figure=partial(overall_figure, result),
            caption="Figures over all classes with their 95 % intervals. Dotted: beside the "
            "accuracy, always answering the most frequent class; beside the balanced accuracy, "
            "the strongest guess without a look at the cells.",
        )


@plugin("page-curves")
class PageCurves:
    """ROC and precision-recall curves with bands and the chosen threshold."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        from leukreg_plugins.reporting import roc_curves

        if not cells_have_labels(result):
            return

        classes = roc_curves.chosen(result)
        if not classes:
            return
        how = roc_curves.says(result)
        text: tuple[str, ...] = (how,) if how else ()
        if len(classes) > 1:
            text += left_out(result, len(classes), "Each class against the rest;")
        else:
            text += (roc_curves.threshold(result),)
        with_bands = ", with 95 % bands" if how else ""
        for order, name, title, dotted in (
            (32, "auc", "ROC", "chance"),
            (33, "average_precision", "Precision and recall", "the class's share of the images"),
        ):
            yield Section(
                title=title,
                text=text,
                figure=partial(roc_curves.figure, result, name),
                caption=f"{title}{with_bands}. The dotted line is {dotted}.",
                order=order,
                console=False,
            )


NAMES = {
    "accuracy": "accuracy",
    "majority_baseline": "majority baseline",
    "balanced_accuracy": "balanced accuracy",
    "macro_precision": "macro precision",
    "macro_f1": "macro F1",
    "macro_specificity": "macro specificity",
    "mcc": "MCC",
    "auc": "AUC",
    "average_precision": "average precision",
    "nll": "log loss (NLL)",
    "brier": "Brier score",
    "ece": "calibration error (ECE)",
    "threshold": "threshold",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "specificity": "specificity",
}
PER_CLASS = ("precision", "recall", "f1", "specificity")
_SAME = {"macro_recall"}
"""Equal to the balanced accuracy, as macro specificity is with two classes."""
_ELSEWHERE = ("raw_", "set_")
"""Begin the names of figures that have a section of their own."""
COLUMNS = 76


def per_class(result: RunRecord) -> Table:
    """A row per class: support, then each figure above its interval."""
    classes = result.predictions.classes
    fits = len(classes) > 2 and max(map(len, classes)) <= 12
    figures = [*PER_CLASS, *(["auc"] if fits else [])]
    rows = []
    for label in classes:
        support = find(result, "support", label)
        images = "" if support is None or support.value is None else f"{support.value:.0f}"
        rows.append((label, images, *(_cell(find(result, name, label)) for name in figures)))
    return Table(columns=("class", "images", *(NAMES[name] for name in figures)), rows=tuple(rows))


def _cell(score: Score | None) -> str:
    if score is None:
        return ""
    bounds = interval(score, 2)
    return number(score.value) + (f"\n{bounds}" if bounds else "")


def undefined_reasons(result: RunRecord) -> tuple[str, ...]:
    """Why figures of classes are undefined, one line per reason."""
    reasons: dict[str, list[str]] = {}
    for score in result.scores:
        if score.label is not None and score.value is None and score.name in PER_CLASS:
            reasons.setdefault(score.why, []).append(NAMES[score.name])
    return tuple(f"Undefined {', '.join(names)}: {why}." for why, names in reasons.items())


def whole(result: RunRecord) -> Table:
    """The figures over all classes, with intervals, or the reason why there is none."""
    same = _SAME | ({"macro_specificity"} if len(result.predictions.classes) == 2 else set())
    found = {s.name: s for s in result.scores if s.label is None and s.name not in same}
    raw = {name.removeprefix("raw_") for name in found if name.startswith("raw_")}
    own = {name for name in found if name.startswith(_ELSEWHERE)}
    own |= {f"{name}_change" for name in raw}
    found = {name: score for name, score in found.items() if name not in own}
    names = [name for name in NAMES if name in found]
    names += [name for name in found if name not in NAMES]
    rows = tuple(_line(overall(result, name) or found[name]) for name in names)
    return Table(columns=("figure", "value", "95 % interval", ""), rows=rows)


def _line(score: Score) -> tuple[str, str, str, str]:
    bounds = interval(score)
    said = score.name in ("majority_baseline", "threshold") or score.value is None
    note = score.why if said or (not bounds and "no interval" in score.why) else ""
    if score.low is not None and score.value is not None and score.value < score.low:
        note = "resampling raises it"
    of = f" of {score.label}" if score.label else ""
    return NAMES.get(score.name, score.name) + of, number(score.value), bounds, note


def how_bounded(result: RunRecord) -> str:
    """How the intervals were made, from the scores themselves: the accuracy's, or another's."""
    for score in sorted(result.scores, key=lambda score: score.name != "accuracy"):
        if score.low is not None:
            how = next((part for part in score.why.split("; ") if "bootstrap" in part), score.why)
            note = "; the threshold is held fixed" if result.threshold is not None else ""
            equal = any(s.low is not None and s.low == s.high for s in result.scores)
            ends = " Where both ends are equal no resample differed; that does not mean certainty."
            return f"Intervals: {how}{note}.{ends * equal}"
    return ""


def confusion(result: RunRecord) -> Table:
    """Rows are true classes, columns answers; lettered where names do not fit 80 columns."""
    classes = result.predictions.classes
    if len(classes) > 20:
        return _confused_most(result)
    cells = [[f"{n:,}" if n else "·" for n in line] for line in result.confusion]
    widths = [max(len(c), *(len(row[i]) for row in cells)) + 2 for i, c in enumerate(classes)]
    if sum(widths) + max(map(len, classes)) <= COLUMNS and len(classes) <= 12:
        rows = tuple((name, *row) for name, row in zip(classes, cells, strict=True))
        return Table(columns=("true \\ answered", *classes), rows=rows)
    letters = string.ascii_lowercase[: len(classes)]
    rows = tuple(
        (f"{letter}  {name}", *row)
        for letter, name, row in zip(letters, classes, cells, strict=True)
    )
    return Table(columns=("true \\ answered", *letters), rows=rows)


def _confused_most(result: RunRecord) -> Table:
    classes = result.predictions.classes
    pairs = [
        (count, classes[i], classes[j])
        for i, line in enumerate(result.confusion)
        for j, count in enumerate(line)
        if count and i != j
    ]
    pairs.sort(key=lambda pair: -pair[0])
    rows = tuple((true, answered, f"{count:,}") for count, true, answered in pairs[:20])
    return Table(
        columns=("true", "answered", "images"), rows=rows, caption="The 20 most frequent mistakes."
    )


MOST = 25
"""Classes that get a line."""
LARGEST = 20
"""Classes of a matrix that can be read."""
OVERALL = ("accuracy", "balanced_accuracy", "macro_f1", "mcc", "auc", "average_precision")


def overall_figure(result: RunRecord) -> Figure | None:
    """The figures over all classes with intervals; the majority baseline is a dotted line."""
    from matplotlib.figure import Figure

    found = [(NAMES[name], overall(result, name)) for name in OVERALL]
    scores = [(name, score) for name, score in found if score is not None]
    if not scores:
        return None
    drawn = Figure(figsize=(WIDTH, 0.9 + 0.32 * len(scores)))
    axes = drawn.subplots()
    for place, (_, score) in enumerate(scores):
        _point(axes, place, score)
    names = [name for name, _ in scores]
    majority, probe = find(result, "majority_baseline"), strongest_probe(result)
    blind = {"accuracy": majority.value if majority else None,
             "balanced accuracy": probe.reached if probe else None}  # fmt: skip
    for name, value in blind.items():
        if value is not None and name in names:
            ends = [names.index(name) - 0.5, names.index(name) + 0.5]
            axes.plot([value] * 2, ends, color=FAINT, linestyle=":", linewidth=2)
    low = min([0.0, *(s.low if s.low is not None else s.value or 0.0 for _, s in scores)])
    axes.set_xlim(low - 0.02, 1.02)
    _rows(axes, names)
    return drawn


def class_figure(result: RunRecord) -> Figure | None:
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


def confusion_figure(result: RunRecord) -> Figure | None:
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
            _square(axes, true, answered, count, sum(line))
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


def _square(axes: Axes, true: int, answered: int, count: int, total: int) -> None:
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
