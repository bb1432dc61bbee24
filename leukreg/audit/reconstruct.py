"""Rebuild the confusion matrices that a table of printed figures can come from.

A class is described by its marginals: ``s`` rows truly of it (support), ``t`` of them found (true
positives), ``p`` rows predicted as it. Every rate of a class in a test of ``n`` rows is a ratio of
sums of these (``leukreg.audit.readings.ratio``), so that the interval of a printed figure is two
linear inequalities in whole numbers. Over the classes, supports and predicted rows both sum to
``n``. A matrix with given marginals exists exactly when, besides, no class has more wrong rows and
wrong predictions together than there are wrong rows in all (a cut in the transport of wrong rows
whose diagonal is closed). CP-SAT of OR-Tools finds what satisfies all of them, or proves that
nothing does, in whole numbers.

Averages over classes, kappa, MCC and G-mean are no such ratios. First they are bounded by the
printed rows, whatever the supports are; where that leaves them open, the solver gets their parts in
steps of 10^-7, always so that nothing true is lost; and whatever it finds is held against the
printed figures in fractions.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass, replace
from typing import Literal

from leukreg.audit.cp_sat import Purse
from leukreg.audit.published_table import Reported
from leukreg.audit.readings import Figure, Marginals, found_way, ways_of
from leukreg.audit.system import Puzzle, System, linear

Matrix = tuple[tuple[int, ...], ...]

MOST_ANSWERS, MOST_LISTED = 1_000, 200
"""So many answers are given at most; so many are listed where averages are held against them."""
SMALL_TEST, MOST_OF_SMALL = 30, 20_000
"""In a test so small as many more are listed."""
LARGEST_TEST = 200_000
"""Tests with more rows are not searched."""
TRIED = (100, 1_000, 10_000)
"""Sizes of a test to be tried where none is stated."""
TRIED_OF_RATIOS = (*TRIED, 100_000)
"""The same, where no figure is an average, whose products make large tests slow to search."""
MOST_CLASSES = 40
DECIDE, BRIEFLY = 0.5, 0.1
"""What is spent on finding whether anything fits, and then on listing all that does: CP-SAT's
deterministic time, so that an answer does not depend on the machine."""
UNDECIDED = "undecided: the search ends after a set effort, and the figures leave more to search"


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
    bounded: tuple[Figure, ...] = ()
    """Averages that lie between their rows, but are not known to come out so."""
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


def puzzle_of(reported: Reported) -> Puzzle | str:
    """The constraints of a table, or why there is nothing to solve."""
    rows = reported.test_total()
    figures = figures_of(reported)
    if not figures:
        return "it prints no figure that follows from a confusion matrix"
    if len(reported.classes) < 2:
        return "the classes are not named"
    if len(reported.classes) > MOST_CLASSES:
        return f"it has more than {MOST_CLASSES} classes"
    supports = tuple((c, n) for c, n in reported.test_supports().items() if c in reported.classes)
    if rows is not None and not 0 < rows <= LARGEST_TEST:
        return f"a test of {rows} rows is not searched (1 to {LARGEST_TEST:,} are)"
    if rows is not None and sum(n for _, n in supports) > rows:
        return "the stated supports sum to more than the test images"
    return Puzzle(reported.classes, rows, supports, figures, reported.positive)


def figures_of(reported: Reported) -> tuple[Figure, ...]:
    """The printed figures that follow from a confusion matrix."""
    every = [*reported.per_class, *(("", name, value) for name, value in reported.figures)]
    at = {label: place for place, label in enumerate(reported.classes)}
    every.sort(key=lambda one: at.get(one[0], len(at)))
    return tuple(
        (label, name, value)
        for label, name, value in every
        if ways_of(label, name, reported.classes, reported.positive)
        and not (value.undefined and not label)
    )


@functools.lru_cache(maxsize=64)
def reconstruct(reported: Reported, limit: int = MOST_ANSWERS) -> Reconstruction:
    """All confusion matrices, up to ``limit``, whose figures print as reported, in any of the ways
    that each can be read.

    Exact: figures are intervals of fractions, counts whole numbers. "impossible" is proven, "fits"
    is shown by an answer, anything else is "undecided".
    """
    puzzle = puzzle_of(reported)
    if not isinstance(puzzle, str) and puzzle.rows is not None:
        return solve(puzzle, limit)
    why = puzzle if isinstance(puzzle, str) else "the number of test images is not stated"
    return Reconstruction(status="undecided", rows=reported.test_total(), why=why)


def solve(
    puzzle: Puzzle, limit: int = MOST_ANSWERS, effort: float = DECIDE, purse: Purse | None = None
) -> Reconstruction:
    """As ``reconstruct``, for any choice of the figures and a test of known or any size."""
    if puzzle.rows is None:
        return _of_any_size(puzzle, effort, purse)
    found, ended = System(puzzle).solutions(1, effort, purse)
    if found and bounded(puzzle, found[0]):
        found, ended = _exactly(puzzle, effort, purse) or (found, ended)
    if not found:
        why = "" if ended else UNDECIDED
        status: Literal["impossible", "undecided"] = "impossible" if ended else "undecided"
        return Reconstruction(status=status, rows=puzzle.rows, why=why)
    open_ = bounded(puzzle, found[0])
    listed, complete = list[Marginals](), False
    if limit > 1 or open_:
        small = open_ and (puzzle.rows or 0) <= SMALL_TEST
        most = MOST_OF_SMALL if small else max(limit, MOST_LISTED)
        every, complete = System(puzzle, plainly=True).solutions(most + 1, BRIEFLY, purse)
        listed = sorted({one for one in every if not bounded(puzzle, one)})
        if complete and not listed:
            return Reconstruction(status="impossible", rows=puzzle.rows)
    return Reconstruction(
        status="fits",
        rows=puzzle.rows,
        answers=tuple((listed or found)[:limit]),
        complete=complete and len(listed) <= limit,
        bounded=() if listed else open_,
    )


def _of_any_size(puzzle: Puzzle, effort: float, purse: Purse | None) -> Reconstruction:
    """One test that prints the figures, of whatever size; or that none of up to 10,000,000 does."""
    large, ended = System(puzzle).solutions(1, min(effort, BRIEFLY / 5), purse)
    if ended and not large:
        return Reconstruction(status="impossible")
    tests = large
    ratios = all(linear(way) for one in puzzle.figures for way in puzzle.ways(one))
    for rows in TRIED_OF_RATIOS if ratios else TRIED:
        sized = replace(puzzle, rows=rows)
        model = System(sized, exact=True, defined=True)
        shown, _ = model.solutions(1, min(effort, BRIEFLY), purse)
        if shown and not bounded(sized, shown[0]):
            return Reconstruction(status="fits", rows=rows, answers=(shown[0],))
        tests = [*shown, *tests]
    if not tests:
        return Reconstruction(status="undecided", why=UNDECIDED)
    shown = [one for one in tests if not bounded(puzzle, one)] or tests
    return Reconstruction(
        status="fits",
        rows=sum(s for s, _, _ in shown[0]),
        answers=(shown[0],),
        bounded=bounded(puzzle, shown[0]),
    )


def _exactly(
    puzzle: Puzzle, effort: float, purse: Purse | None
) -> tuple[list[Marginals], bool] | None:
    """With averages by their parts; None where that stays undecided."""
    found, _ = System(puzzle, exact=True, defined=True).solutions(1, effort / 5, purse)
    if found and not bounded(puzzle, found[0]):
        return found, False
    found, ended = System(puzzle, exact=True).solutions(1, effort, purse)
    return (found, ended) if found or ended else None


def bounded(puzzle: Puzzle, found: Marginals) -> tuple[Figure, ...]:
    """The figures that these counts, found by the solver, do not print after all: only those it
    does not know exactly can be among them."""
    every = ((one, puzzle.ways(one)) for one in puzzle.figures)
    inexact = [(one, ways) for one, ways in every if len(ways) > 1 or not linear(ways[0])]
    return tuple(
        one for one, ways in inexact if found_way(one, ways, puzzle.classes, found) is None
    )


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
