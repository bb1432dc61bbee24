"""Which printed figures cannot be true together: few of them, and what the wrong one must be."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from leukreg.audit.cp_sat import Purse
from leukreg.audit.figures import said
from leukreg.audit.readings import Figure, Marginals, Way, average_bounds, ratio, values, whole
from leukreg.audit.reconstruct import BRIEFLY, MOST_LISTED, Reconstruction, solve
from leukreg.audit.system import Puzzle

MOST_REPAIRS = 6
MOST_NAMED = 5
MOST_TOLD = 3
LEFT_OUT_FIRST = (
    "jaccard", "fdr", "npv", "fpr", "fnr", "kappa", "mcc", "g_mean", "f1", "precision",
    "balanced_accuracy", "specificity", "recall", "error_rate", "accuracy",
)  # fmt: skip
"""Of several smallest conflicts, the one with the figures that are easiest to follow is told."""


def told(figure: Figure) -> str:
    """A figure as people write it: "ALL recall 0.1000"."""
    label, name, value = figure
    return f"{said(name, label)} {value.quoted(name)}"


def counted(way: Way, puzzle_classes: Sequence[str], found: Marginals, digits: int) -> str:
    """What a figure is, by these counts: the counts where it is a ratio, and its value."""
    n = sum(s for s, _, _ in found)
    if way.kind == "of":
        pair = ratio(way.name, found[puzzle_classes.index(way.label)], n)
    elif way.kind == "whole" and way.name in ("accuracy", "error_rate"):
        pair = whole(way.name, found, n)
    else:
        value = next(values(way, puzzle_classes, found, n, operator.truediv), None)
        kind = "" if way.kind == "whole" else f" ({way.said()})"
        return "undefined" if value is None else f"{float(value):.{max(4, digits)}f}{kind}"
    if pair[1] == 0:
        return "0/0, which is undefined"
    if way.name == "accuracy" and way.kind == "whole":
        return f"{pair[0]:,}/{pair[1]:,} = {100 * pair[0] / pair[1]:.2f} %"
    return f"{pair[0]:,}/{pair[1]:,} = {pair[0] / pair[1]:.4f}"


@dataclass(frozen=True, slots=True)
class Repair:
    """A printed figure without which the others agree, and what they make of it."""

    figure: Figure
    ways: tuple[Way, ...]
    answer: Reconstruction
    """What the other figures can come from."""
    classes: tuple[str, ...]

    def says(self) -> str:
        """ "is 13/19 = 0.6842"."""
        if not self.answer.complete:
            texts = self._texts(self.answer.answers[:1])
            return f"may be {texts[0]}"
        texts = self._texts(self.answer.answers)
        if len(texts) <= 3:
            return f"is {' or '.join(texts)}"
        return f"lies between {texts[0]} and {texts[-1]}"

    def values(self) -> set[Fraction]:
        """What the others make of it in the plainest way."""
        way = self.ways[0]
        return {
            value
            for found in self.answer.answers
            for value in values(way, self.classes, found, sum(s for s, _, _ in found))
            if value is not None
        }

    def _texts(self, answers: Sequence[Marginals]) -> list[str]:
        way, digits = self.ways[0], self.figure[2].digits
        texts = {}
        for found in answers:
            n = sum(s for s, _, _ in found)
            first = next(values(way, self.classes, found, n, operator.truediv), None)
            texts[counted(way, self.classes, found, digits)] = first or 0.0
        return sorted(texts, key=lambda text: texts[text])


@dataclass(frozen=True, slots=True)
class Conflict:
    """Printed figures that no confusion matrix has together."""

    figures: tuple[Figure, ...]
    rows: int | None = None
    """Of a test of so many rows; None: of any size."""
    repairs: tuple[Repair, ...] = ()

    @property
    def aside(self) -> Repair | None:
        """The figure set aside, where one alone makes the others agree."""
        return self.repairs[0] if len(self.repairs) == 1 else None

    def text(self) -> str:
        repair = self.aside
        listed = [told(one) for one in self.figures if repair is None or one != repair.figure]
        more = f" and {len(listed) - MOST_NAMED} other figures" if listed[MOST_NAMED + 1 :] else ""
        named = ", ".join(listed[: MOST_NAMED if more else None]) + more
        test = f" in a test of {self.rows:,} rows" if self.rows else " in a test of any size"
        if repair is not None:
            beside = f"beside {named}" if listed else "in a test of this size"
            return f"{told(repair.figure)} is impossible {beside}: it {repair.says()}"
        if len(listed) == 1:
            return f"{named} is impossible{test}"
        # Of many ways out the figure of the whole is told, the last one to be computed.
        told_ = self.repairs[-1:] if len(self.repairs) > MOST_TOLD else self.repairs
        ways = [f"{said(one.figure[1], one.figure[0])} {one.says()}" for one in told_]
        agrees = f"; the rest agrees if {' or if '.join(ways)}" if ways else ""
        return f"{named} cannot be true together{test}{agrees}"


def shortest_conflict(puzzle: Puzzle, plain: Puzzle, purse: Purse) -> Conflict:
    """Few figures that no test prints, of any size where that is so, and their repairs.

    Args:
        puzzle: The impossible one, in which every figure may be all that it can be.
        plain: The same figures, in the same order, read in the plainest way.
    """
    beyond = _beyond_rows(puzzle)
    if beyond is not None and len(beyond.figures) == 2:
        return beyond
    kept, rows = _within_class(puzzle, purse), None
    if kept is None and beyond is not None:
        return beyond
    if kept is None:
        everything = list(range(len(puzzle.figures)))
        unsized = replace(puzzle, rows=None, supports=())
        if puzzle.rows is not None and not _impossible(unsized, purse):
            unsized, rows = puzzle, puzzle.rows
        kept = _shrunk(unsized, everything, purse)
        return _with_repairs(puzzle, plain, kept, rows, purse)
    alone = _collapsed(puzzle.only(kept), puzzle.figures[kept[0]][0])
    unsized = replace(alone, rows=None, supports=())
    by_size = alone.rows is not None and not _impossible(unsized, purse)
    chosen = alone if by_size else unsized
    inner = _shrunk(chosen, list(range(len(kept))), purse)
    rows = puzzle.rows if by_size else None
    return _with_repairs(puzzle, plain, [kept[i] for i in inner], rows, purse)


def _beyond_rows(puzzle: Puzzle) -> Conflict | None:
    """An average outside all its rows, whatever the supports: with the nearest of them."""
    for figure in puzzle.figures:
        ways, value = puzzle.ways(figure), figure[2].or_cut()
        bounds = [
            average_bounds(way, puzzle.figures, puzzle.classes, puzzle.tested()) for way in ways
        ]
        if figure[0] or not all(b and (b[1] < value.low or value.high < b[0]) for b in bounds):
            continue
        name = ways[0].name
        rows = [one for one in puzzle.figures if one[0] and one[1] == name]
        above = [one for one in rows if one[2].low > value.high]
        under = [one for one in rows if one[2].high < value.low]
        if rows and len(rows) == max(len(above), len(under)):
            near = min(above, key=lambda r: r[2].low) if above else max(
                under, key=lambda r: r[2].high)  # fmt: skip
            return Conflict((near, figure))
        if rows:
            return Conflict((*rows, figure))
    return None


def _with_repairs(
    puzzle: Puzzle, plain: Puzzle, kept: Sequence[int], rows: int | None, purse: Purse
) -> Conflict:
    repairs = tuple(_repairs(plain, kept, purse))[:MOST_REPAIRS] if puzzle.rows else ()
    return Conflict(plain.only(kept).figures, rows, repairs)


def _impossible(puzzle: Puzzle, purse: Purse) -> bool:
    """Whether that is proven at once: many searches find out which figures contradict each other,
    and where one of them is left undecided its figure stays in the conflict."""
    return solve(puzzle, 1, BRIEFLY, purse).status == "impossible"


def _within_class(puzzle: Puzzle, purse: Purse) -> list[int] | None:
    """The figures of one class alone, where that is impossible already."""
    for label in puzzle.classes:
        own = [i for i, (owner, _, _) in enumerate(puzzle.figures) if owner == label]
        if own and _impossible(_collapsed(puzzle.only(own), label), purse):
            return own
    return None


def _collapsed(puzzle: Puzzle, label: str) -> Puzzle:
    """One class against all others as one, which is all that its own figures tell apart."""
    if not label:
        return puzzle
    supports = tuple((c, n) for c, n in puzzle.supports if c == label)
    return replace(puzzle, classes=(label, "\0the others"), supports=supports, positive=label)


def of_one_class(puzzle: Puzzle) -> Puzzle:
    """All other classes as one, where every figure is of the same class."""
    labels = {label for label, _, _ in puzzle.figures}
    return _collapsed(puzzle, labels.pop()) if len(labels) == 1 else puzzle


def _shrunk(puzzle: Puzzle, kept: list[int], purse: Purse) -> list[int]:
    """Figures are left out, those of a class together first, while the rest stays impossible."""

    def leave(out: set[int], kept: list[int]) -> list[int]:
        trial = [i for i in kept if i not in out]
        return trial if trial and _impossible(puzzle.only(trial), purse) else kept

    labels = dict.fromkeys(owner for owner, _, _ in puzzle.figures if owner)
    if len(labels) > 2:
        for label in labels:
            kept = leave({i for i in kept if puzzle.figures[i][0] == label}, kept)
    order = sorted(kept, key=lambda i: _rank(puzzle.figures[i][1]))
    for i in order:
        kept = leave({i}, kept)
    return kept


def _rank(name: str) -> int:
    base = name if name in LEFT_OUT_FIRST else name.partition("_")[2]
    return LEFT_OUT_FIRST.index(base) if base in LEFT_OUT_FIRST else 0


def _repairs(plain: Puzzle, kept: Sequence[int], purse: Purse) -> Iterator[Repair]:
    """What each figure must be, by all the others in the plainest reading."""
    if len(plain.figures) < 2:
        return
    for i in kept:
        answer = solve(plain.without(i), MOST_LISTED, BRIEFLY, purse)
        if answer.status == "fits" and not answer.bounded:
            figure = plain.figures[i]
            yield Repair(figure, plain.ways(figure), answer, plain.classes)
