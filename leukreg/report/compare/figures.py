"""Figures side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from leukreg.audit.published_table import Reported
from leukreg.evaluate.scoring import Figures, main_ones, mean_of, of_classes
from leukreg.positive import positive_in
from leukreg.report.compare.columns import Column
from leukreg.report.compare.paired import paired_difference
from leukreg.text import rounded
from leukreg.types import RunResult, Score, Table

NO_METRICS = {
    "baseline_claimed": "baseline claimed",
    "threshold": "threshold",
    "best_validation_loss": "best val. loss",
    "final_validation_loss": "final val. loss",
}
"""Figures that papers print, or runs have, and no metric gives."""

COUNTED = "* not published: counted from the published test rows."


def paired(columns: Sequence[Column]) -> Iterator[str]:
    """Each run against the first one, on the images both scored."""
    runs = [(column.letter, column.result) for column in columns if column.result is not None]
    for letter, result in runs[1:]:
        first, before = runs[0]
        difference = paired_difference(before, result)
        if difference is not None:
            yield f"{letter} against {first} on the same images, {difference}"


def figures(columns: Sequence[Column], known: Figures) -> tuple[Table, ...]:
    """Figures of the whole; precision and its like are the positive class's, else means."""
    published = {name for c in columns if c.reported for name, _ in c.reported.figures}
    single = {figure.name: figure.title for figure in of_classes(known)}
    asked = {one.name: one.title for one in main_ones(known) if one.name not in single}
    asked |= NO_METRICS | {name: text for name, text in single.items() if name in published}
    rows = [
        (text, *(_whole(column, name, known) for column in columns)) for name, text in asked.items()
    ]
    kept = tuple(row for row in rows if any(row[1:]))
    caption = COUNTED if any(cell.endswith("*") for row in kept for cell in row) else ""
    heads = ("figure", *(column.head for column in columns))
    return (Table(columns=heads, rows=kept, caption=caption),) if kept else ()


def per_class(columns: Sequence[Column], known: Figures) -> tuple[Table, ...]:
    """Figures of each class, as they were printed or as the run has them."""
    rows: list[tuple[str, ...]] = []
    for label in dict.fromkeys(label for column in columns for label in _classes(column)):
        shown = [
            (one.title, *(_of_class(column, one.name, label) for column in columns))
            for one in of_classes(known)
        ]
        kept = [row for row in shown if any(row[1:])]
        rows += [("" if i else label, *row) for i, row in enumerate(kept)]
    heads = ("class", "figure", *(column.head for column in columns))
    return (Table(columns=heads, rows=tuple(rows)),) if rows else ()


def _classes(column: Column) -> tuple[str, ...]:
    if column.result is not None:
        return column.result.predictions.classes
    return column.reported.classes if column.reported is not None else ()


def _whole(column: Column, name: str, known: Figures) -> str:
    if column.reported is not None:
        if name == "majority_baseline":
            return _majority(column.reported)
        printed = column.reported.figure(name)
        return "" if printed is None else printed.text
    assert column.result is not None
    mean, label = mean_of(known, name), positive(column.result)
    if mean is not None:
        return _cell(column.result, name if label else mean, label)
    # Of two classes the positive one's: a mean over both is no point of any curve.
    own = any((score.name, score.label) == (name, label) for score in column.result.scores)
    return _cell(column.result, name, label if own else None)


def _majority(reported: Reported) -> str:
    """The baseline that follows from published test counts; nothing where they are not stated."""
    counts = reported.test_supports()
    if not reported.classes or set(counts) < set(reported.classes) or not sum(counts.values()):
        return ""
    return f"{rounded(max(counts.values()) / sum(counts.values()))}*"


def _of_class(column: Column, name: str, label: str) -> str:
    if column.reported is not None:
        printed = column.reported.of(label).get(name)
        return "" if printed is None else printed.text
    return "" if column.result is None else _cell(column.result, name, label)


def positive(result: RunResult) -> str | None:
    """The positive class of a binary run."""
    found = positive_in(result.recipe, result.predictions.classes)
    return found.name if found else None


def _cell(result: RunResult, name: str, label: str | None) -> str:
    score = next((s for s in result.scores if (s.name, s.label) == (name, label)), None)
    if name == "best_validation_loss":
        losses = [log.validation_loss for log in result.epochs if log.validation_loss is not None]
        score = Score(name=name, value=min(losses)) if losses else None
    if name == "threshold" and score is None and result.threshold is not None:
        score = Score(name=name, value=result.threshold)
    if score is None:
        return ""
    if score.value is None:
        return "undefined"
    if score.low is None or score.high is None:
        return rounded(score.value)
    return f"{rounded(score.value)}\n{rounded(score.low, 2)}–{rounded(score.high, 2)}"
