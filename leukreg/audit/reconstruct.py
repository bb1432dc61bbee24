"""Rebuild the confusion matrices that a table of printed figures can come from.

A class is described by its marginals: ``s`` rows truly of it (support), ``t`` of them found (true
positives), ``p`` rows predicted as it. Every rate of a test of ``n`` rows is a ratio of sums::

    recall       t / s                        specificity  (n - s - p + t) / (n - s)
    precision    t / p                        accuracy     sum of t / n
    F1           2 t / (s + p)

so that the interval of a printed figure is two linear inequalities in whole numbers. Over the
classes, supports and predicted rows both sum to ``n``. A matrix with given marginals exists exactly
when, besides, no class has more wrong rows and wrong predictions together than there are wrong rows
in all (a cut in the transport of wrong rows whose diagonal is closed). CP-SAT of OR-Tools finds
what satisfies all of them, or proves that nothing does, in whole numbers.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

from leukreg.audit.printed_figure import Printed
from leukreg.audit.published_table import LARGEST, Reported

if TYPE_CHECKING:
    from leukreg.audit.cp_sat import Model

Marginals = tuple[tuple[int, int, int], ...]
"""Per class: support, true positives, predicted rows."""
Matrix = tuple[tuple[int, ...], ...]
Figure = tuple[str, str, Printed]
"""Class ("" for the whole), name, value."""

OF_COUNTS = ("recall", "precision", "f1", "specificity", "npv", "fpr", "fnr", "fdr", "jaccard")
MOST_ANSWERS = 1_000
LARGEST_TEST = 200_000
"""Tests with more rows are not searched."""
MOST_CLASSES = 24
LARGEST_TRIED = 400
"""Where the size of a test is not stated, so many are tried, smallest first."""
DECIDE, BRIEFLY = 2.0, 0.1
"""What is spent on finding whether anything fits, and then on listing all that does: CP-SAT's
deterministic time (a few seconds each), so that an answer does not depend on the machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconstruction:
    """What a table's figures can come from."""

    status: Literal["fits", "impossible", "undecided"]
    rows: int | None = None
    """Test rows."""
    answers: tuple[Marginals, ...] = ()
    """At most 1,000 answers, sorted."""
    complete: bool = False
    """Whether ``answers`` are all there are."""
    why: str = ""
    """Why nothing could be decided."""

    @property
    def matrix(self) -> Matrix | None:
        """A matrix that prints all figures, rows true in the order of the classes."""
        return matrices_of(self.answers[0], 1)[0] if self.answers else None

    @property
    def unique(self) -> bool:
        """Whether one matrix, and no other, prints all figures."""
        return self.complete and len(self.answers) == 1 and len(matrices_of(self.answers[0])) == 1


@dataclass(frozen=True, slots=True)
class Puzzle:
    """The figures of a table as constraints: each may be left out."""

    classes: tuple[str, ...]
    rows: int | None
    """Test rows; None where a test of any size will do."""
    supports: tuple[tuple[str, int], ...]
    figures: tuple[Figure, ...]

    def only(self, kept: Sequence[int]) -> Puzzle:
        return replace(self, figures=tuple(self.figures[i] for i in kept))

    def without(self, left_out: int) -> Puzzle:
        return self.only([i for i in range(len(self.figures)) if i != left_out])


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
    supports = tuple((c, n) for c, n in reported.test_supports().items() if c in reported.classes)
    if rows is not None and not 0 < rows <= LARGEST_TEST:
        return f"a test of {rows} rows is not searched (1 to {LARGEST_TEST:,} are)"
    if rows is not None and sum(n for _, n in supports) > rows:
        return "the stated supports sum to more than the test images"
    return Puzzle(reported.classes, rows, supports, figures)


def figures_of(reported: Reported) -> tuple[Figure, ...]:
    """The printed figures that follow from a confusion matrix."""
    figures = [
        (label, name, value)
        for label in reported.classes
        for name, value in reported.of(label).items()
        if name in OF_COUNTS
    ]
    whole = ("accuracy", "balanced_accuracy") if len(reported.classes) == 2 else ("accuracy",)
    for name in whole:
        if (value := reported.known(name)) is not None:
            figures.append(("", name, value))
    return tuple(figures)


@functools.lru_cache(maxsize=64)
def reconstruct(reported: Reported, limit: int = MOST_ANSWERS) -> Reconstruction:
    """All confusion matrices, up to ``limit``, whose figures print as reported.

    Exact: figures are intervals of fractions, counts whole numbers. "impossible" is proven, "fits"
    is shown by an answer, anything else is "undecided".
    """
    puzzle = puzzle_of(reported)
    if not isinstance(puzzle, str) and puzzle.rows is not None:
        return solve(puzzle, limit)
    why = puzzle if isinstance(puzzle, str) else "the number of test images is not stated"
    return Reconstruction(status="undecided", rows=reported.test_total(), why=why)


def solve(puzzle: Puzzle, limit: int = MOST_ANSWERS, effort: float = DECIDE) -> Reconstruction:
    """As ``reconstruct``, for any choice of the figures."""
    model, n, classes = _model(puzzle)
    wanted = [n, *(count for one in classes for count in one)]
    found, decided = model.solutions(wanted, 1, effort)
    if not found:
        why = "" if decided else "the figures leave more candidates than are searched"
        status: Literal["impossible", "undecided"] = "impossible" if decided else "undecided"
        return Reconstruction(status=status, rows=puzzle.rows, why=why)
    complete = False
    if limit > 1:
        listed, complete = model.solutions(wanted, limit + 1, BRIEFLY)
        found = sorted(set(listed)) or found
    answers = tuple(tuple(zip(x[1::3], x[2::3], x[3::3], strict=True)) for x in found[:limit])
    return Reconstruction(status="fits", rows=found[0][0], answers=answers, complete=complete)


def smallest_test(puzzle: Puzzle) -> Reconstruction | None:
    """All that the smallest test which prints the figures can come from; None where more than
    ``LARGEST_TRIED`` rows are needed."""
    for rows in range(1, LARGEST_TRIED + 1):
        sized = replace(puzzle, rows=rows)
        if solve(sized, 1, BRIEFLY).status == "fits":
            return solve(sized)
    return None


def stratified_tests(reported: Reported) -> list[tuple[int, ...]]:
    """Supports in proportion to the class counts, per class, that print the table."""
    counts, rows = reported.tally("class_counts"), reported.test_total()
    if rows is None or set(counts) < set(reported.classes) or len(counts) > 8:
        return []
    total = sum(counts.values())
    floors = [rows * counts[c] // total for c in reported.classes]
    fits = []
    for ups in itertools.product((0, 1), repeat=len(floors)):
        trial = tuple(f + up for f, up in zip(floors, ups, strict=True))
        if sum(trial) == rows:
            named_ = tuple(zip(reported.classes, trial, strict=True))
            if reconstruct(replace(reported, supports=named_), 1).status == "fits":
                fits.append(trial)
    return sorted(fits)


def matrices_of(marginals: Marginals, most: int = 2) -> list[Matrix]:
    """Matrices with these marginals, at most ``most``: none, if there is none."""
    from leukreg.audit.cp_sat import Model

    model, size = Model(), range(len(marginals))
    cells = [[model.number(0, s) for _ in size] for s, _, _ in marginals]
    for i, (s, t, p) in enumerate(marginals):
        model.hold(cells[i][i] == t, sum(cells[i]) == s, sum(row[i] for row in cells) == p)
    found, _ = model.solutions([cell for row in cells for cell in row], most, DECIDE)
    k = len(marginals)
    return [tuple(one[i * k : (i + 1) * k] for i in size) for one in found]


def ratio(
    label: str, name: str, classes: Sequence[str], found: Sequence[Any], n: Any
) -> tuple[Any, Any]:
    """Numerator and denominator of a figure, unreduced; 0/0 stays 0/0.

    Args:
        found: Support, true positives and predicted rows of each class: counts, or the solver's
            variables for them. ``n`` is the number of rows.
    """
    if name == "accuracy":
        return sum(t for _, t, _ in found), n
    if name == "balanced_accuracy":
        (s, t, _), (o, u, _) = found
        return t * o + u * s, 2 * s * o
    s, t, p = found[classes.index(label)]
    return {
        "recall": (t, s),
        "precision": (t, p),
        "f1": (2 * t, s + p),
        "specificity": (n - s - p + t, n - s),
        "npv": (n - s - p + t, n - p),
        "fpr": (p - t, n - s),
        "fnr": (s - t, s),
        "fdr": (p - t, p),
        "jaccard": (t, s + p - t),
    }[name]


def _model(puzzle: Puzzle) -> tuple[Model, Any, list[tuple[Any, Any, Any]]]:
    from leukreg.audit.cp_sat import Model

    model, known = Model(), dict(puzzle.supports)
    most = puzzle.rows or LARGEST
    n = model.number(puzzle.rows or 1, most)
    classes = []
    for label in puzzle.classes:
        s = model.number(known.get(label, 0), known.get(label, most))
        t, p = model.number(0, most), model.number(0, most)
        model.hold(t <= s, t <= p)
        classes.append((s, t, p))
    model.hold(sum(s for s, _, _ in classes) == n, sum(p for _, _, p in classes) == n)
    wrong = n - sum(t for _, t, _ in classes)
    model.hold(*(s - t + p - t <= wrong for s, t, p in classes))
    for label, name, value in puzzle.figures:
        if name == "balanced_accuracy":
            (s, t, _), (o, u, _) = classes
            t_o, u_s, s_o = (model.product(a, b, most * most) for a, b in ((t, o), (u, s), (s, o)))
            _prints(model, (t_o + u_s, 2 * s_o), value, 2 * most * most)
        elif name == "f1" and value.undefined:  # as recall is, or precision
            s, _, p = classes[puzzle.classes.index(label)]
            model.product(s, p, 0)
        else:
            _prints(model, ratio(label, name, puzzle.classes, classes, n), value, 2 * most)
    return model, n, classes


def _prints(model: Model, parts: tuple[Any, Any], value: Printed, most: int) -> None:
    """The ratio prints so; its denominator is at most ``most``."""
    top, bottom = parts
    if value.undefined:
        model.hold(bottom == 0)
        return
    # 0/0 satisfies both inequalities, as it may be printed as anything.
    low, high = _least(value.low, most), -_least(-value.high, most)
    model.hold(low.denominator * top >= low.numerator * bottom)
    model.hold(high.denominator * top <= high.numerator * bottom)
    if not value.holds(None):
        model.hold(bottom > 0)


def _least(value: Fraction, most: int) -> Fraction:
    """The least fraction, not under ``value``, of a denominator up to ``most``.

    Counts cannot tell the two apart, and the solver's 64 bits hold it.
    """
    near = value.limit_denominator(most)
    if near >= value:
        return near
    # Its right neighbour c/d in the Farey sequence: c b - a d = 1, d as large as may be.
    a, b = near.numerator, near.denominator
    d = most - (most + pow(a, -1, b)) % b
    return Fraction(1 + a * d, b * d)
