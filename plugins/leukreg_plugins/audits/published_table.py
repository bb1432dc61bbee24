"""A published table against itself."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction

from leukreg import (
    Conflict,
    Examined,
    Finding,
    Mismatch,
    Printed,
    Problems,
    Reconstruction,
    Repair,
    Reported,
    RunRecord,
    examine,
    plugin,
    read_reported,
    reconstruct,
)
from leukreg_plugins.audits.finding import error, note, plural, some


def published(run: RunRecord) -> Reported:
    """The ``[reported]`` table; empty without one, or with one that cannot be read (which the rule
    ``reported-unreadable`` says)."""
    try:
        return read_reported(run.reported or {})
    except Problems:
        return Reported()


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
    return f" (once the {named(repair.label, repair.name)} of {repair.printed} is set aside)"


def shares(reported: Reported) -> dict[str, int]:
    """Rows per class to compute baselines from: the test's, else the whole set's."""
    counts = reported.tally("class_counts")
    return supports(reported) or (counts if set(counts) >= set(reported.classes) else {})


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

    def build(self, run: RunRecord) -> Iterable[Finding]:
        try:
            read_reported(run.reported or {})
        except Problems as unreadable:
            first, *others = unreadable.problems
            yield error(self, first.message + (f" and {len(others)} more" if others else ""))


@plugin("impossible-figures")
class ImpossibleFigures:
    """Printed figures that no confusion matrix has together.

    All rates of a table come from one matrix of whole numbers. When none prints so, a figure was
    taken from another run, another subset or another computation, and the rest cannot be trusted
    either until it is found.

    Do: ask for the confusion matrix, and compute every figure from it.

    Reference: Brown and Heathers, The GRIM test, Social Psychological and Personality Science 2017.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        reported = published(run)
        examined = examine(reported)
        if examined.conflict is not None:
            yield error(self, self._conflict(examined, examined.conflict))
        for mismatch in examined.mismatches:
            yield error(self, self._mismatch(reported, mismatch, examined))
        yield from self._tallies(reported)

    def _conflict(self, examined: Examined, conflict: Conflict) -> str:
        rows, repair = examined.answer.rows, examined.aside
        aside = (repair.label, repair.name) if repair else None
        listed = [f"{named(*f[:2])} {shown(*f[1:])}" for f in conflict.figures if f[:2] != aside]
        if repair is None:
            test = f" in a test of {rows:,} rows" if rows else ""
            if len(listed) == 1:
                return f"reported: {listed[0]} is impossible{test}"
            ways = [f"{named(r.label, r.name)} {self._values(r)}" for r in conflict.repairs]
            agrees = f"; the rest agrees if {' or if '.join(ways)}" if ways else ""
            return f"reported: {', '.join(listed)} cannot be true together{test}{agrees}"
        beside = f"beside {', '.join(listed)}" if listed else "in a test of this size"
        small = f" (in {repair.answer.rows} rows, the smallest test that prints the rest)"
        what = f"{named(repair.label, repair.name)} {shown(repair.name, repair.printed)}"
        value = f"it {self._values(repair)}{'' if rows else small}"
        return f"reported: {what} is impossible {beside}: {value}"

    def _values(self, repair: Repair) -> str:
        texts = [worth(repair.name, pair) for pair in repair.values]
        if not repair.answer.complete:
            return f"may be {texts[0]}"
        if len(texts) <= 3:
            return f"is {' or '.join(texts)}"
        return f"lies between {texts[0]} and {texts[-1]}"

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
                yield error(self, f"reported: test counts differ from the matrix: {some(wrong)}")
        total, stated_total = reported.test_total(), reported.count("test_images")
        if total is not None and stated_total is not None and total != stated_total:
            yield error(
                self, f"reported: {stated_total:,} test images, but the classes sum to {total:,}"
            )
        whole, train = reported.tally("class_counts"), reported.tally("train_counts")
        test, other = reported.tally("test_counts"), reported.tally("validation_counts")
        for label in whole.keys() & train.keys() & test.keys():
            parts = train[label] + test[label] + other.get(label, 0)
            if parts > whole[label]:
                sides = f"{parts:,} rows on the sides of its split but {whole[label]:,} in all"
                yield error(self, f"reported: {label} has {sides}")
        images = reported.count("images")
        if images is not None and whole and sum(whole.values()) > images:
            yield error(
                self, f"reported: {images:,} images, but the classes sum to {sum(whole.values()):,}"
            )


@plugin("consistent-table")
class ConsistentTable:
    """What a published table's figures can come from.

    A table that some confusion matrix prints is consistent; that does not make it meaningful.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        reported = published(run)
        examined = examine(reported)
        answer = examined.answer
        if examined.conflict is not None or examined.mismatches:
            return
        if answer.status == "fits":
            yield note(self, f"reported: the table is consistent: {self._from(reported, answer)}")
        elif reported.per_class or reported.figure("accuracy") or reported.figure("recall"):
            yield note(self, f"reported: the table cannot be checked whole: {answer.why}")

    def _from(self, reported: Reported, answer: Reconstruction) -> str:
        if reported.confusion is not None:
            return f"its matrix of {answer.rows:,} rows gives every printed rate"
        rows = f"{answer.rows:,} rows"
        if answer.unique:
            matrix = ", ".join(str(list(row)) for row in answer.matrix or ())
            return f"one matrix of {rows} prints so, [{matrix}]"
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


@plugin("undefined-printed")
class UndefinedPrinted:
    """0/0 printed as a number.

    A specificity without negatives, or a precision of a class never answered, has no value. A 0 in
    its place reads as a failure, a 1 as a triumph; neither was measured.

    Do: print "undefined".
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        reported = published(run)
        examined = examine(reported)
        if listed := list(self._reported(reported, examined)):
            text = plural(len(listed), "figure is 0/0", "figures are 0/0")
            aside = aside_note(examined)
            yield error(self, f"reported: {text} printed as numbers: {some(listed, 4)}{aside}")
        if listed := list(self._measured(run)):
            yield error(self, f"0/0 given as a number: {some(listed, 4)}")

    def _reported(self, reported: Reported, examined: Examined) -> Iterator[str]:
        answers = examined.marginals()
        for i, label in enumerate(reported.classes):
            for name, value in reported.of(label).items():
                zero = [self._empty(name, sum(s for s, _, _ in one), one[i]) for one in answers]
                if zero and all(zero) and not value.undefined:
                    yield f"{label} {name} {value.text}"

    def _empty(self, name: str, n: int, marginals: tuple[int, int, int]) -> bool:
        s, _, p = marginals
        bottoms = {"recall": s, "precision": p, "f1": s + p, "specificity": n - s}
        return bottoms.get(name, 1) == 0

    def _measured(self, run: RunRecord) -> Iterator[str]:
        predictions = run.predictions
        for score in run.scores:
            if score.label not in predictions.classes or score.value is None:
                continue
            c = predictions.classes.index(score.label)
            s, p = int((predictions.label == c).sum()), int((predictions.answers == c).sum())
            if self._empty(score.name, len(predictions), (s, 0, p)):
                yield f"{score.label} {score.name} {score.value:.4f}"
