"""A published table is examined: in which reading it can be true, or what contradicts what.

The plain reading first: figures of the whole are those of the positive class (two classes) or
averages (more), rounded half up, half down or half to even. Then every other honest one, in the
order of ``READINGS``. "Impossible" is said only when none of them fits.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from leukreg.audit.conflict import Conflict, of_one_class, shortest_conflict, told
from leukreg.audit.cp_sat import Purse
from leukreg.audit.figures import said
from leukreg.audit.means_over_folds import beyond_means, mean_of_scores, tests_of
from leukreg.audit.printed_figure import Printed
from leukreg.audit.published_table import LOSSES
from leukreg.audit.reading_search import FigureReading, of_matrix, of_test, plainly, read_as
from leukreg.audit.readings import RATIOS, unlabelled
from leukreg.audit.reconstruct import (
    DECIDE,
    Reconstruction,
    figures_of,
    puzzle_of,
    solve,
    stratified_tests,
)
from leukreg.audit.verdict import Status, TableVerdict

if TYPE_CHECKING:
    from leukreg.audit.published_table import Reported
    from leukreg.audit.readings import Marginals
    from leukreg.audit.system import Puzzle

EFFORT = 1.2
"""What all searches for a reading may take, and half of it those for a conflict, some 8 seconds of
a processor together: CP-SAT's deterministic time."""
UNDECIDED = Reconstruction(status="undecided")
AVERAGED_TOGETHER = frozenset({"precision", "recall", "f1"})
WEIGHTED = "the recall is the accuracy, as a weighted average of recalls always is"


@dataclass(frozen=True, slots=True)
class Examined:
    """What became of a table, and how it is told."""

    reported: Reported
    reading: FigureReading | None = None
    """The reading that fits, and what the figures come from in it."""
    conflict: Conflict | None = None
    """Where none does."""
    wrong: tuple[str, ...] = ()
    """What cannot be true besides, a sentence each."""
    tests: int | None = 1
    """Figures are means over so many tests; None where that is not said."""
    why: str = ""
    """Why nothing could be decided."""
    tried: tuple[str, ...] = ()
    """The readings that do not fit, where none does."""
    assumed: tuple[str, ...] = ()
    """What was taken for granted besides, a sentence each."""

    @property
    def answer(self) -> Reconstruction:
        return self.reading.answer if self.reading is not None else UNDECIDED

    @property
    def settled(self) -> Reconstruction | None:
        """What to believe: the answer, or that of the only repair; None where neither is there."""
        if self.reading is not None:
            return self.reading.answer
        aside = self.conflict.aside if self.conflict else None
        return aside.answer if aside is not None else None

    def marginals(self) -> tuple[Marginals, ...]:
        """All that the table can come from; empty where not all are known."""
        return self.settled.answers if self.settled and self.settled.complete else ()

    def supports(self) -> dict[str, int]:
        """Rows per class of the one test, stated or following from the table; else empty."""
        classes, stated = self.reported.classes, self.reported.test_supports()
        if self.tests != 1 and self.reported.confusion is None:
            return {}
        if classes and set(stated) >= set(classes):
            return {c: stated[c] for c in classes}
        known = {tuple(s for s, _, _ in found) for found in self.marginals()}
        return dict(zip(classes, known.pop(), strict=True)) if len(known) == 1 else {}

    def of(self, label: str) -> dict[str, Printed]:
        """The figures of one class: its row, and those of the whole where they are read as its."""
        own = {name: value for owner, name, value in self.reported.per_class if owner == label}
        if len(self.reported.classes) != 2 or label != self.reported.positive:
            return own
        if self.reading is not None and self.reading.name:
            return own
        whole = {n: v for n, v in self.reported.figures if unlabelled("", n)}
        return whole | own

    @property
    def proviso(self) -> str:
        """Where what is said holds in a reading only, or once a figure is set aside: that."""
        if self.reading is not None and self.reading.name:
            return f" (read as {self.reading.name})"
        aside = self.conflict.aside if self.conflict else None
        if aside is None:
            return ""
        label, name, value = aside.figure
        return f" (once the {said(name, label)} of {value} is set aside)"

    def contradictions(self) -> Iterator[str]:
        """What cannot be true of the table, a sentence each."""
        tried = f" (no reading fits; tried: {', '.join(self.tried)})" if self.tried else ""
        if self.conflict is not None:
            yield self.conflict.text() + tried
        for one in self.wrong:
            yield one + tried

    def origin(self) -> str:
        """What a consistent table can come from."""
        if not self.answer.answers:
            return "some right answers in each fold give every mean"
        answer, rows = self.answer, f"{self.answer.rows:,} rows"
        if self.reported.confusion is not None:
            return f"its matrix of {rows} gives every printed rate"
        if self.reported.test_total() is None:
            return "one test, whose size is not stated, can print all of it"
        if answer.unique:
            matrix = ", ".join(str(list(row)) for row in answer.matrix or ())
            return f"one matrix of {rows} prints so, [{matrix}]"
        supports = ["/".join(str(s) for s, _, _ in one) for one in answer.answers]
        if answer.complete and len(set(supports)) == 1:
            return f"supports {supports[0]}; several matrices of {rows} print so"
        if stratified := stratified_tests(self.reported):
            more = f" and {len(stratified) - 1} other stratified tests" if stratified[1:] else ""
            return f"supports {'/'.join(map(str, stratified[0]))}{more} of {rows} print so"
        if not self.reported.per_class:
            return f"several matrices of {rows} print so"
        return f"several matrices of {rows} print so, for example with supports {supports[0]}"

    @property
    def verdict(self) -> TableVerdict:
        """What is said of the table, and of which of its figures."""
        wrong = list(self.contradictions())
        used = figures_of(self.reported) if self.reading is not None or wrong else ()
        bounded = tuple(told(one) for one in self.answer.bounded)
        rests = [told(one) for one in used]
        status: Status = "not checkable" if self.reading is None else "consistent"
        return TableVerdict(
            status="impossible" if wrong else status,
            reading=self.reading.name if self.reading is not None and not wrong else "",
            reason="; ".join(wrong) or (self.origin() if self.reading is not None else self.why),
            rests_on=tuple(one for one in rests if one not in bounded),
            bounded=bounded,
            unused=tuple(self._unused(set(rests))),
            assumptions=tuple(self._assumptions()),
            tried=self.tried,
        )

    def _unused(self, used: set[str]) -> Iterator[str]:
        whole = (("", name, value) for name, value in self.reported.figures)
        for one in (*self.reported.per_class, *whole):
            if told(one) not in used and one[1] not in (*LOSSES, "threshold", "baseline_claimed"):
                follows = one in figures_of(self.reported)
                yield told(one) if follows else f"{told(one)} (follows from no confusion matrix)"

    def _assumptions(self) -> Iterator[str]:
        yield from (*self.reported.assumed, *self.assumed)
        if self.reported.shares is not None:
            yield self.reported.shares.assumption
        turned = self.reading is not None and "predictions as rows" in self.reading.name
        if (self.reported.shares or self.reported.confusion) and not turned:
            yield "the rows of the matrix are the true classes, its columns the predicted ones"
        if self.tests is None:
            yield "figures printed with ± are means over several tests"
        elif self.tests > 1:
            yield f"figures are means over {self.tests} tests, or rates of all their rows"
        whole = any(unlabelled("", name) for name, _ in self.reported.figures)
        if whole and len(self.reported.classes) == 2 and not self.proviso and self.reading:
            yield f"figures of the whole are those of {self.reported.positive}"

    def only_class(self) -> tuple[str, int] | None:
        """The one class a test held, and the size of tests up to which that follows.

        Precision 1 leaves hardly a wrong row among those predicted as the class, specificity 0
        hardly a right one among the others; so there are no others, unless the test is so large
        that a row vanishes in rounding. Of means over tests this holds for each of them.
        """
        tests = self.tests or 0
        for label in self.reported.classes if tests else ():
            figures = self.of(label)
            precision, specificity = figures.get("precision"), figures.get("specificity")
            if precision is None or specificity is None:
                continue
            if precision.undefined or specificity.undefined or precision.low >= 1:
                continue
            if precision.high >= 1 and specificity.low <= 0:
                # n - s = fp + tn <= (1 - P) n + Sp (n - s) is below 1 for n < (1 - Sp) / (1 - P).
                bound = (1 - tests * specificity.high) / (tests * (1 - precision.low))
                if bound > 1:
                    return label, -int(-bound // 1) - 1 if bound == bound // 1 else int(bound)
        return None


@functools.lru_cache(maxsize=64)
def examine(reported: Reported) -> Examined:
    """Find the reading in which a table can be true; where there is none, what contradicts what."""
    tests = tests_of(reported)
    if tests != 1 and reported.confusion is None:
        return _means(reported, tests)
    if reported.confusion is not None:
        reading, wrong = of_matrix(reported)
        return Examined(reported, reading, wrong=wrong, tests=tests, tried=_tried(reported, wrong))
    return _of_shares(reported) if reported.shares is not None else _one_test(reported)


def _of_shares(reported: Reported) -> Examined:
    """As stated, or with the matrix turned; what contradicts what only where neither fits."""
    first, turning = _beside_shares(reported), "a matrix with predictions as rows"
    if not tuple(first.contradictions()) or reported.shares is None:
        return first
    turned = reported.shares.turned()
    rows = reported.per_class[len(tuple(reported.shares.diagonal(reported.classes))) :]
    per_class = (*turned.diagonal(reported.classes, rows), *rows)
    other = _beside_shares(replace(reported, shares=turned, per_class=per_class))
    if other.reading is None or other.wrong:
        return replace(first, tried=(*first.tried, "the matrix turned"))
    name = f"{turning}, {other.reading.name}" if other.reading.name else turning
    return replace(other, reading=replace(other.reading, name=name, slip=True))


def _beside_shares(reported: Reported) -> Examined:
    examined, shares = _one_test(reported), reported.shares
    if shares is None or examined.conflict is not None:
        return examined
    supports = {c: n for c, n in reported.test_supports().items() if n}
    wrong = tuple(shares.beyond(reported.classes, supports, figures_of(reported)))
    return replace(examined, wrong=wrong, tried=_tried(reported, wrong))


def _one_test(reported: Reported) -> Examined:
    puzzle = puzzle_of(reported)
    if isinstance(puzzle, str):
        return Examined(reported, why=puzzle)
    if puzzle.rows is None:
        puzzle = of_one_class(puzzle)
    purse = Purse(EFFORT)
    if recall_is_accuracy(puzzle):
        answer = solve(read_as(puzzle, "weighted"), effort=DECIDE, purse=purse)
        if answer.status == "fits" and not answer.bounded:
            weighted = FigureReading("weighted averages", answer)
            return Examined(reported, weighted, assumed=(WEIGHTED,))
    reading, why = of_test(puzzle, purse)
    if reading is not None or why:
        return Examined(reported, reading, why=why)
    conflict = shortest_conflict(puzzle, plainly(puzzle), Purse(EFFORT / 2))
    return Examined(reported, conflict=conflict, tried=_tried(reported, ("",)))


def recall_is_accuracy(puzzle: Puzzle) -> bool:
    """Whether two classes' recall is printed as the accuracy is, to three digits or more, among
    figures that are averages as often as not: hardly by chance that of one class."""
    whole = {name: value for label, name, value in puzzle.figures if not label}
    loose = {name for name in whole if unlabelled("", name)}
    accuracy, recall = whole.get("accuracy"), whole.get("recall")
    if len(puzzle.classes) != 2 or accuracy is None or recall is None:
        return False
    alike = (accuracy.value, accuracy.half) == (recall.value, recall.half)
    return alike and accuracy.half <= Fraction(1, 2000) and {"recall"} < loose <= AVERAGED_TOGETHER


def _means(reported: Reported, tests: int | None) -> Examined:
    """Of means over tests: rates of all rows together, or beyond all means, or not checkable."""
    figures = figures_of(reported)
    if wrong := tuple(beyond_means(figures, reported.classes)):
        alone = _one_test(reported)  # the figures of one fold, perhaps
        if alone.reading is not None:
            return replace(alone, reading=replace(alone.reading, name="figures of one test"))
        over = f"means over {tests or 'several'} tests"
        if alone.conflict is not None and reported.test_total() is not None:
            return replace(alone, tried=(*alone.tried, over))
        return Examined(reported, wrong=wrong, tests=tests)
    if reported.fold_sizes:
        return _known_folds(reported, tests)
    puzzle = puzzle_of(reported)
    if not isinstance(puzzle, str) and puzzle.rows is not None:
        reading, _ = of_test(plainly(puzzle), Purse(EFFORT / 3), only_plain=True)
        if reading is not None and not reading.answer.bounded:
            name = "rates of all tests' rows together"
            reading = replace(reading, name=f"{name}, {reading.name}" if reading.name else name)
            return Examined(reported, reading, tests=tests)
    over = f"means over {tests} tests" if tests else "means over several tests"
    what = "not those of one confusion matrix" if figures else "of figures no matrix tells"
    why = f"the figures are {over}, {what}; the counts of each test would be needed"
    return Examined(reported, tests=tests, why=why)


def _known_folds(reported: Reported, tests: int | None) -> Examined:
    """Of folds of known sizes: means of scores, or rates of all rows, or neither."""
    every, folds = figures_of(reported), len(reported.fold_sizes)
    fits, figures = mean_of_scores(reported, every)
    over = f"means over {folds} folds of these sizes"
    if fits:
        others = tuple(one for one in every if one not in figures)
        answer = Reconstruction(status="fits", bounded=others)
        return Examined(reported, FigureReading(over, answer), tests=tests)
    counts: dict[str, int] = {}
    for label, n in (one for fold in reported.fold_sizes for one in fold):
        counts[label] = counts.get(label, 0) + n * (reported.count("runs") or 1)
    puzzle, all_rows = puzzle_of(reported), "rates of all tests' rows together"
    if isinstance(puzzle, str):
        return Examined(reported, tests=tests, why=puzzle)
    supports = tuple((label, n) for label, n in counts.items() if label)
    puzzle = replace(puzzle, rows=sum(counts.values()), supports=supports)
    reading, why = of_test(puzzle, Purse(EFFORT))
    if reading is not None:
        name = f"{all_rows}, {reading.name}" if reading.name else all_rows
        return Examined(reported, replace(reading, name=name), tests=tests)
    if fits is None or why:
        return Examined(reported, tests=tests, why=why or f"undecided as {over}")
    alone = [one for one in figures if mean_of_scores(reported, [one])[0] is False] or figures
    wrong = (
        f"{', '.join(map(told, alone))}: no right answers in {folds} folds of these sizes give this"
    )
    return Examined(reported, wrong=(wrong,), tests=tests, tried=(over, all_rows))


def _tried(reported: Reported, wrong: tuple[str, ...]) -> tuple[str, ...]:
    """The readings that were tried, in words."""
    if not wrong:
        return ()
    tried = []
    if any(unlabelled("", name) for name, _ in reported.figures):
        tried += ["of either class"] if len(reported.classes) == 2 else []
        tried += ["macro, weighted and micro averages"]
    tried += ["rounded or cut off"]
    names = {name for _, name, _ in figures_of(reported)}
    tried += ["columns swapped"] if len(names & set(RATIOS)) > 1 else []
    return (*tried, *(["the matrix turned"] if reported.confusion is not None else []))
