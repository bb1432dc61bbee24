"""A published table against itself."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction

from leukreg import (
    Conflict,
    Examined,
    Finding,
    Mismatch,
    Printed,
    Problems,
    Repair,
    Reported,
    RunRecord,
    examine,
    plugin,
    read_reported,
    reconstruct,
)
from leukreg_plugins.audits.finding import found, plural, some


def published(evidence: RunRecord) -> Reported | None:
    """The ``[reported]`` table; None without one, or with one that cannot be read (which the rule
    ``reported-unreadable`` says)."""
    if not isinstance(evidence.reported, Mapping) or not evidence.reported:
        return None
    try:
        return read_reported(evidence.reported)
    except Problems:
        return None


def supports(reported: Reported) -> dict[str, int]:
    """Test rows per class where all are stated or follow from the table; else empty."""
    stated = reported.test_supports()
    if reported.classes and set(stated) >= set(reported.classes):
        return {c: stated[c] for c in reported.classes}
    examined = examine(reported)
    known = {tuple(s for s, _, _ in found) for found in examined.marginals()}
    if len(known) == 1:
        return dict(zip(reported.classes, known.pop(), strict=True))
    return {}


def aside_note(examined: Examined) -> str:
    """ ", once <figure> is set aside", where what is said holds only then."""
    if examined.aside is None:
        return ""
    repair = examined.aside
    name = f"{repair.label} {repair.name}".strip().replace("_", " ")
    return f" (once the {name} of {repair.printed} is set aside)"


def shares(reported: Reported) -> dict[str, int]:
    """Rows per class to compute baselines from: the test's, else the whole set's."""
    return supports(reported) or _complete(reported, "class_counts")


def _complete(reported: Reported, name: str) -> dict[str, int]:
    tally = reported.tally(name)
    return tally if tally and set(tally) >= set(reported.classes) else {}


def shown(name: str, value: Printed) -> str:
    """A printed figure as people quote it: accuracies in per cent."""
    if name != "accuracy" or value.value is None or value.text.endswith("%"):
        return value.text
    digits = max(0, len(value.text.partition(".")[2]) - 2)
    return f"{float(value.value) * 100:.{digits}f} %"


def named(label: str, name: str) -> str:
    return f"{label} {name}".strip().replace("_", " ")


def worth(name: str, pair: tuple[int, int]) -> str:
    """A true figure: its counts and its value."""
    top, bottom = pair
    if bottom == 0:
        return "0/0, which is undefined"
    value = Fraction(top, bottom)
    text = f"{float(value) * 100:.2f} %" if name == "accuracy" else f"{float(value):.4f}"
    return f"{top:,}/{bottom:,} = {text}"


@plugin("reported-unreadable")
class ReportedUnreadable:
    """A reported table that is no table of figures.

    Nothing can be checked of a precision of 1.7, a negative count or a matrix that is not square.

    Do: copy the figures again from the source.
    """

    def build(self, evidence: RunRecord) -> Iterable[Finding]:
        if not isinstance(evidence.reported, Mapping) or not evidence.reported:
            return
        try:
            read_reported(evidence.reported)
        except Problems as error:
            first = error.problems[0].message
            more = f" and {len(error.problems) - 1} more" if len(error.problems) > 1 else ""
            yield found(self, "error", f"{first}{more}")


@plugin("impossible-figures")
class ImpossibleFigures:
    """Printed figures that no confusion matrix has together.

    All rates of a table come from one matrix of whole numbers. When none prints so, a figure was
    taken from another run, another subset or another computation, and the rest cannot be trusted
    either until it is found.

    Do: ask for the confusion matrix, and compute every figure from it.

    Reference: Brown and Heathers, The GRIM test, Social Psychological and Personality Science 2017.
    """

    def build(self, evidence: RunRecord) -> Iterable[Finding]:
        reported = published(evidence)
        if reported is None:
            return
        examined = examine(reported)
        if examined.conflict is not None:
            yield found(self, "error", self._conflict(examined, examined.conflict))
        for mismatch in examined.mismatches:
            yield found(self, "error", self._mismatch(reported, mismatch, examined))
        yield from self._tallies(reported)

    def _conflict(self, examined: Examined, conflict: Conflict) -> str:
        rows = f" in a test of {examined.answer.rows:,} rows" if examined.answer.rows else ""
        if examined.aside is None:
            listed = ", ".join(f"{named(c, n)} {shown(n, v)}" for c, n, v in conflict.figures)
            if len(conflict.figures) == 1:
                return f"reported: {listed} is impossible{rows}"
            text = f"reported: {listed} cannot be true together{rows}"
            ways = [f"{named(r.label, r.name)} {self._values(r)}" for r in conflict.repairs]
            return f"{text}; the rest agrees if {' or if '.join(ways)}" if ways else text
        repair = examined.aside
        others = [f for f in conflict.figures if f[:2] != (repair.label, repair.name)]
        listed = ", ".join(f"{named(c, n)} {shown(n, v)}" for c, n, v in others)
        beside = f"beside {listed}" if others else "in a test of this size"
        small = ""
        if not examined.answer.rows:
            small = f" (in {repair.answer.rows} rows, the smallest test that prints the rest)"
        name = named(repair.label, repair.name)
        return (
            f"reported: {name} {shown(repair.name, repair.printed)} is impossible {beside}:"
            f" it {self._values(repair)}{small}"
        )

    def _values(self, repair: Repair) -> str:
        texts = [worth(repair.name, pair) for pair in repair.values]
        if len(texts) == 1 and repair.answer.complete:
            return f"is {texts[0]}"
        if repair.answer.complete and len(texts) <= 3:
            return f"is {' or '.join(texts)}"
        if repair.answer.complete:
            return f"lies between {texts[0]} and {texts[-1]}"
        return f"may be {texts[0]}" if texts else "is another"

    def _mismatch(self, reported: Reported, mismatch: Mismatch, examined: Examined) -> str:
        own = "its own matrix" if reported.confusion is not None else "its own table"
        name = named(mismatch.label, mismatch.name)
        text = f"reported: {name} {shown(mismatch.name, mismatch.printed)} is not that of {own}"
        values = " or ".join(worth(mismatch.name, pair) for pair in mismatch.values)
        return f"{text}{f', {values}' if values else ''}{aside_note(examined)}"

    def _tallies(self, reported: Reported) -> Iterator[Finding]:
        """Counts that are stated twice and differ."""
        if reported.confusion is not None:
            rows = reported.test_supports()
            stated = reported.tally("test_counts") | dict(reported.supports)
            wrong = [f"{c} {n:,} (matrix: {rows[c]:,})" for c, n in stated.items() if n != rows[c]]
            if wrong:
                listed = some(wrong)
                yield found(
                    self, "error", f"reported: test counts differ from the matrix: {listed}"
                )
        total, stated_total = reported.test_total(), reported.count("test_images")
        if total is not None and stated_total is not None and total != stated_total:
            yield found(
                self,
                "error",
                f"reported: {stated_total:,} test images, but the classes sum to {total:,}",
            )
        whole, train = reported.tally("class_counts"), reported.tally("train_counts")
        test, other = reported.tally("test_counts"), reported.tally("validation_counts")
        for label in whole.keys() & train.keys() & test.keys():
            parts = train[label] + test[label] + other.get(label, 0)
            if parts > whole[label]:
                yield found(
                    self,
                    "error",
                    f"reported: {label} has {parts:,} rows on the sides of its split but"
                    f" {whole[label]:,} in all",
                )
        images = reported.count("images")
        if images is not None and whole and sum(whole.values()) > images:
            yield found(
                self,
                "error",
                f"reported: {images:,} images, but the classes sum to {sum(whole.values()):,}",
            )


@plugin("consistent-table")
class ConsistentTable:
    """What a published table's figures can come from.

    A table that some confusion matrix prints is consistent; that does not make it meaningful.
    """

    def build(self, evidence: RunRecord) -> Iterable[Finding]:
        reported = published(evidence)
        if reported is None:
            return
        examined = examine(reported)
        if examined.conflict is not None or examined.mismatches:
            return
        answer = examined.answer
        if answer.status == "undecided":
            if reported.per_class or reported.figure("accuracy") or reported.figure("recall"):
                yield found(
                    self, "note", f"reported: the table cannot be checked whole: {answer.why}"
                )
            return
        yield found(
            self, "note", f"reported: the table is consistent: {self._from(reported, examined)}"
        )

    def _from(self, reported: Reported, examined: Examined) -> str:
        answer = examined.answer
        if reported.confusion is not None:
            return f"its matrix of {answer.rows:,} rows gives every printed rate"
        rows = f"{answer.rows:,} rows"
        if answer.unique:
            return f"one matrix of {rows} prints so, {self._matrix(answer.matrix or ())}"
        supports = {tuple(s for s, _, _ in one) for one in answer.answers}
        if answer.complete and len(supports) == 1:
            return f"supports {self._joined(supports.pop())}; several matrices of {rows} print so"
        stratified = self._stratified(reported)
        if stratified:
            more = f" and {len(stratified) - 1} other stratified tests" if stratified[1:] else ""
            return f"supports {self._joined(stratified[0])}{more} of {rows} print so"
        first = self._joined(tuple(s for s, _, _ in answer.answers[0]))
        return f"several matrices of {rows} print so, for example with supports {first}"

    def _stratified(self, reported: Reported) -> list[tuple[int, ...]]:
        """Supports in proportion to the class counts that print the table."""
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

    def _joined(self, supports: tuple[int, ...]) -> str:
        return "/".join(map(str, supports))

    def _matrix(self, matrix: tuple[tuple[int, ...], ...]) -> str:
        return "[" + ", ".join(str(list(row)) for row in matrix) + "]"


@plugin("undefined-printed")
class UndefinedPrinted:
    """0/0 printed as a number.

    A specificity without negatives, or a precision of a class never answered, has no value. A 0 in
    its place reads as a failure, a 1 as a triumph; neither was measured.

    Do: print "undefined".
    """

    def build(self, evidence: RunRecord) -> Iterable[Finding]:
        reported = published(evidence)
        if reported is not None:
            examined = examine(reported)
            listed = list(self._reported(reported, examined))
            if listed:
                text = plural(len(listed), "figure is 0/0", "figures are 0/0")
                note = aside_note(examined)
                yield found(
                    self, "error", f"reported: {text} printed as numbers: {some(listed, 4)}{note}"
                )
        listed = list(self._measured(evidence))
        if listed:
            yield found(self, "error", f"0/0 given as a number: {some(listed, 4)}")

    def _reported(self, reported: Reported, examined: Examined) -> Iterator[str]:
        answers = examined.marginals()
        for i, label in enumerate(reported.classes):
            figures = reported.of(label)
            for name, value in figures.items():
                zero = [self._empty(name, sum(s for s, _, _ in one), one[i]) for one in answers]
                if zero and all(zero) and not value.undefined:
                    yield f"{label} {name} {value.text}"

    def _empty(self, name: str, n: int, marginals: tuple[int, int, int]) -> bool:
        s, _, p = marginals
        bottoms = {"recall": s, "precision": p, "f1": s + p, "specificity": n - s}
        return bottoms.get(name, 1) == 0

    def _measured(self, evidence: RunRecord) -> Iterator[str]:
        predictions = evidence.predictions
        if not predictions:
            return

        answered = predictions.answers
        for score in evidence.scores:
            if score.label not in predictions.classes or score.value is None:
                continue
            c = predictions.classes.index(score.label)
            s, p = int((predictions.label == c).sum()), int((answered == c).sum())
            if self._empty(score.name, len(predictions), (s, 0, p)):
                yield f"{score.label} {score.name} {score.value:.4f}"


RULES: list[type] = [
    ReportedUnreadable,
    ImpossibleFigures,
    ConsistentTable,
    UndefinedPrinted,
]
