"""From the cells of a table to a confusion matrix: its classes, and whether rows are the truth."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

from leukreg.audit.table_axes import Unclear, listed
from leukreg.audit.table_forms import Grid
from leukreg.audit.table_headings import is_figure
from leukreg.audit.table_reading import MISSING, TableReading

Side = Literal["true", "predicted", ""]
Cells = list[list[str]]

_TRUE = r"(?:actual(?:ly)?|true|truth|real|ground[ -]?truth|gt|reference|expected|tats\w*|wahr\w*)"
_PREDICTED = r"(?:predict\w*|pred|output|estimated|assigned|vorher\w*|prédi\w*|predich\w*)"
_WORDS = re.compile(rf"\b(?:({_TRUE})|({_PREDICTED}))\b", re.IGNORECASE)
_ARROW = re.compile(
    rf"(?:({_TRUE})|({_PREDICTED}))\W*?(?:class|label)?(?:es|s)?[^\w↓→]*([↓→])", re.IGNORECASE
)
_BESIDE_NAME = re.compile(
    rf"^\W*(?:{_TRUE}|{_PREDICTED})\b[\s:_\-]*(?:class|label|as)?\b[\s:_\-]*"
    rf"|\W*\b(?:{_TRUE}|{_PREDICTED})\b\W*$",
    re.IGNORECASE,
)
_SIDE_SAID = re.compile(
    rf"\b(rows?|columns?)[\s:=]*(?:(?:are|is|show|give|hold|mean)\s+)?(?:the\s+)?"
    rf"(?:({_TRUE})|({_PREDICTED}))\b",
    re.IGNORECASE,
)
"""A sentence such as "rows are the true classes"."""
_POLES = frozenset({"positive", "negative", "pos", "neg", "+", "-"})
_WHOLE = re.compile(r"[1-9]\d{0,2}(?:[ ,]\d{3})+|\d+")
"""Not "0,931"."""
_NUMBER = re.compile(
    r"([1-9]\d{0,2}(?:[ ,]\d{3})+|\d*[.,]?\d+)\s*(%?)(\s*[(\[]\s*[\d.,]+\s*%?\s*[)\]])?"
)
_SUMS = frozenset({"total", "sum", "totals", "sums", "overall", "support", "σ", "∑", "count"})
"""Not "all": that is a leukemia."""


def read_matrix(grid: Grid) -> TableReading | None:
    """The confusion matrix of a table; None where it is none.

    Raises:
        Unclear: It can be read in several ways.
    """
    if not grid.labelled:
        return _bare(grid.rows)
    first = next((r for r, row in enumerate(grid.rows) if sum(map(_number, row)) > 1), None)
    if first is None or not 1 <= first <= 3:
        return None
    left = next((c for c, cell in enumerate(grid.rows[first]) if _number(cell)), 0)
    if not 0 < left < 3 or sum(map(is_figure, grid.rows[first - 1][left:])) > 1:
        return None
    return _labelled(grid.rows, first, left, grid.caption)


def _number(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell))


def _bare(rows: Sequence[Sequence[str]]) -> TableReading | None:
    if len(rows) < 2 or any(len(row) != len(rows) for row in rows):
        return None
    if not all(_number(cell) for row in rows for cell in row):
        return None
    if _ends_in_sums(rows):
        raise Unclear("last row and column of the matrix are sums of the others; leave them out")
    classes = [f"class {i}" for i in range(len(rows))]
    said = "the matrix names no classes: they are class 0, class 1 ...; its rows are the true ones"
    return TableReading([{"classes": classes, "confusion": _values(rows)}], [said])


def _labelled(
    rows: Sequence[Sequence[str]], first: int, left: int, caption: str
) -> TableReading | None:
    names = [row[left - 1] for row in rows[first:]]
    heads = list(rows[first - 1][left:])
    body = [list(row[left:]) for row in rows[first:]]
    kept_rows = [i for i, name in enumerate(names) if not _is_sum(name)]
    kept_columns = [i for i, head in enumerate(heads) if not _is_sum(head)]
    names, heads = [names[i] for i in kept_rows], [heads[i] for i in kept_columns]
    cells = [[body[r][c] for c in kept_columns] for r in kept_rows]
    assumed = []
    if _ends_in_sums(cells):
        assumed.append(f"{names[-1]} is no class: its row and column are the sums of the others")
        names, heads, cells = names[:-1], heads[:-1], [row[:-1] for row in cells[:-1]]
    n = len(names)
    if n < 2 or len(heads) != n or not all(_cell(cell) for row in cells for cell in row):
        return None
    beside = [row[c] for row in rows[first:] for c in range(left)]
    above = [cell for row in rows[:first] for cell in row[left:]]
    corner = [rows[r][c] for r in range(first) for c in range(left)]
    across, down = _side(above), _side(beside)
    is_matrix = bool(across or down or _side(corner))
    classes = [_bared(name) for name in names]
    columns = [_bared(head) for head in heads]
    order = _order(classes, columns, is_matrix)
    if order is None or not all(classes) or len(set(classes)) != n or _correlations(cells):
        return None
    assumed += _named_apart(classes, columns)
    _decided_commas(cells)
    words = " ".join(dict.fromkeys(corner))
    rows_are, said = _told(" ".join((caption, words, *above))) or _rows_are(across, down, words)
    if said:
        assumed.append(said)
    if order != list(range(n)):
        assumed.append("the columns of the matrix are put in the order of its rows")
    if any(cell.lower() in MISSING for row in cells for cell in row):
        assumed.append("empty cells of the matrix are 0")
    ordered = [[row[i] for i in order] for row in cells]
    if rows_are == "predicted":
        ordered = [list(column) for column in zip(*ordered, strict=True)]
    table: dict[str, Any] = {"classes": classes, "confusion": _values(ordered)}
    return TableReading([table], assumed)


def _is_sum(name: str) -> bool:
    return name.strip(" :").lower() in _SUMS or is_figure(name)


def _cell(cell: str) -> bool:
    return cell.lower() in MISSING or _number(cell)


def _side(cells: Sequence[str]) -> Side:
    """What the words of one side say it is; "" where none or both."""
    sides = {"true" if true else "predicted" for cell in cells for true, _ in _WORDS.findall(cell)}
    return "" if len(sides) != 1 else "true" if "true" in sides else "predicted"


def _told(text: str) -> tuple[Side, str] | None:
    """What a sentence about the rows, or the columns, says the rows are."""
    if (said := _SIDE_SAID.search(text)) is None:
        return None
    side: Side = "true" if said[2] else "predicted"
    rows_are = side if said[1].lower().startswith("row") else _other(side)
    return rows_are, f"the rows of the matrix are the {rows_are} classes, as is said: {said[0]}"


def _rows_are(across: Side, down: Side, corner: str) -> tuple[Side, str]:
    """Whether the rows are the true classes, and how that is known where nothing plain says it.

    Raises:
        Unclear: Both sides are called the same.
    """
    if across and across == down:
        raise Unclear(
            f"rows and columns of the matrix are both called {across}; say which are true"
        )
    if side := down or _other(across):
        return side, ""
    if arrow := _ARROW.search(corner):
        side = "true" if arrow[1] else "predicted"
        return side if arrow[3] == "↓" else _other(side), ""
    if word := _WORDS.search(corner):
        side = "true" if word[1] else "predicted"
        return side, f"the rows of the matrix are the {side} classes, as its corner says: {corner}"
    return "true", "the rows of the matrix are the true classes, its columns the predicted ones"


def _other(side: Side) -> Side:
    return "predicted" if side == "true" else "true" if side else ""


def _bared(name: str) -> str:
    return _BESIDE_NAME.sub("", name).strip(" :") or name.strip()


def _order(classes: Sequence[str], heads: Sequence[str], is_matrix: bool) -> list[int] | None:
    """Where each class stands among the columns; None where these are other things."""
    small = [name.lower() for name in classes]
    found = [head.lower() for head in heads]
    if sorted(small) == sorted(found) and len(set(small)) == len(small):
        return [found.index(name) for name in small]
    short = all(
        b and (a.startswith(b) or b.startswith(a)) for a, b in zip(small, found, strict=True)
    )
    return list(range(len(small))) if short or (is_matrix and not set(small) & set(found)) else None


def _named_apart(classes: Sequence[str], columns: Sequence[str]) -> list[str]:
    """What is assumed where the columns have other names than the rows.

    Raises:
        Unclear: One side says positive and negative, the other does not.
    """
    rows_said, columns_said = ({name.lower() for name in names} for names in (classes, columns))
    if rows_said & columns_said:
        return []
    both = f"{listed(classes)} beside the rows, {listed(columns)} over the columns"
    if (rows_said & _POLES) != (columns_said & _POLES):
        raise Unclear(f"which class of the matrix is which? {both}; write the same names on both")
    return [f"the same classes in the same order: {both}"]


def _decided_commas(cells: Cells) -> None:
    """
    Raises:
        Unclear: "93,125" and "6,875" in a row: 100 % or a hundred thousand images.
    """
    commas = all(re.fullmatch(r"\d{1,3},\d{3}", cell) for row in cells for cell in row)
    if commas and all(
        abs(sum(int(c.replace(",", "")) for c in row) - 100_000) < 9 for row in cells
    ):
        raise Unclear(f"{cells[0][0]}: per cent or thousands? Write a % sign, or no comma")


def _ends_in_sums(cells: Sequence[Sequence[str]]) -> bool:
    """Whether the last row and column are the sums of the others, whatever they are called."""
    if len(cells) < 3 or any(len(row) != len(cells) for row in cells):
        return False
    if not all(_cell(cell) for row in cells for cell in row):
        return False
    values = _values(cells)
    if not all(isinstance(value, int) for row in values for value in row) or not values[-1][-1]:
        return False
    ways = (values, zip(*values, strict=True))
    return all(line[-1] == sum(line[:-1]) for way in ways for line in way)


def _correlations(cells: Cells) -> bool:
    """Whether this is a symmetric table of ones along the diagonal."""
    n = range(len(cells))
    ones = all(cells[i][i] in {"1", "1.0", "1.00", "1.000"} for i in n)
    symmetric = all(cells[i][j] == cells[j][i] for i in n for j in n)
    return ones and symmetric and any(_percent(c) for row in cells for c in row)


def _percent(cell: str) -> bool:
    return "." in cell or "," in cell or "%" in cell


def _values(cells: Sequence[Sequence[str]]) -> list[list[Any]]:
    """Counts as whole numbers, else everything as printed."""
    shown = [["0" if cell.lower() in MISSING else cell for cell in row] for row in cells]
    counts = [[_count(cell) for cell in row] for row in shown]
    return shown if any(None in row for row in counts) else counts


def _count(cell: str) -> int | None:
    """Of "1,234" and of "45 (90 %)" too."""
    match = _NUMBER.fullmatch(cell)
    whole = match and not match[2] and _WHOLE.fullmatch(match[1])
    return int(re.sub(r"[ ,]", "", whole[0])) if whole else None
