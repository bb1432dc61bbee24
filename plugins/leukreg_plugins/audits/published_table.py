"""A published table against itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from leukreg import Finding, Problems, Reported, RunRecord, examine, plugin
from leukreg_plugins.audits.finding import counted, error, note, some, warning


def published(run: RunRecord) -> tuple[Reported, ...]:
    """The published tables; none where one cannot be read (which the rule ``reported-unreadable``
    says)."""
    try:
        return _read(run)
    except Problems:
        return ()


def _read(run: RunRecord) -> tuple[Reported, ...]:
    stated = run.recipe.get("reported")
    return Reported.read_all(stated) if stated else ()


def shares(reported: Reported) -> dict[str, int]:
    """Rows per class to compute baselines from: the test's, else the whole set's."""
    counts = reported.tally("class_counts")
    return examine(reported).supports() or (counts if set(counts) >= set(reported.classes) else {})


@plugin("reported-unreadable")
class ReportedUnreadable:
    """A reported table that is no table of figures.

    Nothing can be checked of a precision of 1.7, a negative count or a matrix that is not square.

    Do: copy the figures again from the source.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        try:
            _read(run)
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
        for reported in published(run):
            for text in examine(reported).contradictions():
                yield error(self, f"{reported.who}: {text}")


@plugin("consistent-table")
class ConsistentTable:
    """What a published table's figures can come from.

    A table that some confusion matrix prints is consistent; that does not make it meaningful.
    Where only another reading than the plain one fits (other averages, digits cut off, columns or
    a matrix turned), that reading is named.

    Do: print the confusion matrix with the figures; all of them follow from it.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for reported in published(run):
            examined, who = examine(reported), reported.who
            verdict, reading = examined.verdict, examined.reading
            if verdict.status == "impossible":
                continue
            if reading is not None:
                said = f"{who}: the table is {verdict.headline}: {verdict.reason}"
                yield (warning if reading.slip else note)(self, f"{said}{self._of(verdict)}")
            elif reported.per_class or not all("loss" in name for name, _ in reported.figures):
                yield note(self, f"{who}: the table is not checkable: {verdict.reason}")

    def _of(self, verdict: Any) -> str:
        """What was not checked, or only in part: the names, whose values the verdict lists."""
        parts = []
        if verdict.bounded:
            parts.append(f"only bounded: {some(map(_named, verdict.bounded))}")
        if verdict.unused:
            parts.append(f"not checked: {some(map(_named, verdict.unused))}")
        return f" ({'; '.join(parts)})" if parts else ""


def _named(told: str) -> str:
    """A figure without its value: "ALL AUC" of "ALL AUC 0.985 (...)"."""
    return re.sub(r" \S*\d[.,]\d.*| \(.*", "", told)


@plugin("undefined-printed")
class UndefinedPrinted:
    """0/0 printed as a number.

    A specificity without negatives, or a precision of a class never answered, has no value. A 0 in
    its place reads as a failure, a 1 as a triumph; neither was measured.

    Do: print "undefined".
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for reported in published(run):
            if listed := list(self._reported(reported)):
                text = counted(len(listed), "figure is 0/0", "figures are 0/0")
                listing = f"printed as numbers: {some(listed, 4)}{examine(reported).proviso}"
                yield error(self, f"{reported.who}: {text} {listing}")
        if listed := list(self._measured(run)):
            yield error(self, f"0/0 given as a number: {some(listed, 4)}")

    def _reported(self, reported: Reported) -> Iterator[str]:
        examined = examine(reported)
        answers, only = examined.marginals(), examined.only_class()
        if only is not None and not answers:
            for owner, name, value in reported.per_class:
                empty = "specificity" if owner == only[0] else "recall"
                if name == empty and not value.undefined:
                    yield f"{owner} {name} {value.text}"
        for i, label in enumerate(reported.classes):
            for name, value in examined.of(label).items():
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
