"""A confusion matrix of shares instead of counts: of each row, of each column, or of the whole."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal

from leukreg.audit.cp_sat import Model
from leukreg.audit.figures import said
from leukreg.audit.printed_figure import Printed, printed
from leukreg.audit.readings import RATIOS, ratio, whole

PARTS_OF = {"row": "recall", "column": "precision"}
"""What stands on the diagonal."""
LabelledFigure = tuple[str, str, Printed]
MOST_ROWS = 100_000
"""Of a test whose size is not stated."""
EFFORT = 0.1
"""CP-SAT's deterministic time for one search."""


@dataclass(frozen=True, slots=True)
class MatrixShares:
    """Shares between 0 and 1, ``cells[true][predicted]``, as printed."""

    cells: tuple[tuple[Printed, ...], ...]
    of: Literal["row", "column", "everything"]
    """What sums to 1."""
    as_printed: bool = True
    """Whether its rows are those that are printed, not its columns."""

    @property
    def assumption(self) -> str:
        other = {"row": "column", "column": "row"}
        side = self.of if self.as_printed else other.get(self.of, self.of)
        each = "all its cells sum" if self.of == "everything" else f"each {side} sums"
        return f"the confusion matrix holds shares, not counts: {each} to 1 (100 %)"

    def turned(self) -> MatrixShares:
        """The same, where its rows are the predicted classes."""
        of: dict[str, Literal["row", "column"]] = {"row": "column", "column": "row"}
        cells = tuple(zip(*self.cells, strict=True))
        return MatrixShares(cells, of.get(self.of, "everything"), not self.as_printed)

    def diagonal(
        self, classes: Sequence[str], stated: Sequence[LabelledFigure] = ()
    ) -> Iterator[LabelledFigure]:
        """The figures of classes that stand on its diagonal, marked where the table states them."""
        name = PARTS_OF.get(self.of)
        told = {(label, figure) for label, figure, _ in stated}
        for i, label in enumerate(classes[: len(self.cells)] if name else ()):
            cell = self.cells[i][i]
            again = replace(cell, text=f"{cell.text} (matrix)")
            yield label, name or "", again if (label, name) in told else cell

    def beyond(
        self, classes: Sequence[str], supports: Mapping[str, int], figures: Iterable[LabelledFigure]
    ) -> Iterator[str]:
        """Figures of the classes, and the accuracy, that no counts with these shares print, a
        sentence each; nothing where that stays undecided.

        Args:
            supports: Images per class, where they are known.
        """
        own = [one for one in figures if _ratio_of(one, [(0, 0, 0)] * len(classes), classes, 0)]
        known = [supports.get(label) for label in classes]
        if not own or self._prints(own, classes, known) is not False:
            return
        alone = [one for one in own if self._prints([one], classes, known) is False]
        for label, name, value in alone:
            yield f"{said(name, label)} {value.quoted(name)} comes from no counts of these shares"
        if not alone:
            yield "no counts of these shares print all figures together"

    def _prints(
        self,
        figures: Iterable[LabelledFigure],
        classes: Sequence[str],
        supports: Sequence[int | None],
    ) -> bool | None:
        """Whether counts of these shares, rounded or cut off, print the figures."""
        model, every = Model(), range(len(classes))
        most = MOST_ROWS if None in supports else sum(n or 0 for n in supports)
        counts = [[model.number(0, most) for _ in every] for _ in every]
        rows = [sum(counts[i]) for i in every]
        columns = [sum(row[j] for row in counts) for j in every]
        n = sum(rows)
        model.hold(n >= 1, n <= most)
        model.hold(*(rows[i] == s for i, s in enumerate(supports) if s is not None))
        for i, j in itertools.product(every, every):
            base = {"row": rows[i], "column": columns[j], "everything": n}[self.of]
            _hold(model, counts[i][j], base, self.cells[i][j])
            model.hold(base >= 1)
        triples = [(rows[i], counts[i][i], columns[i]) for i in every]
        for one in figures:
            top, bottom = _ratio_of(one, triples, classes, n) or (0, 0)
            _hold(model, top, bottom, one[2])
        found, ended = model.solutions(rows, 1, EFFORT)
        return True if found else False if ended else None


def _ratio_of(
    figure: LabelledFigure, triples: Sequence[Any], classes: Sequence[str], n: Any
) -> tuple[Any, Any] | None:
    """Numerator and denominator of a figure of one class, or of the accuracy."""
    label, name, value = figure
    if value.undefined or value.holds(None):  # 0/0 may be printed so
        return None
    if label in classes and name in RATIOS:
        return ratio(name, triples[classes.index(label)], n)
    return whole(name, triples, n) if not label and name == "accuracy" else None


def _hold(model: Model, top: Any, bottom: Any, value: Printed) -> None:
    low, high = value.low, value.or_cut().high
    model.hold(low.denominator * top >= low.numerator * bottom)
    model.hold(high.denominator * top <= high.numerator * bottom)


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
        cells = [[cell.hundredth() for cell in row] for row in cells]
    columns = [list(column) for column in zip(*cells, strict=True)]
    everything = [cell for row in cells for cell in row]
    kept = tuple(tuple(row) for row in cells)
    if all(_sums_to_one(row, exactly=whole) for row in cells):
        return MatrixShares(kept, "row")
    if not whole and all(_sums_to_one(column) for column in columns):
        return MatrixShares(kept, "column")
    return MatrixShares(kept, "everything") if not whole and _sums_to_one(everything) else None


def _sums_to_one(cells: Sequence[Printed], exactly: bool = False) -> bool:
    """Whether what was rounded, or cut off, to these may sum to 1."""
    total = sum((cell.value or Fraction(0) for cell in cells), Fraction(0))
    room = Fraction(0) if exactly else sum((2 * cell.half for cell in cells), Fraction(0))
    return abs(total - 1) <= room
