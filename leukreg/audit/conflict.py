"""Which printed figures cannot be true together, and what the wrong one must have been."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from leukreg.audit.figures import said
from leukreg.audit.printed_figure import Printed
from leukreg.audit.published_table import Reported
from leukreg.audit.reconstruct import (
    BRIEFLY,
    Figure,
    Marginals,
    Matrix,
    Puzzle,
    Reconstruction,
    figures_of,
    puzzle_of,
    ratio,
    reconstruct,
    smallest_test,
    solve,
    stratified_tests,
)
from leukreg.audit.verdict import Status, TableVerdict

MOST_REPAIRS = 6
MOST_LISTED = 200
LEFT_OUT_FIRST = (
    "jaccard", "fdr", "npv", "fpr", "fnr", "f1", "precision", "balanced_accuracy", "specificity",
    "recall", "accuracy",
)  # fmt: skip
"""Of several smallest conflicts, the one with the figures that are easiest to follow is told."""
AVERAGED = ("precision", "recall", "f1", "specificity", "balanced_accuracy")
"""Figures of the whole that are means over the classes when there are more than two."""

Counts = tuple[int, int]
"""Numerator and denominator of a true figure, unreduced; 0/0 is undefined."""


def _named(label: str, name: str) -> str:
    return f"{label} {name}".strip().replace("_", " ")


def _counted(name: str, pair: Counts) -> str:
    """A true figure: its counts and its value."""
    top, bottom = pair
    if bottom == 0:
        return "0/0, which is undefined"
    text = f"{top / bottom * 100:.2f} %" if name == "accuracy" else f"{top / bottom:.4f}"
    return f"{top:,}/{bottom:,} = {text}"


@dataclass(frozen=True, slots=True)
class Repair:
    """A printed figure without which the others agree, and what they make of it."""

    label: str
    name: str
    printed: Printed
    values: tuple[Counts, ...]
    """Each value that the other figures allow, sorted."""
    answer: Reconstruction
    """What the other figures can come from."""

    def says(self) -> str:
        texts = [_counted(self.name, pair) for pair in self.values]
        if not self.answer.complete:
            return f"may be {texts[0]}"
        if len(texts) <= 3:
            return f"is {' or '.join(texts)}"
        return f"lies between {texts[0]} and {texts[-1]}"


@dataclass(frozen=True, slots=True)
class Conflict:
    """Printed figures that no confusion matrix has together."""

    figures: tuple[Figure, ...]
    repairs: tuple[Repair, ...] = ()


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A printed figure that its own matrix, or every matrix of its own table, contradicts."""

    label: str
    name: str
    printed: Printed
    values: tuple[Counts, ...]
    """What it must be; several where means may be taken in several ways."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What became of a table, and how it is told."""

    reported: Reported
    answer: Reconstruction
    """Of all figures together."""
    conflict: Conflict | None = None
    """Where that is impossible."""
    mismatches: tuple[Mismatch, ...] = ()

    @property
    def verdict(self) -> TableVerdict:
        used = {(label, name) for label, name, _ in figures_of(self.reported)}
        every = [*(("", *one) for one in self.reported.figures), *self.reported.per_class]
        rest = [
            f"{said(name, label)} {value}"
            for label, name, value in every
            if (label, name) in used or (label == "" and (self.reported.positive, name) in used)
        ]
        others = [
            f"{said(name, label)} {value} (follows from no confusion matrix)"
            for label, name, value in every
            if f"{said(name, label)} {value}" not in rest
        ]
        wrong = list(self.contradictions())
        status: Status = "consistent" if self.answer.status == "fits" else "not checkable"
        reason = self.origin() if self.answer.status == "fits" else self.answer.why
        return TableVerdict(
            status="impossible" if wrong else status,
            reason="; ".join(wrong) or reason,
            rests_on=tuple(rest),
            unused=tuple(others),
        )

    @property
    def aside(self) -> Repair | None:
        """The figure set aside, where one alone makes the others agree."""
        repairs = self.conflict.repairs if self.conflict else ()
        return repairs[0] if len(repairs) == 1 else None

    @property
    def settled(self) -> Reconstruction | None:
        """What to believe: the answer, or that of the only repair; None where neither is there."""
        if self.aside is not None:
            return self.aside.answer
        return self.answer if self.answer.status == "fits" else None

    def marginals(self) -> tuple[Marginals, ...]:
        """All that the table can come from; empty where not all are known."""
        return self.settled.answers if self.settled and self.settled.complete else ()

    def supports(self) -> dict[str, int]:
        """Test rows per class where all are stated or follow from the table; else empty."""
        classes, stated = self.reported.classes, self.reported.test_supports()
        if classes and set(stated) >= set(classes):
            return {c: stated[c] for c in classes}
        known = {tuple(s for s, _, _ in found) for found in self.marginals()}
        return dict(zip(classes, known.pop(), strict=True)) if len(known) == 1 else {}

    @property
    def proviso(self) -> str:
        """Where what is said holds only once a figure is set aside: that it does."""
        aside = self.aside
        if aside is None:
            return ""
        return f" (once the {_named(aside.label, aside.name)} of {aside.printed} is set aside)"

    def contradictions(self) -> Iterator[str]:
        """What cannot be true of the table, a sentence each."""
        if self.conflict is not None:
            yield self._told(self.conflict)
        own = "its own matrix" if self.reported.confusion is not None else "its own table"
        for one in self.mismatches:
            values = " or ".join(_counted(one.name, pair) for pair in one.values)
            what = f"{_named(one.label, one.name)} {one.printed.quoted(one.name)}"
            yield f"{what} is not that of {own}{f', {values}' if values else ''}{self.proviso}"

    def _told(self, conflict: Conflict) -> str:
        rows, repair = self.answer.rows, self.aside
        aside = (repair.label, repair.name) if repair else None
        listed = [
            f"{_named(label, name)} {value.quoted(name)}"
            for label, name, value in conflict.figures
            if (label, name) != aside
        ]
        if repair is None:
            test = f" in a test of {rows:,} rows" if rows else ""
            if len(listed) == 1:
                return f"{listed[0]} is impossible{test}"
            ways = [f"{_named(one.label, one.name)} {one.says()}" for one in conflict.repairs]
            agrees = f"; the rest agrees if {' or if '.join(ways)}" if ways else ""
            return f"{', '.join(listed)} cannot be true together{test}{agrees}"
        beside = f"beside {', '.join(listed)}" if listed else "in a test of this size"
        small = f" (in {repair.answer.rows} rows, the smallest test that prints the rest)"
        what = f"{_named(repair.label, repair.name)} {repair.printed.quoted(repair.name)}"
        return f"{what} is impossible {beside}: it {repair.says()}{'' if rows else small}"

    def origin(self) -> str:
        """What a consistent table can come from."""
        if self.reported.confusion is not None:
            return f"its matrix of {self.answer.rows:,} rows gives every printed rate"
        answer, rows = self.answer, f"{self.answer.rows:,} rows"
        if answer.unique:
            matrix = ", ".join(str(list(row)) for row in answer.matrix or ())
            return f"one matrix of {rows} prints so, [{matrix}]"
        supports = ["/".join(str(s) for s, _, _ in one) for one in answer.answers]
        if answer.complete and len(set(supports)) == 1:
            return f"supports {supports[0]}; several matrices of {rows} print so"
        if stratified := stratified_tests(self.reported):
            more = f" and {len(stratified) - 1} other stratified tests" if stratified[1:] else ""
            return f"supports {'/'.join(map(str, stratified[0]))}{more} of {rows} print so"
        return f"several matrices of {rows} print so, for example with supports {supports[0]}"

    def only_class(self) -> tuple[str, int] | None:
        """The one class a test held, and the size of tests up to which that follows.

        Precision 1 leaves hardly a wrong row among those predicted as the class, specificity 0
        hardly a right one among the others; so there are no others, unless the test is so large
        that a row vanishes in rounding.
        """
        for label in self.reported.classes:
            figures = self.reported.of(label)
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


@functools.lru_cache(maxsize=64)
def examine(reported: Reported) -> Examined:
    """Rebuild the matrices of a table; where there are none, find what contradicts what."""
    if reported.confusion is not None:
        return _with_matrix(reported, reported.confusion)
    examined = Examined(reported, reconstruct(reported), _conflict(reported))
    return replace(examined, mismatches=tuple(_of_the_whole(reported, examined.marginals())))


def _with_matrix(reported: Reported, matrix: Matrix) -> Examined:
    columns = [sum(column) for column in zip(*matrix, strict=True)]
    marginals = tuple((sum(row), row[c], columns[c]) for c, row in enumerate(matrix))
    wrong = []
    for label, name, value in figures_of(reported):
        true = ratio(label, name, reported.classes, marginals, sum(columns))
        if not value.holds(_quotient(true)):
            wrong.append(Mismatch(label, name, value, (true,)))
    answer = Reconstruction(status="fits", rows=sum(columns), answers=(marginals,), complete=True)
    return Examined(reported, answer, None, (*wrong, *_of_the_whole(reported, (marginals,))))


def _of_the_whole(reported: Reported, answers: tuple[Marginals, ...]) -> Iterator[Mismatch]:
    """Means over more than two classes: macro, weighted or micro, over all or the tested ones."""
    if len(reported.classes) < 3 or not answers:
        return
    for name in AVERAGED:
        if (printed := reported.known(name)) is None:
            continue
        values = {value for found in answers for value in _means(name, found)}
        if not any(printed.holds(value) for value in values):
            listed = sorted(values) if len(values) <= 4 else ()
            yield Mismatch("", name, printed, tuple(v.as_integer_ratio() for v in listed))


def _means(name: str, found: Marginals) -> set[Fraction]:
    n, classes = sum(s for s, _, _ in found), [str(c) for c in range(len(found))]
    name = "recall" if name == "balanced_accuracy" else name
    pairs = [ratio(c, name, classes, found, n) for c in classes]
    as_zero = [_quotient(pair) or Fraction(0) for pair in pairs]
    defined = [v for pair in pairs if (v := _quotient(pair)) is not None]
    tested = [v for v, (s, _, _) in zip(as_zero, found, strict=True) if s]
    weighted = sum((v * s for v, (s, _, _) in zip(as_zero, found, strict=True)), Fraction(0))
    micro = _quotient((sum(a for a, _ in pairs), sum(b for _, b in pairs)))
    means = {sum(part, Fraction(0)) / len(part) for part in (as_zero, defined, tested) if part}
    return means | ({weighted / n} if n else set()) | ({micro} if micro is not None else set())


def _quotient(pair: Counts) -> Fraction | None:
    return Fraction(*pair) if pair[1] else None


def _conflict(reported: Reported) -> Conflict | None:
    puzzle = puzzle_of(reported)
    if isinstance(puzzle, str):
        return None
    if puzzle.rows is not None:
        if reconstruct(reported).status != "impossible":
            return None
        kept = _shrunk(puzzle, _within_class(puzzle) or list(range(len(puzzle.figures))))
        return Conflict(puzzle.only(kept).figures, tuple(_repairs(puzzle, kept))[:MOST_REPAIRS])
    within = _within_class(puzzle)
    beyond = None if within else _beyond_recalls(puzzle)
    if beyond or not (within or _impossible(puzzle)):
        return beyond
    kept = _shrunk(puzzle, within or list(range(len(puzzle.figures))))
    return Conflict(puzzle.only(kept).figures)


def _impossible(puzzle: Puzzle) -> bool:
    """Whether that is proven at once: many searches find out which figures contradict each other,
    and where one of them is left undecided its figure stays in the conflict."""
    return solve(puzzle, 1, BRIEFLY).status == "impossible"


def _within_class(puzzle: Puzzle) -> list[int] | None:
    """The figures of one class alone, or the accuracy alone, where that is impossible already."""
    for label in dict.fromkeys(owner for owner, _, _ in puzzle.figures):
        own = [i for i, (owner, _, _) in enumerate(puzzle.figures) if owner == label]
        if _impossible(puzzle.only(own)):
            return own
    return None


def _shrunk(puzzle: Puzzle, kept: list[int]) -> list[int]:
    """Figures are left out one by one while the rest stays impossible."""
    for i in sorted(kept, key=lambda i: LEFT_OUT_FIRST.index(puzzle.figures[i][1])):
        trial = [j for j in kept if j != i]
        if trial and _impossible(puzzle.only(trial)):
            kept = trial
    return kept


def _repairs(puzzle: Puzzle, kept: list[int]) -> Iterator[Repair]:
    for i in kept:
        answer = solve(puzzle.without(i), MOST_LISTED, BRIEFLY)
        if answer.status == "fits" and len(puzzle.figures) > 1:
            yield _repair(puzzle, puzzle.figures[i], answer)


def _repair(puzzle: Puzzle, figure: Figure, answer: Reconstruction) -> Repair:
    label, name, printed = figure
    found = (ratio(label, name, puzzle.classes, one, answer.rows) for one in answer.answers)
    values = tuple(sorted(set(found), key=lambda pair: _quotient(pair) or Fraction(0)))
    return Repair(label, name, printed, values, answer)


def _beyond_recalls(puzzle: Puzzle) -> Conflict | None:
    """Accuracy is the mean of the recalls weighted by support, in a test of any size: it lies
    between the smallest and the largest of them."""
    figures = {(label, name): (label, name, value) for label, name, value in puzzle.figures}
    accuracy = figures.get(("", "accuracy"))
    recalls = [figures.get((label, "recall")) for label in puzzle.classes]
    if accuracy is None or any(recall is None or recall[2].undefined for recall in recalls):
        return None
    known = [recall for recall in recalls if recall is not None]
    highest = max(known, key=lambda recall: recall[2].high)
    lowest = min(known, key=lambda recall: recall[2].low)
    if highest[2].high < accuracy[2].low:
        recall = highest
    # A recall printed 0 may be 0/0 of a class that was not tested: it bounds nothing from below.
    elif lowest[2].low > accuracy[2].high and not any(one[2].holds(None) for one in known):
        recall = lowest
    else:
        return None
    others = puzzle.without(puzzle.figures.index(accuracy))
    answer = smallest_test(others)
    repairs = (_repair(puzzle, accuracy, answer),) if answer else ()
    return Conflict((recall, accuracy), repairs)
