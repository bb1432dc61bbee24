"""How much a figure rests on."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt, Lt

from leukreg import (
    Examined,
    Finding,
    Predictions,
    Reported,
    RunRecord,
    examine,
    only_class,
    percent,
    plugin,
    rounded,
)
from leukreg_plugins.audits.finding import found, option, plural, some
from leukreg_plugins.audits.published_table import aside_note, published, supports

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


Z = 1.959963984540054
"""Two-sided 95 % point of the normal distribution."""


def wilson(hits: float, n: float) -> tuple[float, float]:
    """95 % interval of a share (Wilson, 1927); ``n`` above 0."""
    p, z2 = hits / n, Z * Z
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def effective(right: NDArray[np.bool_], unit: NDArray[np.int64]) -> float:
    """So many independent rows tell as much of a share as these, some of which belong together.

    The rows over the design effect (Kish, 1965; Korn and Graubard, 1998). Copies of a picture that
    are answered alike count as one, and so do the images of a unit where no answer differs.

    Args:
        right: Shape ``(n,)``, n above 0: what the share is of.
        unit: Shape ``(n,)``: the unit of each row (see ``leukreg.units_of``).
    """
    import numpy as np

    n, units = len(right), len(np.unique(unit))
    if units == n:
        return float(n)
    place = np.unique(unit, return_inverse=True)[1]
    p = right.mean()
    apart = np.bincount(place, weights=right - p)
    variance = float((apart**2).sum()) / n**2
    if variance <= 0:
        return float(units)
    return float(min(n, p * (1 - p) / variance))


def auc_interval(auc: float, positives: int, negatives: int) -> tuple[float, float]:
    """95 % interval of an area under the ROC curve (Hanley and McNeil, 1982)."""
    q1, q2 = auc / (2 - auc), 2 * auc * auc / (1 + auc)
    spread = auc * (1 - auc) + (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)
    half = Z * math.sqrt(max(spread, 0.0) / (positives * negatives))
    return max(0.0, auc - half), min(1.0, auc + half)


def base_rate_brier(counts: Iterable[int]) -> float:
    """Brier score of always saying the classes' shares: p (1 - p) for two, 1 - sum p^2 for more."""
    listed = list(counts)
    n = sum(listed)
    whole = 1 - sum((c / n) ** 2 for c in listed)
    return whole / 2 if len(listed) == 2 else whole


Rests = tuple[str, str, float, float, str]
"""Class, recall as text, hits and rows that count (copies as one), what it rests on in words."""


@plugin("one-class-tested")
class OneClassTested:
    """A test that held one class.

    Without a second class nothing is told apart: accuracy is that class's recall, AUC and its
    specificity are undefined.

    Do: test on rows of every class.
    """

    def build(self, evidence: RunRecord) -> Iterable[Finding]:
        reported = published(evidence)
        if reported is not None:
            yield from self._reported(reported)
        predictions = evidence.predictions
        if not predictions or len(predictions.classes) < 2:
            return
        there = set(predictions.label.tolist())
        if len(there) == 1:
            name = predictions.classes[there.pop()]
            pairs = {("auc", None), ("auc", name), ("specificity", name)}
            given = [s.name for s in evidence.scores
                     if s.value is not None and (s.name, s.label) in pairs]  # fmt: skip
            also = f"; {' and '.join(dict.fromkeys(given))} cannot come from it" if given else ""
            yield found(self, "error", f"all {len(predictions):,} scored rows are {name}{also}")

    def _reported(self, reported: Reported) -> Iterator[Finding]:
        examined = examine(reported)
        held = {
            tuple(c for c, m in zip(reported.classes, one, strict=True) if m[0])
            for one in examined.marginals()
        }
        certain = only_class(reported)
        if len(held) == 1 and len(next(iter(held))) == 1:
            (label,) = held.pop()
            text = f"the test held one class, {label}{self._sum(reported, examined, label)}"
            yield found(self, "error", f"reported: {text}{aside_note(examined)}")
        elif certain is not None:
            label, most = certain
            why = f"its precision of 1 and specificity of 0 leave no other (up to {most:,} rows)"
            yield found(self, "error", f"reported: the test held one class, {label}: {why}")
        else:
            counts = {c: n for c, n in reported.tally("test_counts").items() if n}
            if len(counts) == 1 and len(reported.classes) > 1:
                (label, n), *_ = counts.items()
                text = f"the test counts name {n:,} {label} and no other of"
                yield found(self, "error", f"reported: {text} {len(reported.classes)} classes")

    def _sum(self, reported: Reported, examined: Examined, label: str) -> str:
        answers_ = examined.marginals()
        if len(answers_) != 1 or examined.settled is None:
            return ""
        at = reported.classes.index(label)
        hits = answers_[0][at][1]
        wrong = [str(p - t) for i, (_, t, p) in enumerate(answers_[0]) if i != at]
        rows = examined.settled.rows
        others = f"{' + '.join(wrong)} false positives of the others"
        return f": {hits} hits and {others} are all {rows} rows"


@plugin("few-positives")
class FewPositives:
    """Too few images of a class for the precision claimed.

    The 95 % interval of a share of n images is about 2/sqrt(n) wide: digits beyond it are noise,
    and so are most differences between models.

    Do: report intervals, and test on more images of the class.

    Reference: Wilson, JASA 1927.
    """

    width: Annotated[float, Gt(0), Lt(1)] = 0.2
    """Width of the recall's interval from which on it is reported."""

    def build(self, evidence: RunRecord) -> Iterable[Finding]:
        reported = published(evidence)
        if reported is not None:
            yield from self._worst("reported: ", list(self._reported(reported)))
        predictions = evidence.predictions
        if predictions:
            yield from self._worst("", list(self._measured(predictions)))

    def _measured(self, predictions: Predictions) -> Iterator[Rests]:
        import numpy as np

        from leukreg import units_in_words, units_of

        answered, unit = predictions.answers, units_of(predictions)
        for c, name in enumerate(predictions.classes):
            of = np.flatnonzero(predictions.label == c)
            if len(of):
                right = answered[of] == c
                share, n = float(right.mean()), effective(right, unit[of])
                patient = tuple(predictions.patient[row] for row in of)
                ids = tuple(predictions.id[row] for row in of)
                on = units_in_words(unit[of], patient, ids)
                yield name, rounded(share), share * n, n, on

    def _reported(self, reported: Reported) -> Iterator[Rests]:
        for label, n in supports(reported).items():
            recall = reported.of(label).get("recall")
            if n and recall is not None and not recall.undefined:
                yield label, recall.text, float(recall) * n, n, plural(n, "image")

    def _worst(self, who: str, rows: list[Rests]) -> Iterator[Finding]:
        wide = []
        for label, text, hits, n, on in rows:
            low, high = wilson(hits, n)
            if high - low > self.width:
                wide.append((high - low, label, text, on, low, high))
        if wide:
            _, label, text, on, low, high = max(wide)
            more = (
                "; too wide as well: that of"
                f" {plural(len(wide) - 1, 'other class', 'other classes')}"
                if wide[1:]
                else ""
            )
            yield found(
                self,
                "warning",
                f"{who}recall {text} of {label} rests on {on}: its 95 % interval is"
                f" {low:.2f} to {high:.2f}{more}",
            )


@plugin("fewer-folds")
class FewerFolds:
    """Fewer folds reported than run.

    The best of several folds, shown alone, is a choice made on the test rows.

    Do: report all folds, and their spread.
    """

    def build(self, evidence: RunRecord) -> Iterable[Finding]:
        k = option(evidence.recipe, "data", "folds", "k")
        predictions = evidence.predictions
        if predictions:
            scored = len(set(predictions.fold.tolist()))
            run = max(k or 0, len(evidence.folds))
            if scored < run:
                yield found(self, "error", f"{scored} of {run} folds are in the figures")
        reported = published(evidence)
        if reported is None:
            return
        folds = reported.count("folds") or k or 1
        images = reported.count("images") or sum(reported.tally("class_counts").values())
        tested = reported.test_total()
        if folds > 1 and tested and images and tested * folds <= images + folds:
            yield found(
                self,
                "warning",
                f"reported: {tested:,} of {images:,} images are in the figures, about one of"
                f" {folds} folds",
            )


@plugin("test-looks")
class LooksAtTest:
    """More than one look at the test set.

    Each run that is scored on the same rows and then improved upon fits them a little more.

    Do: choose models on validation rows, and keep a test that is used once.

    Reference: Dwork et al., The reusable holdout, Science 2015.
    """

    most: Annotated[int, Ge(0)] = 0
    """Earlier runs on the same rows that are let pass."""

    def build(self, evidence: RunRecord) -> Iterable[Finding]:
        looks = evidence.earlier.test_looks
        if len(looks) > self.most:
            text = f"{plural(len(looks), 'earlier run')} scored the same test rows: {some(looks)}"
            yield found(self, "warning", text)


@plugin("imbalanced-answers")
class ImbalancedAnswers:
    """A class that is never answered though it was tested.

    Its recall is zero and its precision undefined; means over the classes hide it.

    Do: look at the class's images and weights.
    """

    share: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Part of the answers at or under which a class counts as never answered."""

    def build(self, evidence: RunRecord) -> Iterable[Finding]:
        predictions = evidence.predictions
        if not predictions:
            return
        given = Counter(predictions.answers.tolist())
        tested = Counter(predictions.label.tolist())
        never = [
            f"{name} ({plural(tested[c], 'row')})"
            for c, name in enumerate(predictions.classes)
            if tested[c] and given[c] <= self.share * len(predictions)
        ]
        if never:
            part = f" (at most {percent(self.share)})" if self.share else ""
            yield found(self, "warning", f"never answered{part}: {some(never)}")


RULES: list[type] = [
    OneClassTested,
    FewPositives,
    FewerFolds,
    LooksAtTest,
    ImbalancedAnswers,
]
