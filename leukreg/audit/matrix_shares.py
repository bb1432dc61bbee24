"""A confusion matrix of shares instead of counts: of each row, of each column, or of the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from leukreg.audit.printed_figure import Printed, printed

PARTS_OF = {"row": "recall", "column": "precision"}
"""What stands on the diagonal."""


@dataclass(frozen=True, slots=True)
class MatrixShares:
    """Shares between 0 and 1, ``cells[true][predicted]``, as printed."""

    cells: tuple[tuple[Printed, ...], ...]
    of: Literal["row", "column", "everything"]
    """What sums to 1."""

    @property
    def assumption(self) -> str:
        each = "all its cells sum" if self.of == "everything" else f"each {self.of} sums"
        return f"the confusion matrix holds shares, not counts: {each} to 1 (100 %)"


def shares_in(
    rows: Sequence[Sequence[object]], tested: Sequence[int | None]
) -> MatrixShares | None:
    """The shares that a square matrix holds; None where it holds counts, or anything else.

    Whole numbers are counts unless every row sums to 100 and no such numbers of test images are
    stated (``tested``, in the order of the rows; None where it is not known).
    """
    try:
        cells = [[printed(cell) for cell in row] for row in rows]
    except ValueError:
        return None
    if any(cell.value is None or cell.value < 0 for row in cells for cell in row):
        return None
    whole = all(isinstance(cell, int) for row in rows for cell in row)
    values = [cell.value or Fraction(0) for row in cells for cell in row]
    if whole and (max(values) <= 1 or all(n == 100 for n in tested)):
        return None
    per_cent = not any(cell.text.endswith("%") for row in cells for cell in row)
    if per_cent and max(values) > 1:
        cells = [[_hundredth(cell) for cell in row] for row in cells]
    columns = [list(column) for column in zip(*cells, strict=True)]
    everything = [cell for row in cells for cell in row]
    kept = tuple(tuple(row) for row in cells)
    if all(_sums_to_one(row, exactly=whole) for row in cells):
        return MatrixShares(kept, "row")
    if not whole and all(_sums_to_one(column) for column in columns):
        return MatrixShares(kept, "column")
    return MatrixShares(kept, "everything") if not whole and _sums_to_one(everything) else None


def _hundredth(cell: Printed) -> Printed:
    assert cell.value is not None
    return replace(cell, text=f"{cell.text} %", value=cell.value / 100, half=cell.half / 100)


def _sums_to_one(cells: Sequence[Printed], exactly: bool = False) -> bool:
    """Whether what was rounded, or cut off, to these may sum to 1."""
    total = sum((cell.value or Fraction(0) for cell in cells), Fraction(0))
    room = Fraction(0) if exactly else sum((2 * cell.half for cell in cells), Fraction(0))
    return abs(total - 1) <= room
