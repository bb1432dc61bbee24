"""Rebuild the confusion matrices that a table of printed figures can come from."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from leukreg.audit.marginals import FULL, Effort, Items, TooMany, class_items
from leukreg.audit.printed_figure import Printed
from leukreg.audit.published_table import Reported
from leukreg.audit.search import Marginals, loosely, search

Matrix = tuple[tuple[int, ...], ...]


def example(marginals: Marginals) -> Matrix:
    """One matrix with these marginals: wrong rows flow from true to predicted classes (Ford and
    Fulkerson, 1956), never to their own.

    Raises:
        ValueError: There is none.
    """
    k = len(marginals)
    rows = [s - t for s, t, _ in marginals]
    columns = [p - t for _, t, p in marginals]
    cells = [[0] * k for _ in range(k)]
    while any(rows):
        path = _augmenting(cells, rows, columns)
        if path is None:
            raise ValueError("no matrix has these marginals")
        amount = min(
            rows[path[0]],
            columns[path[-1]],
            *(cells[path[i + 1]][path[i]] for i in range(1, len(path) - 1, 2)),
        )
        for i in range(0, len(path) - 1, 2):
            cells[path[i]][path[i + 1]] += amount
        for i in range(1, len(path) - 1, 2):
            cells[path[i + 1]][path[i]] -= amount
        rows[path[0]] -= amount
        columns[path[-1]] -= amount
    for c, (_, t, _) in enumerate(marginals):
        cells[c][c] = t
    return tuple(tuple(row) for row in cells)


def _augmenting(cells: list[list[int]], rows: list[int], columns: list[int]) -> list[int] | None:
    """Row, column, row, ..., column: steps to a column add a wrong row, steps back take one off."""
    k = len(rows)
    paths = [[r] for r in range(k) if rows[r]]
    seen_rows = {path[0] for path in paths}
    seen_columns: set[int] = set()
    for path in paths:
        for column in range(k):
            if column == path[-1] or column in seen_columns:
                continue
            seen_columns.add(column)
            if columns[column]:
                return [*path, column]
            for row in range(k):
                if row not in seen_rows and row != column and cells[row][column]:
                    seen_rows.add(row)
                    paths.append([*path, column, row])
    return None


def is_only(matrix: Matrix) -> bool:
    """Whether no other matrix has the same marginals: nothing can be moved round a cycle."""
    k = len(matrix)
    return not any(
        _returns(matrix, row, column) for row in range(k) for column in range(k) if row != column
    )


def _returns(matrix: Matrix, start: int, column: int) -> bool:
    """Whether one more wrong row in this cell can be made up for by moving others."""
    k = len(matrix)
    columns, seen_rows = [column], {start}
    for at in columns:
        for row in range(k):
            if row == at or not matrix[row][at]:
                continue
            if row == start and at != column:
                return True
            if row not in seen_rows:
                seen_rows.add(row)
                columns += [c for c in range(k) if c != row and c not in columns]
    return False


MOST_ANSWERS = 1_000
LARGEST_TEST = 200_000
"""Tests with more rows are not searched."""
MOST_CLASSES = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconstruction:
    """What a table's figures can come from."""

    status: Literal["fits", "impossible", "undecided"]
    rows: int | None = None
    """Test rows."""
    answers: tuple[Marginals, ...] = ()
    """Support, true positives and predicted rows of each class; at most 1,000 answers."""
    complete: bool = False
    """Whether ``answers`` are all there are."""
    why: str = ""
    """Why nothing could be decided, or why the figures are impossible."""

    @property
    def matrix(self) -> Matrix | None:
        """A matrix that prints all figures, rows true in the order of the classes."""
        return example(self.answers[0]) if self.answers else None

    @property
    def unique(self) -> bool:
        """Whether one matrix, and no other, prints all figures."""
        matrix = self.matrix
        return bool(self.complete and len(self.answers) == 1 and matrix and is_only(matrix))


@dataclass(frozen=True, slots=True)
class Puzzle:
    """The figures of a table as constraints: each may be left out."""

    classes: tuple[str, ...]
    rows: int
    supports: tuple[tuple[str, int], ...]
    figures: tuple[tuple[str, str, Printed], ...]
    """Class ("" for the whole), figure, value."""

    def without(self, *left_out: int) -> Puzzle:
        kept = tuple(f for i, f in enumerate(self.figures) if i not in left_out)
        return Puzzle(self.classes, self.rows, self.supports, kept)

    def only(self, kept: tuple[int, ...]) -> Puzzle:
        figures = tuple(self.figures[i] for i in kept)
        return Puzzle(self.classes, self.rows, self.supports, figures)

    def of(self, label: str) -> dict[str, Printed]:
        return {name: value for owner, name, value in self.figures if owner == label}


def puzzle_of(reported: Reported) -> Puzzle | str:
    """The constraints of a table, or why there is nothing to solve."""
    rows = reported.test_total()
    if len(reported.classes) < 2:
        return "the classes are not named"
    if len(reported.classes) > MOST_CLASSES:
        return f"it has more than {MOST_CLASSES} classes"
    figures = figures_of(reported)
    if not figures:
        return "it prints no figure that follows from a confusion matrix"
    if rows is None:
        return "the number of test images is not stated"
    if not 0 < rows <= LARGEST_TEST:
        return f"a test of {rows} rows is not searched (1 to {LARGEST_TEST:,} are)"
    supports = tuple((c, n) for c, n in reported.test_supports().items() if c in reported.classes)
    if sum(n for _, n in supports) > rows:
        return "the stated supports sum to more than the test images"
    return Puzzle(reported.classes, rows, supports, figures)


def figures_of(reported: Reported) -> tuple[tuple[str, str, Printed], ...]:
    """The printed figures that follow from a confusion matrix: class ("" for the whole), name."""
    figures = [
        (label, name, value)
        for label in reported.classes
        for name, value in reported.of(label).items()
        if name != "auc"
    ]
    accuracy = reported.figure("accuracy")
    if accuracy is not None and not accuracy.undefined:
        figures.append(("", "accuracy", accuracy))
    balanced = reported.figure("balanced_accuracy")
    if balanced is not None and not balanced.undefined and len(reported.classes) == 2:
        figures.append(("", "balanced_accuracy", balanced))
    return tuple(figures)


@functools.lru_cache(maxsize=64)
def reconstruct(reported: Reported, limit: int = MOST_ANSWERS) -> Reconstruction:
    """All confusion matrices, up to ``limit``, whose figures print as reported.

    Exact: figures are intervals of fractions, counts whole numbers. "impossible" is proven, "fits"
    is shown by an answer, anything else is "undecided".
    """
    puzzle = puzzle_of(reported)
    if isinstance(puzzle, str):
        return Reconstruction(status="undecided", rows=reported.test_total(), why=puzzle)
    return solve(puzzle, limit)


def solve(puzzle: Puzzle, limit: int = MOST_ANSWERS, effort: Effort = FULL) -> Reconstruction:
    """As ``reconstruct``, for any choice of the figures."""
    hits = _hits(puzzle)
    n = puzzle.rows
    if hits[0] > hits[1]:
        return Reconstruction(status="impossible", rows=n, why="no count of hits prints so")
    try:
        classes = [_items(puzzle, label, hits, effort) for label in puzzle.classes]
    except TooMany:
        why = "there are too many candidates to search"
        return Reconstruction(status="undecided", rows=n, why=why)
    for label, items in zip(puzzle.classes, classes, strict=True):
        if len(items) == 0:
            return Reconstruction(status="impossible", rows=n, why=label)
    found, all_seen = _taken(puzzle, hits, classes, effort, limit)
    if not found and not all_seen:
        return _loose(puzzle, hits, classes, effort)
    status: Literal["fits", "impossible"] = "fits" if found else "impossible"
    return Reconstruction(status=status, rows=n, answers=found, complete=bool(found) and all_seen)


def _taken(
    puzzle: Puzzle, hits: tuple[int, int], classes: list[Items], effort: Effort, limit: int
) -> tuple[tuple[Marginals, ...], bool]:
    """At most ``limit`` answers, and whether they are all."""
    found: list[Marginals] = []
    try:
        for answer in _kept(puzzle, hits, classes, effort):
            if len(found) == limit:
                return tuple(found), False
            found.append(answer)
    except TooMany:
        return tuple(found), False
    return tuple(found), True


def _kept(
    puzzle: Puzzle, hits: tuple[int, int], classes: list[Items], effort: Effort
) -> Iterator[Marginals]:
    balanced = puzzle.of("").get("balanced_accuracy")
    for answer in search(puzzle.rows, hits, classes, effort):
        if balanced is None or balanced.holds(balanced_accuracy(answer)):
            yield answer


def balanced_accuracy(marginals: Marginals) -> Fraction | None:
    """Mean recall; None when a class has no rows."""
    if any(s == 0 for s, _, _ in marginals):
        return None
    return sum((Fraction(t, s) for s, t, _ in marginals), Fraction(0)) / len(marginals)


def _loose(
    puzzle: Puzzle, hits: tuple[int, int], classes: list[Items], effort: Effort
) -> Reconstruction:
    found = loosely(puzzle.rows, hits, classes, effort)
    if found is False:
        return Reconstruction(status="impossible", rows=puzzle.rows)
    if found is None or found is True or "balanced_accuracy" in puzzle.of(""):
        why = "the figures leave more candidates than are searched"
        return Reconstruction(status="undecided", rows=puzzle.rows, why=why)
    return Reconstruction(status="fits", rows=puzzle.rows, answers=(found,))


def _hits(puzzle: Puzzle) -> tuple[int, int]:
    accuracy = puzzle.of("").get("accuracy")
    if accuracy is None:
        return 0, puzzle.rows
    low, high = math.ceil(accuracy.low * puzzle.rows), math.floor(accuracy.high * puzzle.rows)
    return max(0, low), min(puzzle.rows, high)


def _items(puzzle: Puzzle, label: str, hits: tuple[int, int], effort: Effort) -> Items:
    known: Mapping[str, int] = dict(puzzle.supports)
    others = sum(n for c, n in known.items() if c != label)
    free = puzzle.rows - others
    unknown = [c for c in puzzle.classes if c not in known and c != label]
    low = known.get(label, 0 if unknown else free)
    high = known.get(label, free)
    return class_items(puzzle.rows, (low, high), puzzle.of(label), hits, effort)
