"""What a published table says of its test where it does not say how many images were tested."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import sqrt
from typing import Annotated, Any

from annotated_types import Interval

from leukreg import (
    Finding,
    Reported,
    RunRecord,
    examine,
    find_dataset,
    plugin,
    set_counts,
    usual_splits,
)
from leukreg_plugins.audits.contradictions import folded
from leukreg_plugins.audits.finding import counted, note, warning
from leukreg_plugins.audits.published_table import published

Printed = Any
"""A figure of :class:`leukreg.Reported`."""
Share = tuple[Fraction, Fraction]
"""Between what a share lies."""


@plugin("sizes-that-print")
class SizesThatPrint:
    """Which usual splits of the data set can print a table without a test size.

    A rate of n images is a whole number over n. No size is proven so: the test may be another part
    of the set. A stratified test holds each class's share of it, and must print each row with that.

    Do: print how many images of each class were tested.

    Reference: Brown and Heathers, The GRIM test, Social Psychological and Personality Science 2017.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for reported in published(run):
            splits = usual_splits(reported)
            can = [one for one in splits if one.prints == "yes"]
            not_ = [one for one in splits if one.prints == "no"]
            if can or not_:
                text = f"no test size is stated; {self._said(can, not_, len(splits))}"
                yield note(self, f"{reported.who}: {text}{self._rows(can)}")

    def _said(self, can: Sequence[Any], not_: Sequence[Any], every: int) -> str:
        if len(not_) == every:
            return f"none of the usual splits can print the table: {self._sized(not_)}"
        if len(can) == every:
            return f"each of the usual splits can print the table: {self._named(can)}"
        told = [f"{self._sized(can)} can"] if can else []
        told += [f"{self._named(not_)} cannot"] if not_ else []
        return f"of the usual splits {', '.join(told)} print the table"

    def _named(self, splits: Iterable[Any]) -> str:
        return listed([one.name for one in splits])

    def _sized(self, splits: Iterable[Any]) -> str:
        ends = ((one.name, one.sizes[0], one.sizes[-1]) for one in splits)
        return listed([f"{name} ({a:,}{f' to {b:,}' if b > a else ''})" for name, a, b in ends])

    def _rows(self, can: Sequence[Any]) -> str:
        """The rows that a stratified test cannot print, of the largest such split."""
        parted = [one for one in can if one.too_small]
        if not parted:
            return ""
        label, share, least = parted[-1].too_small[0]
        need = f", which needs {least:,}" if least > share else ""
        names = "none of them" if len(parted) == len(can) else self._named(parted)
        verb = "can" if len(parted) == len(can) else "cannot"
        others = counted(len(parted[-1].too_small) - 1, "other row")
        also = f", and {others}" if parted[-1].too_small[1:] else ""
        return (
            f"; where each class has its share, {names} {verb} ({label} of {share:,}{need}{also})"
        )


def listed(names: Sequence[str]) -> str:
    """ "a, b and c"."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


@plugin("prevalence-implied")
class PrevalenceImplied:
    """The share of positives that the printed figures of two classes imply.

    Accuracy is sensitivity and specificity weighted by the shares of the two classes, and precision
    depends on them as well; so they tell the share of positives in the test. It need not be that of
    the data set, unless the test was drawn from it at random.

    Do: print how many images of each class were tested.

    Reference: Altman and Bland, Diagnostic tests 2: predictive values, BMJ 1994.
    """

    widest: Annotated[float, Interval(gt=0, le=1)] = 0.2
    """Width of the interval up to which it is told."""

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for reported in published(run):
            examined, positive = examine(reported), reported.positive
            plain = examined.reading is not None and not examined.reading.name
            if len(reported.classes) != 2 or positive is None or not plain or folded(reported):
                continue
            if reported.test_total() is not None or examined.supports():
                continue
            share, names = implied(examined.of(positive), reported.known("accuracy"))
            if share is None or share[1] - share[0] > self.widest:
                continue
            text = f"{names} imply that {_percents(share)} of the test were {positive}"
            yield self._beside(reported, positive, share, text)

    def _beside(self, reported: Reported, positive: str, share: Share, text: str) -> Finding:
        counts = set_counts(reported)
        text = f"{reported.who}: {text}"
        if not any(counts.values()):
            return note(self, text)
        total = sum(counts.values())
        own = Fraction(counts[positive], total)
        dataset = None if reported.tally("class_counts") else find_dataset(reported.dataset)
        of_set = f"{100 * float(own):.1f} % of {dataset.name if dataset else 'its set'} are"
        if share[0] <= own <= share[1]:
            return note(self, f"{text}, as {of_set}")
        off = float(max(share[0] - own, own - share[1]))
        # Three standard errors of a tenth of the set, the smallest usual test.
        stray = 3 * sqrt(float(own * (1 - own)) / max(total / 10, 1))
        if off <= stray:
            return note(self, f"{text}; {of_set}, no more than a random tenth of it strays")
        said = f"{text}; {of_set}: a random tenth of it hardly ever strays so far"
        return (warning if reported.split == "image" else note)(self, said)


def _percents(share: Share) -> str:
    low, high = (f"{100 * float(end):.1f}" for end in share)
    return f"{low} %" if low == high else f"{low} to {high} %"


def implied(figures: Mapping[str, Printed], accuracy: Printed | None) -> tuple[Share | None, str]:
    """Between what the share of positives lies by the figures of the positive class, and by which;
    None where they do not tell it."""
    known = {name: value for name, value in figures.items() if not value.undefined}
    if accuracy is not None:
        known["accuracy"] = accuracy
    found, used = list[Share](), dict[str, None]()
    for needed, share_by in _WAYS:
        if all(name in known for name in needed):
            share = share_by(*((known[n].low, known[n].high) for n in needed))
            if share is not None:
                found.append(share)
                used |= dict.fromkeys(needed)
    if not found:
        return None, ""
    low, high = max(a for a, _ in found), min(b for _, b in found)
    return (low, high) if low <= high else None, listed([f"{name} {known[name]}" for name in used])


def _weighing(accuracy: Share, recall: Share, specificity: Share) -> Share | None:
    """From accuracy = share x recall + (1 - share) x specificity."""
    ends: list[Fraction] = [Fraction(0), Fraction(1)]
    for side, of, limit in ((1, 0, accuracy[1]), (-1, 1, accuracy[0])):
        # side x (specificity + share x (recall - specificity)) <= side x limit
        slope = side * (recall[of] - specificity[of])
        room = side * (limit - specificity[of])
        if slope > 0:
            ends[1] = min(ends[1], room / slope)
        elif slope < 0:
            ends[0] = max(ends[0], room / slope)
        elif room < 0:
            return None
    return (ends[0], ends[1]) if ends[0] <= ends[1] else None


def _predicting(precision: Share, recall: Share, specificity: Share) -> Share | None:
    """From the odds precision : 1 - precision = share x recall : (1 - share) (1 - specificity)."""
    low, high = (
        (p * (1 - s), r * (1 - p))
        for p, s, r in zip(precision, specificity[::-1], recall[::-1], strict=True)
    )
    if not sum(low) or not sum(high):
        return None
    return low[0] / sum(low), high[0] / sum(high)


def _missing(accuracy: Share, precision: Share, recall: Share) -> Share | None:
    """From what is wrong: 1 - accuracy = share x (1 - recall + recall / precision - recall)."""
    if precision[0] <= 0:
        return None
    parts = [1 + r * (1 / p - 2) for r in recall for p in precision]
    if min(parts) <= 0:
        return None
    return (1 - accuracy[1]) / max(parts), min(Fraction(1), (1 - accuracy[0]) / min(parts))


_WAYS = (
    (("accuracy", "recall", "specificity"), _weighing),
    (("precision", "recall", "specificity"), _predicting),
    (("accuracy", "precision", "recall"), _missing),
)
