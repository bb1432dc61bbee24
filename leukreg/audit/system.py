"""The printed figures of a table as inequalities in whole numbers, for the exact solver."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from leukreg.audit.cp_sat import Model, Purse
from leukreg.audit.figures import AVERAGES
from leukreg.audit.printed_figure import Printed
from leukreg.audit.published_table import LARGEST
from leukreg.audit.readings import (
    ANY,
    Figure,
    Marginals,
    Way,
    average_bounds,
    complement,
    ratio,
    row_bounds,
    ways_of,
    whole,
)

STEPS = 10**7
"""An average's parts are known to the solver in so many steps from 0 to 1, fewer in large tests."""
PARTS = 10**6
"""Ends of intervals are rounded outwards to fractions with about so large parts."""
BITS = 2**62
"""Every sum of the solver must stay below; a model with a larger one is not searched at all."""


@dataclass(frozen=True, slots=True)
class Puzzle:
    """The figures of a table as constraints: each may be left out."""

    classes: tuple[str, ...]
    rows: int | None
    """Test rows; None where a test of any size will do."""
    supports: tuple[tuple[str, int], ...]
    figures: tuple[Figure, ...]
    positive: str | None = None

    def only(self, kept: Sequence[int]) -> Puzzle:
        return replace(self, figures=tuple(self.figures[i] for i in kept))

    def without(self, left_out: int) -> Puzzle:
        return self.only([i for i in range(len(self.figures)) if i != left_out])

    def loosened(self) -> Puzzle:
        """The same, where further digits may have been cut off instead of rounded."""
        return replace(self, figures=tuple((a, b, value.or_cut()) for a, b, value in self.figures))

    def tested(self) -> frozenset[str]:
        """The classes that are known to have rows."""
        return frozenset(label for label, n in self.supports if n)

    def ways(self, figure: Figure) -> tuple[Way, ...]:
        return ways_of(figure[0], figure[1], self.classes, self.positive)


def linear(way: Way) -> bool:
    """Whether a figure is a ratio of sums of the counts."""
    if way.kind == "weighted":
        return way.name in ("recall", "fnr")
    return way.kind in ("of", "but", "micro") or (
        way.kind == "whole" and way.name in ("accuracy", "error_rate")
    )


def linear_parts(
    way: Way, classes: Sequence[str], found: Sequence[tuple[Any, Any, Any]], n: Any
) -> tuple[Any, Any]:
    """Numerator and denominator of a linear figure, of counts or a solver's variables."""
    if way.kind in ("of", "but"):
        triple = found[classes.index(way.label)]
        return ratio(way.name, complement(triple, n) if way.kind == "but" else triple, n)
    if way.kind == "micro":
        pairs = [ratio(way.name, triple, n) for triple in found]
        return sum(top for top, _ in pairs), sum(bottom for _, bottom in pairs)
    return whole({"recall": "accuracy", "fnr": "error_rate"}.get(way.name, way.name), found, n)


class System:
    """The solver's model of a puzzle.

    Args:
        plainly: Only figures that can be one thing, a ratio: every solution comes once. Otherwise
            a figure is one of the things it can be.
        exact: Averages by their parts, not by the printed rows alone (a test of known size).
        defined: To find an example: no part of an average is 0/0, which could be anything.
    """

    def __init__(
        self, puzzle: Puzzle, plainly: bool = False, exact: bool = False, defined: bool = False
    ) -> None:
        self.puzzle, self.exact, self.defined = puzzle, exact, defined
        self.model = Model()
        self.most = puzzle.rows or LARGEST
        self.known = dict(puzzle.supports)
        self.tested = puzzle.tested()
        factors = 1 if self.known.keys() >= set(puzzle.classes) else len(puzzle.classes)
        self.steps = min(STEPS, BITS // (PARTS * self.most * (factors + 1)))
        self.n: Any = self.model.number(puzzle.rows or 1, self.most)
        self.classes: list[tuple[Any, Any, Any]] = []
        self.parts: dict[tuple[str, int], Any] = {}
        for label in puzzle.classes:
            self._add_class(label)
        self._add_matrix()
        for figure in puzzle.figures:
            ways = puzzle.ways(figure)
            if not plainly:
                self._add_figure(figure, ways)
            elif len(ways) == 1 and linear(ways[0]):
                self._hold_linear(ways[0], figure[2], None)

    def solutions(
        self, most: int, effort: float, purse: Purse | None
    ) -> tuple[list[Marginals], bool]:
        wanted = [count for one in self.classes for count in one]
        found, ended = self.model.solutions(wanted, most, effort, purse)
        return [tuple(zip(x[::3], x[1::3], x[2::3], strict=True)) for x in found], ended

    def _add_class(self, label: str) -> None:
        known = self.known.get(label)
        s = self.model.number(known or 0, self.most if known is None else known)
        t, p = self.model.number(0, self.most), self.model.number(0, self.most)
        self.model.hold(t <= s, t <= p)
        self.classes.append((s, t, p))

    def _add_matrix(self) -> None:
        """What marginals of one matrix have in common."""
        n = self.n
        self.model.hold(sum(s for s, _, _ in self.classes) == n)
        self.model.hold(sum(p for _, _, p in self.classes) == n)
        wrong = n - sum(t for _, t, _ in self.classes)
        self.model.hold(*(s - t + p - t <= wrong for s, t, p in self.classes))

    def _add_figure(self, figure: Figure, ways: Sequence[Way]) -> None:
        if self.defined:  # the solver does not know this one exactly
            ways = [way for way in ways if way.kind != "harmonic"]
        if len(ways) == 1:
            self._hold(ways[0], figure, None)
            return
        chosen = [self.model.number(0, 1) for _ in ways]
        self.model.hold(sum(chosen) >= 1)
        for way, when in zip(ways, chosen, strict=True):
            self._hold(way, figure, when)

    def _hold(self, way: Way, figure: Figure, when: Any) -> None:
        printed = figure[2]
        bounds = average_bounds(way, self.puzzle.figures, self.puzzle.classes, self.tested)
        if bounds is not None and (bounds[1] < printed.low or printed.high < bounds[0]):
            self.model.hold(False, when=when)
        elif linear(way):
            self._hold_linear(way, printed, when)
        else:
            if way.kind == "weighted":
                self._hold_by_rows(way, printed, when)
            if self.exact and self.puzzle.rows is not None:
                self._hold_exactly(way, printed, when)

    def _hold_linear(self, way: Way, printed: Printed, when: Any) -> None:
        if way.kind == "of" and way.name == "f1" and printed.undefined:  # as recall, or precision
            s, _, p = self.classes[self.puzzle.classes.index(way.label)]
            self.model.product(s, p, 0)
            return
        parts = linear_parts(way, self.puzzle.classes, self.classes, self.n)
        self._prints(parts, printed, len(self.classes) * 2 * self.most, when)

    def _prints(self, parts: tuple[Any, Any], value: Printed, most: int, when: Any) -> None:
        """The ratio prints so; its denominator is at most ``most``."""
        top, bottom = parts
        if value.undefined:
            self.model.hold(bottom == 0, when=when)
            return
        # 0/0 satisfies both inequalities, as it may be printed as anything.
        low, high = _least(value.low, most), -_least(-value.high, most)
        self.model.hold(low.denominator * top >= low.numerator * bottom, when=when)
        self.model.hold(high.denominator * top <= high.numerator * bottom, when=when)
        if not value.holds(None):
            self.model.hold(bottom >= 1, when=when)

    def _hold_by_rows(self, way: Way, printed: Printed, when: Any) -> None:
        """An average weighted by support, between those of the ends of its rows."""
        rows = [row_bounds(self.puzzle.figures, c, way.name, self.tested)
                for c in self.puzzle.classes]  # fmt: skip
        low, high = _outwards(printed.low), -_outwards(-printed.high)
        least = sum(_whole(_outwards(a)) * s for (a, _), (s, _, _) in self._with(rows))
        largest = sum(-_whole(_outwards(-b)) * s for (_, b), (s, _, _) in self._with(rows))
        self.model.hold(least <= _whole(high) * self.n, largest >= _whole(low) * self.n, when=when)

    def _with(self, rows: Sequence[Any]) -> list[tuple[Any, tuple[Any, Any, Any]]]:
        return list(zip(rows, self.classes, strict=True))

    def _hold_exactly(self, way: Way, printed: Printed, when: Any) -> None:
        low, high = _outwards(printed.low), -_outwards(-printed.high)
        if way.kind in AVERAGES:
            self._hold_average(way, low, high, when)
        elif way.name == "kappa":
            over, under = self._agreement()
            self.model.hold(PARTS * over >= _whole(low) * under, when=when)
            self.model.hold(PARTS * over <= _whole(high) * under, when=when)
        elif way.name == "mcc":
            self._hold_mcc(printed, when)
        elif way.name == "g_mean":
            (s, t, _), (o, u, _) = self.classes
            square = self.most * self.most
            self._hold_square(self._product(t, u), self._product(s, o), printed, square, when)

    def _hold_average(self, way: Way, low: Fraction, high: Fraction, when: Any) -> None:
        n, k = self.n, len(self.classes)
        values = [self._part(way.name, c) for c in range(k)]
        if way.kind == "macro":
            total, share, lost = sum(values), k, k
        else:
            weights = [self.known.get(label, s) for label, (s, _, _)
                       in zip(self.puzzle.classes, self.classes, strict=True)]  # fmt: skip
            total = sum(w * v if isinstance(w, int) else self._product(w, v, self.most * self.steps)
                        for w, v in zip(weights, values, strict=True))  # fmt: skip
            share, lost = self.puzzle.rows or 0, n
        self.model.hold(PARTS * (total + lost) >= _whole(low) * self.steps * share, when=when)
        self.model.hold(PARTS * total <= _whole(high) * self.steps * share, when=when)

    def _part(self, name: str, c: int) -> Any:
        """A class's figure in steps, rounded down; anything where it is 0/0 or untested."""
        if (name, c) in self.parts:
            return self.parts[name, c]
        model, (s, t, p) = self.model, self.classes[c]
        top, bottom = ratio(name, (s, t, p), self.n)
        label = self.puzzle.classes[c]
        low, high = row_bounds(self.puzzle.figures, label, name, self.tested)
        value = model.number(math.floor(low * self.steps), math.floor(high * self.steps))
        support = self.known.get(label)
        if name in ("recall", "fnr") and support:
            over = support * value
        else:
            bound = model.number(0, 2 * self.most)
            model.hold(bound == bottom)
            over = self._product(value, bound, 2 * self.most * self.steps)
        if self.defined or (low, high) != ANY:
            model.hold(bottom >= 1, over <= self.steps * top, self.steps * top <= over + bottom)
        else:
            empty, untested, strict = (model.number(0, 1) for _ in range(3))
            model.hold(bottom == 0, when=empty)
            model.hold(s == 0, when=untested)
            model.hold(empty + untested + strict >= 1)
            model.hold(over <= self.steps * top, self.steps * top <= over + bottom, when=strict)
        self.parts[name, c] = value
        return value

    def _product(self, a: Any, b: Any, most: int | None = None) -> Any:
        return self.model.product(a, b, most or self.most * self.most)

    def _chance(self) -> Any:
        """Sum over classes of support times predicted rows."""
        total: Any = 0
        for label, (s, _, p) in zip(self.puzzle.classes, self.classes, strict=True):
            total = total + (self.known[label] * p if label in self.known else self._product(s, p))
        return total

    def _agreement(self) -> tuple[Any, Any]:
        """Numerator and denominator of Cohen's kappa."""
        n, chance = self.most, self._chance()
        return n * sum(t for _, t, _ in self.classes) - chance, n * n - chance

    def _hold_mcc(self, printed: Printed, when: Any) -> None:
        """MCC by its square, where it does not change its sign within its interval."""
        square = self.most * self.most
        over = self.model.number(-square, square)
        self.model.hold(over == self._agreement()[0])
        negative = printed.high <= 0
        if printed.low < 0 < printed.high or BITS // square**2 < 1000:
            return
        sizes = []
        for at in (0, 2):
            size = self.model.number(0, square)
            self.model.hold(size == square - sum(self._product(one[at], one[at])
                                                 for one in self.classes))  # fmt: skip
            sizes.append(size)
        self.model.hold(over <= 0 if negative else over >= 0, when=when)
        top = self._product(over, over, square**2)
        self._hold_square(
            top, self._product(sizes[0], sizes[1], square**2), printed, square**2, when
        )

    def _hold_square(self, top: Any, bottom: Any, printed: Printed, most: int, when: Any) -> None:
        ends = sorted(abs(end) for end in (printed.low, printed.high))
        parts = min(PARTS, BITS // most)
        low, high = math.floor(ends[0] ** 2 * parts), math.ceil(ends[1] ** 2 * parts)
        self.model.hold(parts * top >= low * bottom, parts * top <= high * bottom, when=when)


def _outwards(value: Fraction) -> Fraction:
    """At or under it, in ``PARTS``."""
    return Fraction(math.floor(value * PARTS), PARTS)


def _whole(value: Fraction) -> int:
    """In ``PARTS``."""
    return int(value * PARTS)


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
