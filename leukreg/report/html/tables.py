"""Tables of a section, as the page and as CSV files have them."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from leukreg.report.tables import numeric
from leukreg.text import as_cell, visible
from leukreg.types import Table

MOST_ROWS = 200
"""Rows that the page shows; the file has them all."""
_MARKS = frozenset({"error", "warning", "note", "waived"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    lines: tuple[str, ...]
    mark: str = ""
    """A severity, where the cell is one."""
    number: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A table, ready for the template."""

    name: str
    """What a screen reader calls it."""
    caption: str
    head: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]
    entries: bool
    """A list of entries: a mark and lines of text."""
    left_out: int
    file: str


def shown(table: Table, name: str, file: str) -> Shown:
    """A table as the page shows it: cells by line, numbers known as such, not too many rows."""
    kept = table.rows[:MOST_ROWS]
    right = [
        place > 0 and numeric(row[place] for row in table.rows)
        for place in range(len(table.columns))
    ]
    return Shown(
        name=visible(table.caption or name),
        caption=visible(table.caption),
        head=tuple(_cell(c, n) for c, n in zip(table.columns, right, strict=True)),
        rows=tuple(tuple(_cell(c, n) for c, n in zip(row, right, strict=True)) for row in kept),
        entries=table.columns == ("", ""),
        left_out=len(table.rows) - len(kept),
        file=file,
    )


def _cell(text: str, number: bool) -> Cell:
    lines = tuple(visible(line) for line in text.split("\n"))
    return Cell(lines=lines, mark=text if text in _MARKS else "", number=number)


def as_csv(table: Table) -> bytes:
    """The table as a CSV file in UTF-8; lines of a cell are parted by semicolons.

    Texts are as :func:`leukreg.text.as_cell` has them, figures as they stand.
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(map(_plain, table.columns))
    writer.writerows(map(_plain, row) for row in table.rows)
    return buffer.getvalue().encode("utf-8")


def _plain(cell: str) -> str:
    return cell if numeric([cell]) and "\n" not in cell else as_cell("; ".join(cell.split("\n")))
