"""A published table, examined once: what it can come from, and what contradicts it."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from leukreg.audit.conflict import Conflict, Repair, conflict_of, ratio
from leukreg.audit.printed import Printed
from leukreg.audit.reconstruct import Puzzle, Reconstruction, figures_of, puzzle_of, reconstruct
from leukreg.audit.reported import Reported
from leukreg.audit.search import Marginals
from leukreg.audit.unsized import free_conflict

AVERAGED = ("precision", "recall", "f1", "specificity", "balanced_accuracy")
"""Figures of the whole that are means over the classes when there are more than two."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A printed figure that its own matrix, or every matrix of its own table, contradicts."""

    label: str
    name: str
    printed: Printed
    values: tuple[tuple[int, int], ...]
    """Numerator and denominator of what it must be; several where means may be taken in several
    ways."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What became of a table."""

    answer: Reconstruction
    """Of all figures together."""
    conflict: Conflict | None
    """Where that is impossible."""
    mismatches: tuple[Mismatch, ...]
    settled: Reconstruction | None
    """What to believe: the answer, or that of the only repair; None where neither is there."""
    aside: Repair | None
    """The figure set aside for it."""

    def marginals(self) -> tuple[Marginals, ...]:
        """All that the table can come from; empty where not all are known."""
        if self.settled is None or not self.settled.complete:
            return ()
        return self.settled.answers


@functools.lru_cache(maxsize=64)
def examine(reported: Reported) -> Examined:
    """Rebuild the matrices of a table; where there are none, find what contradicts what."""
    if reported.confusion is not None:
        return _with_matrix(reported, reported.confusion)
    answer = reconstruct(reported)
    puzzle = puzzle_of(reported)
    conflict: Conflict | None = None
    if answer.status == "impossible" and isinstance(puzzle, Puzzle):
        conflict = conflict_of(puzzle)
    elif answer.rows is None and len(reported.classes) > 1:
        conflict = free_conflict(reported)
    aside = conflict.repairs[0] if conflict and len(conflict.repairs) == 1 else None
    settled = aside.answer if aside else answer if answer.status == "fits" else None
    examined = Examined(answer, conflict, (), settled, aside)
    mismatches = tuple(_of_the_whole(reported, examined.marginals()))
    return Examined(answer, conflict, mismatches, settled, aside)


def _with_matrix(reported: Reported, matrix: tuple[tuple[int, ...], ...]) -> Examined:
    columns = [sum(row[c] for row in matrix) for c in range(len(matrix))]
    marginals = tuple((sum(row), row[c], columns[c]) for c, row in enumerate(matrix))
    rows = sum(columns)
    answer = Reconstruction(status="fits", rows=rows, answers=(marginals,), complete=True)
    puzzle = Puzzle(reported.classes, rows, (), figures_of(reported))
    wrong = [
        Mismatch(label, name, value, (ratio(puzzle, label, name, marginals),))
        for label, name, value in puzzle.figures
        if not value.holds(_fraction(ratio(puzzle, label, name, marginals)))
    ]
    wrong += _of_the_whole(reported, (marginals,))
    return Examined(answer, None, tuple(wrong), answer, None)


def _of_the_whole(reported: Reported, answers: tuple[Marginals, ...]) -> Iterator[Mismatch]:
    """Means over more than two classes: macro, weighted or micro, over all or the tested ones."""
    if len(reported.classes) < 3 or not answers:
        return
    for name in AVERAGED:
        printed = reported.figure(name)
        if printed is None or printed.undefined:
            continue
        values = {value for found in answers for value in _means(name, found)}
        if values and not any(printed.holds(value) for value in values):
            listed = sorted(values)[:4] if len(values) <= 4 else ()
            pairs = tuple((v.numerator, v.denominator) for v in listed)
            yield Mismatch("", name, printed, pairs)


def _means(name: str, found: Marginals) -> set[Fraction]:
    n = sum(s for s, _, _ in found)
    name = "recall" if name == "balanced_accuracy" else name
    pairs = {
        "recall": [(t, s) for s, t, _ in found],
        "precision": [(t, p) for _, t, p in found],
        "f1": [(2 * t, s + p) for s, t, p in found],
        "specificity": [(n - s - p + t, n - s) for s, t, p in found],
    }[name]
    as_zero = [_fraction(pair) or Fraction(0) for pair in pairs]
    defined = [v for pair in pairs if (v := _fraction(pair)) is not None]
    tested = [v for v, (s, _, _) in zip(as_zero, found, strict=True) if s]
    weighted = sum((v * s for v, (s, _, _) in zip(as_zero, found, strict=True)), Fraction(0)) / n
    micro = Fraction(sum(a for a, _ in pairs), sum(b for _, b in pairs))
    means = {sum(part, Fraction(0)) / len(part) for part in (as_zero, defined, tested) if part}
    return means | {weighted, micro}


def _fraction(pair: tuple[int, int]) -> Fraction | None:
    return Fraction(*pair) if pair[1] else None
