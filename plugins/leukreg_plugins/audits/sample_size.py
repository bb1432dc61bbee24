"""How much a figure rests on."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt, Lt

from leukreg import (
    Finding,
    Predictions,
    Reported,
    RunRecord,
    examine,
    percent,
    plugin,
    rounded,
)
from leukreg_plugins.audits.finding import counted, error, option, some, warning
from leukreg_plugins.audits.published_table import published

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
        unit: Shape ``(n,)``: the unit of each row (see ``leukreg.resampling``).
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

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for reported in published(run):
            yield from self._reported(reported)
        predictions = run.predictions
        there = set(predictions.label.tolist())
        if len(there) == 1 and len(predictions.classes) > 1:
            name = predictions.classes[there.pop()]
            pairs = {("auc", None), ("auc", name), ("specificity", name)}
            valued = [score for score in run.scores if score.value is not None]
            given = dict.fromkeys(s.name for s in valued if (s.name, s.label) in pairs)
            also = f"; {' and '.join(given)} cannot come from it" if given else ""
            yield error(self, f"all {len(predictions):,} scored rows are {name}{also}")

    def _reported(self, reported: Reported) -> Iterator[Finding]:
        examined = examine(reported)
        answers = examined.marginals()
        held = [{at for at, (s, _, _) in enumerate(one) if s} for one in answers]
        counts = {c: n for c, n in reported.tally("test_counts").items() if n}
        one = f"{reported.who}: the test held one class,"
        if held and len(set.union(*held)) == 1:
            (at,) = held[0]
            text = f"{one} {reported.classes[at]}"
            if len(answers) == 1:
                wrong = [str(p - t) for i, (_, t, p) in enumerate(answers[0]) if i != at]
                others = f"{' + '.join(wrong)} false positives of the others"
                rows = sum(s for s, _, _ in answers[0])
                text += f": {answers[0][at][1]} hits and {others} are all {rows} rows"
            yield error(self, f"{text}{examined.proviso}")
        elif (certain := examined.only_class()) is not None:
            label, most = certain
            why = f"its precision of 1 and specificity of 0 leave no other (up to {most:,} rows)"
            yield error(self, f"{one} {label}: {why}")
        elif len(counts) == 1 and len(reported.classes) > 1:
            [(label, n)] = counts.items()
            others = f"no other of {len(reported.classes)} classes"
            yield error(self, f"{reported.who}: the test counts name {n:,} {label} and {others}")


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

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for reported in published(run):
            yield from self._worst(f"{reported.who}: ", self._reported(reported))
        yield from self._worst("", self._measured(run.predictions))

    def _measured(self, predictions: Predictions) -> Iterator[Rests]:
        if not predictions:
            return
        import numpy as np

        from leukreg import resampling

        for c, name in enumerate(predictions.classes):
            of = np.flatnonzero(predictions.label == c)
            if len(of):
                rows = predictions.take(of)
                right, drawn = rows.answers == c, resampling(rows)
                share, n = float(right.mean()), effective(right, drawn.unit)
                yield name, rounded(share), share * n, n, drawn.of

    def _reported(self, reported: Reported) -> Iterator[Rests]:
        examined = examine(reported)
        for label, n in examined.supports().items():
            recall = examined.of(label).get("recall")
            if n and recall is not None and not recall.undefined:
                yield label, recall.text, float(recall) * n, n, counted(n, "image")

    def _worst(self, who: str, rows: Iterable[Rests]) -> Iterator[Finding]:
        wide = []
        for label, text, hits, n, on in rows:
            low, high = wilson(hits, n)
            if high - low > self.width:
                interval = f"its 95 % interval is {low:.2f} to {high:.2f}"
                said = f"recall {text} of {label} rests on {on}: {interval}"
                wide.append((high - low, label, text, said))
        if wide:
            others = counted(len(wide) - 1, "other class", "other classes")
            more = f"; too wide as well: that of {others}" if wide[1:] else ""
            yield warning(self, f"{who}{max(wide)[-1]}{more}")


@plugin("fewer-folds")
class FewerFolds:
    """Fewer folds reported than run.

    The best of several folds, shown alone, is a choice made on the test rows.

    Do: report all folds, and their spread.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        k = option(run.recipe, "data", "folds", "k")
        scored, whole = len(set(run.predictions.fold.tolist())), max(k or 0, len(run.folds))
        if 0 < scored < whole:
            yield error(self, f"{scored} of {whole} folds are in the figures")
        for reported in published(run):
            folds = reported.count("folds") or k or 1
            images = reported.count("images") or sum(reported.tally("class_counts").values())
            tested = reported.test_total()
            if folds > 1 and tested and images and tested * folds <= images + folds:
                part = f"{tested:,} of {images:,} images are in the figures"
                yield warning(self, f"{reported.who}: {part}, about one of {folds} folds")


@plugin("test-looks")
class LooksAtTest:
    """More than one look at the test set.

    Each run that is scored on the same rows and then improved upon fits them a little more.

    Do: choose models on validation rows, and keep a test that is used once.

    Reference: Dwork et al., The reusable holdout, Science 2015.
    """

    most: Annotated[int, Ge(0)] = 0
    """Earlier runs on the same rows, and other variations of the run's sweep, that are let pass."""

    def build(self, run: RunRecord) -> Iterable[Finding]:
        earlier = run.earlier
        looks, swept = earlier.test_looks, earlier.sweep_looks
        if len(looks) + len(swept) > self.most:
            parts = []
            if looks:
                text = f"{counted(len(looks), 'earlier run')} scored the same test rows"
                parts.append(f"{text}: {some(looks)}")
            if swept:
                text = f"{counted(len(swept), 'other variation')} of sweep {earlier.sweep}"
                parts.append(f"{text} {'are' if swept[1:] else 'is'} scored on them: {some(swept)}")
            yield warning(self, "; ".join(parts))


@plugin("chosen-by-test")
class ChosenByTest:
    """A sweep that chooses among its variations by their figures on test rows.

    The best of several figures on the same rows is too good: part of what made it the best is luck,
    and none of it is left to be tested on.

    Do: choose on validation rows (choose = "validation"), and report what was chosen there.

    Reference: Cawley and Talbot, On over-fitting in model selection, JMLR 2010.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        earlier = run.earlier
        if earlier.sweep_choice == "test" and earlier.sweep_looks:
            count = len(earlier.sweep_looks) + 1
            yield error(
                self,
                f"sweep {earlier.sweep} chooses among {count} variations by figures of the rows "
                "that they are tested on",
            )


@plugin("imbalanced-answers")
class ImbalancedAnswers:
    """A class that is never answered though it was tested.

    Its recall is zero and its precision undefined; means over the classes hide it.

    Do: look at the class's images and weights.
    """

    share: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Part of the answers at or under which a class counts as never answered."""

    def build(self, run: RunRecord) -> Iterable[Finding]:
        predictions = run.predictions
        given = Counter(predictions.answers.tolist())
        tested = Counter(predictions.label.tolist())
        never = [
            f"{name} ({counted(tested[c], 'row')})"
            for c, name in enumerate(predictions.classes)
            if tested[c] and given[c] <= self.share * len(predictions)
        ]
        if never:
            part = f" (at most {percent(self.share)})" if self.share else ""
            yield warning(self, f"never answered{part}: {some(never)}")
