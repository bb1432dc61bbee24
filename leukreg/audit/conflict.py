"""Which printed figures cannot be true together, and what the wrong one must have been."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from leukreg.audit.marginals import QUICK
from leukreg.audit.printed_figure import Printed
from leukreg.audit.published_table import Reported
from leukreg.audit.reconstruct import (
    Puzzle,
    Reconstruction,
    figures_of,
    puzzle_of,
    reconstruct,
    solve,
)
from leukreg.audit.search import Marginals

MOST_REPAIRS = 6
MOST_LISTED = 200
LEFT_OUT_FIRST = ("f1", "precision", "balanced_accuracy", "specificity", "recall", "accuracy")
"""Of several smallest conflicts, the one with the figures that are easiest to follow is told."""


@dataclass(frozen=True, slots=True)
class Repair:
    """A printed figure without which the others agree, and what they make of it."""

    label: str
    name: str
    printed: Printed
    values: tuple[tuple[int, int], ...]
    """Numerator and denominator of each value that the other figures allow; sorted."""
    answer: Reconstruction
    """What the other figures can come from."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Printed figures that no confusion matrix has together."""

    figures: tuple[tuple[str, str, Printed], ...]
    minimal: bool
    """Whether every one of them is needed: without any one the others have a matrix."""
    repairs: tuple[Repair, ...]


def conflict_of(puzzle: Puzzle) -> Conflict:
    """The conflict in an impossible puzzle: figures are left out one by one while it stays so."""
    kept = _within_class(puzzle) or tuple(range(len(puzzle.figures)))
    kept, minimal = _shrunk(puzzle, kept)
    figures = tuple(puzzle.figures[i] for i in kept)
    return Conflict(figures, minimal, _repairs(puzzle, kept))


def _within_class(puzzle: Puzzle) -> tuple[int, ...] | None:
    """The figures of one class alone, or the accuracy alone, where that is impossible already."""
    owners = dict.fromkeys(owner for owner, _, _ in puzzle.figures)
    for label in owners:
        own = tuple(i for i, (owner, _, _) in enumerate(puzzle.figures) if owner == label)
        answer = solve(puzzle.only(own), 1, QUICK)
        if answer.status == "impossible":
            return own
    return None


def _shrunk(puzzle: Puzzle, kept: tuple[int, ...]) -> tuple[tuple[int, ...], bool]:
    minimal = True
    order = sorted(kept, key=lambda i: LEFT_OUT_FIRST.index(puzzle.figures[i][1]))
    for i in order:
        trial = tuple(j for j in kept if j != i)
        status = solve(puzzle.only(trial), 1, QUICK).status if trial else "fits"
        if status == "impossible":
            kept = trial
        minimal = minimal and status != "undecided"
    return kept, minimal


def _repairs(puzzle: Puzzle, kept: tuple[int, ...]) -> tuple[Repair, ...]:
    repairs = []
    for i in kept:
        label, name, value = puzzle.figures[i]
        answer = solve(puzzle.without(i), MOST_LISTED, QUICK)
        if answer.status == "fits":
            values = {ratio(puzzle, label, name, one) for one in answer.answers}
            found = tuple(sorted(values, key=lambda v: _fraction(*v)))
            repairs.append(Repair(label, name, value, found, answer))
    return tuple(repairs[:MOST_REPAIRS])


def _fraction(top: int, bottom: int) -> Fraction:
    return Fraction(top, bottom) if bottom else Fraction(0)


def ratio(puzzle: Puzzle, label: str, name: str, found: Marginals) -> tuple[int, int]:
    """The true figure as counts, unreduced; 0/0 stays 0/0."""
    n = puzzle.rows
    if name == "accuracy":
        return sum(t for _, t, _ in found), n
    if name == "balanced_accuracy":
        (s, t, _), (o, u, _) = found
        return t * o + u * s, 2 * s * o
    s, t, p = found[puzzle.classes.index(label)]
    return {
        "recall": (t, s),
        "precision": (t, p),
        "f1": (2 * t, s + p),
        "specificity": (n - s - p + t, n - s),
    }[name]


LARGEST_TRIED = 400
"""Tests of up to so many rows are tried, smallest first."""


def free_conflict(reported: Reported) -> Conflict | None:
    """Figures that contradict each other in a test of any size, or None.

    Exact: F1 lies between what precision and recall allow, and accuracy, the mean of the recalls
    weighted by support, between the smallest and the largest of them.
    """
    for label in reported.classes:
        clash = _harmonic(label, reported.of(label))
        if clash is not None:
            return Conflict(clash, True, ())
    return _weighted_mean(reported)


def _harmonic(
    label: str, figures: dict[str, Printed]
) -> tuple[tuple[str, str, Printed], ...] | None:
    parts = [figures.get(name) for name in ("precision", "recall", "f1")]
    if any(part is None or part.undefined for part in parts):
        return None
    precision, recall, f1 = (part for part in parts if part is not None)
    low = _mean(max(precision.low, Fraction(0)), max(recall.low, Fraction(0)))
    high = _mean(min(precision.high, Fraction(1)), min(recall.high, Fraction(1)))
    if f1.high < low or f1.low > high:
        return ((label, "precision", precision), (label, "recall", recall), (label, "f1", f1))
    return None


def _mean(a: Fraction, b: Fraction) -> Fraction:
    return 2 * a * b / (a + b) if a + b else Fraction(0)


def _weighted_mean(reported: Reported) -> Conflict | None:
    accuracy = reported.figure("accuracy")
    recalls = [(c, reported.of(c).get("recall")) for c in reported.classes]
    if accuracy is None or accuracy.undefined or not recalls:
        return None
    known = [(c, r) for c, r in recalls if r is not None]
    if len(known) < len(recalls):
        return None
    clash: tuple[tuple[str, str, Printed], ...] = ()
    if all(not r.undefined and r.high < accuracy.low for _, r in known):
        label, recall = max(known, key=lambda item: item[1].high)
        clash = ((label, "recall", recall),)
    # A recall printed 0 may be 0/0 of a class that was not tested: it bounds nothing from below.
    elif all(not r.undefined and r.low > accuracy.high and not r.holds(None) for _, r in known):
        label, recall = min(known, key=lambda item: item[1].low)
        clash = ((label, "recall", recall),)
    if not clash:
        return None
    return Conflict(
        (*clash, ("", "accuracy", accuracy)), True, _accuracy_repairs(reported, accuracy)
    )


def _accuracy_repairs(reported: Reported, accuracy: Printed) -> tuple[Repair, ...]:
    """What accuracy is in the smallest test that prints all the other figures."""
    answer = smallest_test(reported, without=("", "accuracy"))
    if answer is None or not answer.rows:
        return ()
    figures = figures_of(reported)
    puzzle = Puzzle(reported.classes, answer.rows, reported.supports, figures)
    values = {ratio(puzzle, "", "accuracy", found) for found in answer.answers}
    return (Repair("", "accuracy", accuracy, tuple(sorted(values)), answer),)


def smallest_test(
    reported: Reported, without: tuple[str, str] | None = None
) -> Reconstruction | None:
    """The smallest test that prints the figures; None where none of ``LARGEST_TRIED`` rows does."""
    figures = tuple(f for f in figures_of(reported) if f[:2] != without)
    if len(reported.classes) < 2 or not figures:
        return None
    for rows in range(1, LARGEST_TRIED + 1):
        if not _hopeless(rows, figures):
            answer = solve(Puzzle(reported.classes, rows, reported.supports, figures))
            if answer.status == "fits":
                return answer
    return None


def _hopeless(rows: int, figures: tuple[tuple[str, str, Printed], ...]) -> bool:
    """Whether some figure is no fraction of at most ``rows`` rows: seen without a search."""
    return any(
        not value.undefined
        and not value.holds(None)
        and not _is_fraction(value, 2 * rows if name == "f1" else rows)
        for _, name, value in figures
        if name != "balanced_accuracy"
    )


def _is_fraction(value: Printed, most: int) -> bool:
    """Whether a fraction with a denominator of at most ``most`` lies in the printed interval."""
    assert value.value is not None
    nearest = value.value.limit_denominator(most)
    return value.low <= nearest <= value.high


def only_class(reported: Reported) -> tuple[str, int] | None:
    """The one class a test held, and the size of tests up to which that follows.

    Precision 1 leaves hardly a wrong row among those predicted as the class, specificity 0 hardly
    a right one among the others; so there are no others, unless the test is so large that a row
    vanishes in rounding.
    """
    for label in reported.classes:
        figures = reported.of(label)
        precision, specificity = figures.get("precision"), figures.get("specificity")
        if precision is None or specificity is None:
            continue
        if precision.undefined or specificity.undefined or precision.low >= 1:
            continue
        if precision.high >= 1 and specificity.low <= 0:
            # n - s = fp + tn <= (1 - P) n + Sp (n - s) is below 1 for n < (1 - Sp) / (1 - P).
            bound = (1 - specificity.high) / (1 - precision.low)
            if bound > 1:
                return label, -int(-bound // 1) - 1 if bound == bound // 1 else int(bound)
    return None


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
        if not value.holds(_quotient(ratio(puzzle, label, name, marginals)))
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
    as_zero = [_quotient(pair) or Fraction(0) for pair in pairs]
    defined = [v for pair in pairs if (v := _quotient(pair)) is not None]
    tested = [v for v, (s, _, _) in zip(as_zero, found, strict=True) if s]
    weighted = sum((v * s for v, (s, _, _) in zip(as_zero, found, strict=True)), Fraction(0)) / n
    micro = Fraction(sum(a for a, _ in pairs), sum(b for _, b in pairs))
    means = {sum(part, Fraction(0)) / len(part) for part in (as_zero, defined, tested) if part}
    return means | {weighted, micro}


def _quotient(pair: tuple[int, int]) -> Fraction | None:
    return Fraction(*pair) if pair[1] else None
