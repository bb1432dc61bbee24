"""Published figures beside those of the run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from leukreg import Reported, RunRecord, Score, Section, Table, plugin, rounded
from leukreg_plugins.audits.published_table import published
from leukreg_plugins.reporting.format import find, interval, positive
from leukreg_plugins.reporting.scores import NAMES

WHOLE = (
    "accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
    "f1",
    "specificity",
    "auc",
    "brier",
    "threshold",
)
OF_CLASSES = ("precision", "recall", "f1", "specificity")
Printed = Any
"""A figure of :class:`leukreg.Reported`, with its text and half a unit of its last digit."""


@plugin("reported")
class ReportedHere:
    """Published figures beside those of the run."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        for stated, read in zip(result.reported, published(result), strict=False):
            found = (whole(result, read), per_class(result, read), confusion(result, read))
            tables = tuple(one for one in found if one is not None and one.rows)
            if tables:
                source = stated.get("source") or stated.get("title")
                text = (f"As reported by {source}.",) if source else ()
                title = f"Reported{f' ({read.name})' if read.name else ''} and here"
                yield Section(title=title, text=text, tables=tables, order=40, page=26)


def whole(result: RunRecord, read: Reported) -> Table:
    """Figures of the whole; precision and its like belong to the positive class, else are means."""
    rows = (*_figures(result, read), *_facts(result, read))
    return Table(columns=("figure", "reported", "here", "95 % interval", "reported is"), rows=rows)


def _figures(result: RunRecord, read: Reported) -> Iterator[tuple[str, ...]]:
    label = positive(result)
    for name in WHOLE:
        printed, score, of = read.figure(name), find(result, name), ""
        if printed is None:
            continue
        if name in OF_CLASSES:
            score = find(result, name, label) if label else find(result, f"macro_{name}")
            of = f" ({label or 'macro'})"
        bounds = interval(score, max(3, _digits(printed)))
        here, standing = _like(score, printed), _standing(printed, score)
        yield f"{NAMES[name]}{of}", printed.text, here, bounds, standing


def _facts(result: RunRecord, read: Reported) -> Iterator[tuple[str, ...]]:
    """What is counted, and the best loss: of the run itself, not among its scores."""
    here = {"images": len(result.samples), "test_images": len(result.predictions)}
    for name, own in here.items():
        if (count := read.count(name)) is not None:
            yield name.replace("_", " "), f"{count:,}", f"{own:,}", "", ""
    if (printed := read.figure("best_validation_loss")) is not None:
        losses = result.validation_losses
        best = rounded(min(losses), max(3, _digits(printed))) if losses else "not recorded"
        yield "best validation loss", printed.text, best, "", ""


def per_class(result: RunRecord, read: Reported) -> Table:
    """Per class two lines: as reported, and here."""
    printed = {(label, name): value for label, name, value in read.per_class}
    supports = dict(read.supports)
    used = {name for _, name in printed}
    names = [name for name in (*OF_CLASSES, "auc") if name in used]
    rows = []
    for label in dict.fromkeys([*(label for label, _ in printed), *supports]):
        cells = []
        if supports:
            own = find(result, "support", label)
            here = "-" if own is None or own.value is None else f"{own.value:.0f}"
            cells.append(f"{supports.get(label, '-')}\n{here}")
        for name in names:
            value = printed.get((label, name))
            here = _like(find(result, name, label), value)
            cells.append(f"{'-' if value is None else value.text}\n{here}")
        rows.append((label, "reported\nhere", *cells))
    heads = [*(["images"] if supports else []), *(NAMES[name] for name in names)]
    return Table(columns=("class", "", *heads), rows=tuple(rows))


def confusion(result: RunRecord, read: Reported) -> Table | None:
    """Both matrices in one table, where they are of the same classes."""
    classes, matrix = result.predictions.classes, read.confusion
    if matrix is None or sorted(read.classes) != sorted(classes):
        return None
    place = [read.classes.index(name) for name in classes]
    rows = tuple(
        (label, *(f"{matrix[at][place[j]]} / {own}" for j, own in enumerate(line)))
        for label, at, line in zip(classes, place, result.confusion, strict=True)
    )
    return Table(columns=("true \\ answered", *classes), rows=rows, caption="reported / here")


def _digits(printed: Printed) -> int:
    """Decimals a figure was printed with, on the scale 0 to 1."""
    return min(6, len(str(printed.half.denominator // 2)) - 1)


def _like(score: Score | None, printed: Printed | None) -> str:
    if score is None:
        return "-"
    if score.value is None:
        return "undefined"
    return rounded(score.value, 3 if printed is None else max(3, _digits(printed)))


def _standing(printed: Printed, score: Score | None) -> str:
    if printed.undefined or score is None or score.value is None:
        return ""
    number, digits = float(printed), _digits(printed)
    if score.low is None or score.high is None:
        same = round(score.value, digits) == round(number, digits)
        return "the same" if same else "different"
    if number > score.high:
        return "higher"
    return "lower" if number < score.low else "inside"
