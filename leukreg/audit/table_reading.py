"""From the cells of a table to published figures: which label is a class, which a model, and in
which unit the figures stand.

A wrong reading is worse than a question: whatever is taken for granted is said in a sentence, and
where two readings are possible the table is refused with what to add to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from leukreg.audit.figures import AVERAGED, OF_CLASSES, figure_named, spelled
from leukreg.audit.printed_figure import printed
from leukreg.audit.table_axes import NUMBER, Unclear, Upright, axes_of, listed, upright
from leukreg.audit.table_forms import Grid
from leukreg.audit.table_headings import (
    CELLS_OF_TWO,
    Kind,
    figure_headed,
    mean_named,
    split_named,
)

MISSING = frozenset(
    {"", "-", "--", "---", "–", "—", "n/a", "na", "none", "/", "n.a.", "nr", "n.r."}
)
_COUNT = re.compile(r"[1-9]\d{0,2}(?:[ ,]\d{3})+|(?![1-9]\d{0,2}\.000$)\d+(?:\.0+)?")
"""Not "1.000", which is a thousand to some."""
_WORD = re.compile(r"[^\W\d]{3}")
_IN_PERCENT = re.compile(r"(?<!\b95)(?<!\b95 )%|per ?cent", re.IGNORECASE)


@dataclass(slots=True)
class TableReading:
    """What was made of a table: tables of ``[[reported]]``, and in sentences what was assumed."""

    tables: list[dict[str, Any]] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureCell:
    """One cell with a figure, and whose it is."""

    figure: str
    """As ``figure_named``; "support"; or a cell of a matrix of two classes: "tp" ..."""
    text: str
    column: int
    row: int
    labels: Mapping[Kind, str]


def read_figures(grid: Grid) -> TableReading | None:
    """The figures of a table; None where it has none.

    Raises:
        Unclear: It can be read in several ways.
    """
    table = upright(grid.rows)
    if table is None:
        return None
    reading = TableReading()
    entries = _in_one_unit(list(_entries(table, reading)), table, reading)
    reading.tables = list(_tables(_tested(entries, reading), reading))
    if not reading.tables:
        raise Unclear(f"none of its figures can be used; {'; '.join(reading.assumed)}")
    return reading


def _entries(table: Upright, reading: TableReading) -> Iterator[FigureCell]:
    head = table.rows[table.head]
    left_out: list[str] = []
    by_row, by_column = axes_of(table, left_out)
    if left_out:
        reading.assumed.append(f"left out: {listed(left_out)}, no figures that are checked")
    for r, row in enumerate(table.body):
        if len(set(row)) == 1 and len(row) > 1 and not NUMBER.match(row[0]):
            continue  # a heading across the table
        for c in table.figures:
            figure = CELLS_OF_TWO.get(spelled(head[c])) or figure_headed(head[c]) or "support"
            labels: dict[Kind, str] = {}
            for axis, at in [(axis, r) for axis in by_row] + [(axis, c) for axis in by_column]:
                if label := axis.labels.get(at):
                    before = f"{labels[axis.kind]}, " if axis.kind in labels else ""
                    labels[axis.kind] = before + label
            yield FigureCell(figure=figure, text=row[c], column=c, row=r, labels=labels)


def _in_one_unit(
    entries: list[FigureCell], table: Upright, reading: TableReading
) -> list[FigureCell]:
    """Figures in per cent with their sign, as far as heading or size of a column's figures say.

    Raises:
        Unclear: Some are below 1 and some above, so that either unit may be meant.
    """
    head = table.rows[table.head]
    marked: set[int] = set()
    for c in table.figures:
        own = [e for e in entries if e.column == c and e.figure not in ("support", *_CELLS)]
        bare = [e for e in own if "%" not in e.text and NUMBER.match(e.text)]
        sizes = [abs(float(NUMBER.match(e.text)[0].replace(",", "."))) for e in bare]  # type: ignore[index]
        small = [size for size in sizes if 0 < size <= 1]
        is_said = bool(_IN_PERCENT.search(head[c]))
        if (is_said or any(size > 1 for size in sizes)) and small:
            raise Unclear(
                f"under {head[c]!r} stands {bare[sizes.index(small[0])].text}: per cent or a "
                "fraction? Write a % sign behind every figure in per cent"
            )
        if is_said or any(size > 1 for size in sizes):
            marked.add(c)
            if not is_said and bare:
                reading.assumed.append(f"{head[c]} is in per cent: its figures are above 1")
    return [
        replace(e, text=NUMBER.sub(lambda number: f"{number[0]} %", e.text, count=1))
        if e.column in marked and "%" not in e.text and e.figure not in ("support", *_CELLS)
        else e
        for e in entries
    ]


_CELLS = tuple(dict.fromkeys(CELLS_OF_TWO.values()))


def _tested(entries: Sequence[FigureCell], reading: TableReading) -> Iterator[FigureCell]:
    """Without what is missing, unreadable, or of other rows than those that were tested."""
    left_out: list[str] = []
    shifted = {
        e.row for e in entries if re.search(r"^[^\W\d]{3}", e.text) and not _readable(e.text)
    }
    for row in sorted(shifted):
        of = ", ".join(next(e.labels.values() for e in entries if e.row == row))
        words = next(e for e in entries if e.row == row and re.search(r"^[^\W\d]{3}", e.text))
        left_out.append(f"{of}: {words.text!r} stands where its {words.figure} belongs")
    for entry in entries:
        if entry.row in shifted:
            continue
        if entry.text.strip().lower() in MISSING:
            continue
        split = split_named(entry.labels.get("split", "test"))
        if split == "validation" and entry.figure == "accuracy" and "class" not in entry.labels:
            yield replace(entry, figure="validation_accuracy")
        elif split != "test":
            left_out.append(f"{split} {entry.figure}")
        elif entry.figure == "support" or entry.figure in _CELLS:
            if _COUNT.fullmatch(entry.text):
                yield entry
            elif mean_named(entry.labels.get("class", "")) or _whole(entry):
                pass  # of the accuracy as pandas prints it
            else:
                left_out.append(f"{entry.figure} {entry.text!r}")
        elif _readable(entry.text):
            yield entry
        else:
            left_out.append(f"{entry.figure} {entry.text!r}")
    if left_out:
        reading.assumed.append(f"left out: {listed(left_out)}")


def _readable(text: str) -> bool:
    try:
        printed(text)
    except ValueError:
        return False
    return True


def _whole(entry: FigureCell) -> str | None:
    """The figure that a row among those of the classes names: scikit-learn's accuracy."""
    return figure_named(entry.labels.get("class", ""))


def _tables(entries: Iterator[FigureCell], reading: TableReading) -> Iterator[dict[str, Any]]:
    """One table for each model, data set and fold."""
    groups: dict[tuple[Any, ...], list[FigureCell]] = {}
    for entry in entries:
        by_class = "class" in entry.labels or "split" in entry.labels
        whose = tuple(entry.labels.get(kind, "") for kind in ("model", "dataset", "run"))
        groups.setdefault((*whose, -1 if by_class else entry.row), []).append(entry)
    runs = len({run for _, _, run, _ in groups if run and not mean_named(run)})
    for (model, dataset, run, _), own in groups.items():
        table: dict[str, Any] = {}
        if mean_named(model) or mean_named(dataset):
            reading.assumed.append(f"left out: {model or dataset}, which is no one test")
            continue
        if run and mean_named(run):
            if mean_named(run) == "none":
                continue
            table["folds"], run = runs, ""
        elif run:
            run = f"fold {run}" if run.isdecimal() else run
        if name := ", ".join(filter(None, (model, run))):
            table["model"] = name
        if dataset:
            table["dataset"] = dataset
        _fill(table, own, reading)
        if not table.keys() <= {"model", "dataset", "folds", "test_images"}:
            yield table


def _fill(table: dict[str, Any], entries: Sequence[FigureCell], reading: TableReading) -> None:
    """
    Raises:
        Unclear: A figure stands twice, with different values.
    """
    rows: dict[str, dict[str, Any]] = {}
    cells: dict[str, int] = {}
    for entry in entries:
        label = entry.labels.get("class", "")
        if entry.figure in _CELLS and not label:
            cells[entry.figure] = _counted(entry.text)
            continue
        where, key = _place(entry, label)
        if not key:
            reading.assumed.append(
                f"left out: {label} {entry.figure} {entry.text}".replace("  ", " ")
            )
            continue
        value = _counted(entry.text) if entry.figure == "support" else entry.text
        into = rows.setdefault(label, {}) if where == "class" else table
        if into.setdefault(key, value) != value:
            raise Unclear(
                f"{' '.join(filter(None, (label, key)))} stands twice: {into[key]} and {value}"
            )
    if len(cells) == len(_CELLS):
        table |= {"classes": ["negative", "positive"], "positive": "positive"}
        table["confusion"] = [[cells["tn"], cells["fp"]], [cells["fn"], cells["tp"]]]
    elif cells:
        reading.assumed.append(
            f"left out: {listed([c.upper() for c in cells])}, without the others"
        )
    if rows:
        table["per_class"] = rows


def _place(entry: FigureCell, label: str) -> tuple[str, str]:
    """Whether a figure is one of a class or of the whole, and its key; "" where it has none."""
    mean, figure = mean_named(label), entry.figure
    if figure == "support":
        return (
            ("class", figure) if label and not mean and not _whole(entry) else ("", "test_images")
        )
    if not label:
        return "", figure
    if mean == "none":
        return "", ""
    if mean in ("macro", "weighted", "micro"):
        return "", f"{mean}_{figure}" if figure in AVERAGED else ""
    if mean:
        return "", "" if mean == "mean" and figure == "accuracy" else figure
    if whole := _whole(entry):
        return "", whole
    return "class", figure if figure in OF_CLASSES else ""


def _counted(text: str) -> int:
    return int(re.sub(r"[ ,]|\.0+$", "", text))
