"""Which printed figures cannot be true together, and what the wrong one must have been."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from leukreg.audit.effort import QUICK
from leukreg.audit.printed import Printed
from leukreg.audit.reconstruct import Puzzle, Reconstruction, solve
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
