"""What a published result states twice, or of two things that bind each other, and differently."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Annotated, Any

from annotated_types import Ge

from leukreg import Finding, Reported, RunRecord, plugin
from leukreg_plugins.audits.finding import counted, error, note, some, warning
from leukreg_plugins.audits.published_table import published

Printed = Any
"""A figure of :class:`leukreg.Reported`."""


def folded(reported: Reported) -> bool:
    """Whether figures may be means over folds or runs, or counts sums over them."""
    return any((reported.count(key) or 1) > 1 for key in ("folds", "runs"))


@plugin("counts-disagree")
class CountsDisagree:
    """Numbers of images that cannot all be so.

    Test images are images of the data set, and a class has as many of them in the text as in the
    table. Where the counts differ, it is not known which images the figures are of.

    Do: count the files of each side of the split again, and print one table of them.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for reported in published(run):
            for text in (*self._tested(reported), *self._in_all(reported)):
                yield error(self, f"{reported.who}: {text}")

    def _tested(self, reported: Reported) -> Iterator[str]:
        """Test counts that are stated twice."""
        matrix, text = reported.confusion, reported.tally("test_counts")
        supports = reported.test_supports() if matrix else dict(reported.supports)
        where = "matrix" if matrix else "table"
        stated = (text | dict(reported.supports) if matrix else text).items()
        if matrix or not folded(reported):
            wrong = [
                f"{c} {n:,} ({where}: {supports[c]:,})"
                for c, n in stated
                if n != supports.get(c, n)
            ]
            if wrong:
                yield f"test counts differ from the {where}: {some(wrong)}"
        total, whole = reported.test_total(), reported.count("test_images")
        if total is not None and whole is not None and total != whole:
            yield f"{whole:,} test images, but the classes sum to {total:,}"

    def _in_all(self, reported: Reported) -> Iterator[str]:
        """Parts that are larger than what they are parts of."""
        whole, test = reported.tally("class_counts"), reported.test_supports()
        images, made = reported.count("images"), reported.tally("synthetic_counts")
        if images is not None and whole and sum(whole.values()) > images:
            yield f"{images:,} images, but the classes sum to {sum(whole.values()):,}"
        if folded(reported):  # repeated folds test an image more than once
            return
        tested, known = reported.test_total() or sum(test.values()), images or sum(whole.values())
        if known and tested > known + sum(made.values()):
            yield f"{tested:,} images tested of {known:,} in all"
        train, other = reported.tally("train_counts"), reported.tally("validation_counts")
        for label in whole:
            parts = [side.get(label, 0) for side in (train, other, test)]
            # More training rows than there are of a class say that these were augmented.
            if parts[0] <= whole[label] and sum(parts) > whole[label] + made.get(label, 0):
                rows = f"{sum(parts):,} rows on the sides of its split"
                if parts[:2] == [0, 0]:
                    rows = counted(sum(parts), "test row")
                yield f"{label} has {rows} but {whole[label]:,} in all"


@plugin("figure-stated-twice")
class FigureStatedTwice:
    """A figure that is stated twice and differs.

    Text and table are of one test; two values mean that one is of another run, or was not updated.

    Do: say which is right, and take both from one file.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for reported in published(run):
            for name, other in reported.restated:
                one = reported.figure(name)
                if one is None or self._meet(one, other, cut_off=False):
                    continue
                words = (
                    f"{reported.who}: {name.replace('_', ' ')} is stated as {one} and as {other}"
                )
                if self._meet(one, other, cut_off=True):
                    yield note(self, f"{words}, which agree where digits are cut off, not rounded")
                else:
                    yield error(self, words)

    def _meet(self, one: Printed, other: Printed, cut_off: bool) -> bool:
        """Whether one value prints as both."""
        if one.undefined or other.undefined:
            return bool(one.undefined == other.undefined)
        ends = [(p.low, p.value + 2 * p.half if cut_off else p.high) for p in (one, other)]
        return bool(max(low for low, _ in ends) <= min(high for _, high in ends))


@plugin("unit-assumed")
class UnitAssumed:
    """Figures read as per cent though no sign says so.

    Do: write the % sign.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for reported in published(run):
            for text in reported.assumed:
                yield note(self, f"{reported.who}: {text}")


@plugin("matrix-of-shares")
class MatrixOfShares:
    """A confusion matrix of shares, not of counts.

    Shares of a row give recalls only: how many images of each class were tested is not said.

    Do: print the counts.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for reported in published(run):
            if reported.shares is not None:
                yield note(self, f"{reported.who}: {reported.shares.assumption}")


@plugin("auc-beside-point")
class AucBesidePoint:
    """An AUC that no curve through the stated sensitivity and specificity has.

    A ROC curve rises: through a point of sensitivity T and specificity S it has an area of at least
    T S and at most 1 - (1 - T)(1 - S). Means over classes or folds still leave T + S - 1 to T + S.

    Do: compute all three from one list of scores.

    Reference: Fawcett, An introduction to ROC analysis, Pattern Recognition Letters 2006.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for reported in published(run):
            # With more classes the answers are no point of the curve of one class's scores.
            figures = dict(reported.figures) | reported.of(reported.positive or "")
            auc, *point = (figures.get(name) for name in ("auc", "recall", "specificity"))
            known = [value for value in point if value is not None and not value.undefined]
            if len(reported.classes) > 2 or auc is None or auc.undefined or len(known) < 2:
                continue
            recall, specificity = known
            least = recall.low + specificity.low - 1
            most = recall.high + specificity.high
            if least <= auc.high and auc.low <= most:
                continue
            t, s = float(recall), float(specificity)
            bound = f"least {t * s:.4g}" if auc.high < least else f"most {t + s - t * s:.4g}"
            said = f"recall {recall} and specificity {specificity}, which make it at {bound}"
            yield error(self, f"{reported.who}: AUC {auc} beside {said}")


@plugin("auc-between-fractions")
class AucBetweenFractions:
    """An AUC that so few images cannot have.

    Of P positives and N negatives it is the share of the P N pairs that are ranked rightly, a tie
    counting one half: a multiple of 1 / (2 P N).

    Do: say whether it is a mean over folds or the area under a fitted curve; else count again.

    Reference: Hanley and McNeil, Radiology 1982.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for reported in published(run):
            auc, counts = reported.known("auc"), reported.test_supports()
            if auc is None or len(reported.classes) != 2 or folded(reported):
                continue
            p, n = (counts.get(label, 0) for label in reported.classes)
            pairs = 2 * p * n
            # Cut off instead of rounded is let pass as well.
            low, high = auc.low * pairs, (auc.high + auc.half) * pairs
            if pairs and int(high) < low:
                below, above = (Fraction(k, pairs) for k in (int(high), int(high) + 1))
                near = f"{float(below):.4g} or {float(above):.4g}"
                text = f"AUC {auc} of {p:,} and {n:,} images would be {near}"
                yield warning(self, f"{reported.who}: {text}")


@plugin("brier-under-ece")
class BrierUnderEce:
    """A Brier score smaller than the calibration error allows.

    The mean square of what probabilities miss is at least the square of what they miss on average,
    in whatever bins: Brier >= ECE squared, also for means over folds. (With K classes, where the
    score may be divided by K, K Brier >= ECE squared.)

    Do: compute both from one list of probabilities.

    Reference: Guo et al., On calibration of modern neural networks, ICML 2017.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for reported in published(run):
            brier, ece, k = reported.known("brier"), reported.known("ece"), len(reported.classes)
            if brier is None or ece is None or k < 2:
                continue
            if brier.high * (1 if k == 2 else k) < ece.low**2:
                least = float(ece.low) ** 2 / (1 if k == 2 else k)
                text = f"Brier score {brier} beside ECE {ece}, which makes it at least {least:.4g}"
                yield error(self, f"{reported.who}: {text}")


@plugin("validation-like-test")
class ValidationLikeTest:
    """Validation and test figures that are one.

    Two sets of different images seldom give the same accuracy to the last digit. Where they do, one
    set may stand for both, and what was chosen on it was scored on it.

    Do: give the files of both sets.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for reported in published(run):
            accuracy, other = reported.known("accuracy"), reported.known("validation_accuracy")
            if accuracy is None or other is None or not _telling(accuracy):
                continue
            test, validation = reported.test_supports(), reported.tally("validation_counts")
            if (accuracy.value, accuracy.half) == (other.value, other.half) and (
                not validation or not test or validation == test
            ):
                of = " of as many images of each class" if validation and test else ""
                text = f"validation and test accuracy{of} are both {accuracy}"
                yield warning(self, f"{reported.who}: {text}")


@plugin("models-alike")
class ModelsAlike:
    """Two models, or two data sets, with the same figures throughout.

    Different models make different mistakes. Rows that agree to the last digit were copied, or both
    are of one run.

    Do: look up both rows in the files they came from.
    """

    least: Annotated[int, Ge(1)] = 3
    """Figures of three digits that must agree."""

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for one, other in itertools.combinations(published(run), 2):
            if (one.name, one.dataset) == (other.name, other.dataset):
                continue
            figures = [_figures(one), _figures(other)]
            shared = figures[0].keys() & figures[1].keys()
            same = [key for key in shared if figures[0][key] == figures[1][key]]
            telling = [key for key in same if _telling(figures[0][key])]
            if len(same) == len(shared) and len(telling) >= self.least:
                names = f"{one.name} and {other.name}"
                if one.dataset != other.dataset:
                    names = f"{names} (on {one.dataset} and {other.dataset})"
                text = f"{counted(len(same), 'figure')} of {names} agree to the last digit"
                yield warning(self, f"reported: {text}")


def _figures(reported: Reported) -> dict[tuple[str, str], Printed]:
    whole = {("", name): value for name, value in reported.figures}
    return whole | {(label, name): value for label, name, value in reported.per_class}


def _telling(value: Printed) -> bool:
    """Neither none nor all, with three digits or more: equal ones are no matter of course."""
    return not value.undefined and 0 < value.value < 1 and value.half <= Fraction(1, 2000)
