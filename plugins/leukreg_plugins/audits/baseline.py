"""Figures against what needs no model."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

from leukreg import Finding, Reported, RunRecord, examine, percent, plugin, rounded
from leukreg_plugins.audits.finding import counted, error, positive_index, warning
from leukreg_plugins.audits.published_table import published, shares
from leukreg_plugins.audits.sample_size import auc_interval, base_rate_brier


@plugin("majority-baseline")
class MajorityBaseline:
    """Accuracy at or under that of always answering the most frequent class.

    A constant answer needs no images. On imbalanced data a high accuracy can lie far below it.

    Do: report balanced accuracy or MCC, and the baseline beside every accuracy.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for reported in published(run):
            yield from self._reported(reported)
        tested, n = Counter(run.predictions.label.tolist()), len(run.predictions)
        if len(tested) < 2:  # one class alone is another rule's
            return
        hits = int((run.predictions.answers == run.predictions.label).sum())
        label, most = tested.most_common(1)[0]
        if hits <= most:
            yield warning(
                self,
                f"accuracy {percent(hits / n)} lies {'at' if hits == most else 'under'} the"
                f" majority baseline {percent(most / n)} (always {run.predictions.classes[label]},"
                f" {most:,} of {n:,})",
            )

    def _reported(self, reported: Reported) -> Iterable[Finding]:
        examined = examine(reported)
        accuracy, counts = reported.known("accuracy"), examined.supports()
        if accuracy is None or sum(n > 0 for n in counts.values()) < 2:
            return
        name, most = max(counts.items(), key=lambda item: item[1])
        n, text = sum(counts.values()), accuracy.quoted("accuracy")
        aside = examined.conflict.aside if examined.conflict else None
        low, high = accuracy.low, accuracy.high
        if aside is not None and aside.figure[1] == "accuracy" and aside.answer.complete:
            low, high = min(aside.values()), max(aside.values())
            text = f"{100 * float(low):.2f} %" if low == high else "of the others"
        # The numbers of right answers that print so: all of them must be at or under the baseline.
        least, hits = math.ceil(low * n), math.floor(high * n)
        if least <= hits <= most:
            positives = counts.get(reported.positive or "", 0)
            few = f"; {counted(positives, 'positive')}" if len(counts) == 2 and positives else ""
            where = "under" if hits < most else "at" if least == most else "at or under"
            yield error(
                self,
                f"{reported.who}: accuracy {text} lies {where} the"
                f" majority baseline {percent(most / n)} (always {name}, {most:,} of {n:,}{few})"
                f"{examined.proviso}",
            )


@plugin("baseline-misquoted")
class BaselineMisquoted:
    """A baseline quoted as one in k that lies under the majority baseline.

    With unequal classes, guessing among k is not the best that needs no model.

    Do: quote the share of the largest class.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for reported in published(run):
            claimed, counts = reported.known("baseline_claimed"), shares(reported)
            if claimed is None or not any(counts.values()):
                continue
            name, most = max(counts.items(), key=lambda item: item[1])
            n = sum(counts.values())
            if float(claimed.high) < most / n:
                baseline = f"{percent(most / n)} (always {name}, {most:,} of {n:,})"
                text = f"the baseline is {baseline}, not {percent(float(claimed))}"
                yield warning(self, f"{reported.who}: {text}")


@plugin("auc-near-half")
class AucNearHalf:
    """An AUC under one half, or whose 95 % interval includes it.

    Such a ranking may be no ranking at all; under one half, labels or scores may be reversed.

    Do: report the interval with every AUC.

    Reference: Hanley and McNeil, Radiology 1982.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for reported in published(run):
            yield from self._reported(reported)
        for score in run.scores:
            if score.name == "auc" and score.label is None and score.value is not None:
                known = score.low is not None and score.high is not None
                interval = (
                    (score.low or 0.0, score.high or 0.0)
                    if known
                    else self._computed(run, score.value)
                )
                yield from self._said(f"AUC {rounded(score.value)}", score.value, interval, "")

    def _reported(self, reported: Reported) -> Iterable[Finding]:
        if (auc := reported.known("auc")) is None:
            return
        counts = examine(reported).supports()
        positives = counts.get(reported.positive or "", 0)
        negatives = sum(counts.values()) - positives
        two = len(reported.classes) == 2 and positives and negatives
        interval = auc_interval(float(auc), positives, negatives) if two else None
        about = f" ({positives:,} positives, {negatives:,} negatives)" if two else ""
        yield from self._said(f"{reported.who}: AUC {auc.text}", float(auc), interval, about)

    def _computed(self, run: RunRecord, auc: float) -> tuple[float, float] | None:
        from leukreg import resampling

        positive = positive_index(run)
        if positive is None:
            return None
        unit, is_positive = resampling(run.predictions).unit, run.predictions.label == positive
        positives, others = len(set(unit[is_positive])), len(set(unit[~is_positive]))
        return auc_interval(auc, positives, others) if positives and others else None

    def _said(
        self, who: str, value: float, interval: tuple[float, float] | None, about: str
    ) -> Iterable[Finding]:
        low, high = interval or (1.0, 1.0)
        spread = f"its 95 % interval {low:.2f} to {high:.2f}{about}"
        if low <= 0.5 <= high:
            under = " lies under one half and" if value < 0.5 else ":"
            yield warning(self, f"{who}{under} {spread} includes one half")
        elif value < 0.5:
            yield warning(self, f"{who} lies under one half{f'; {spread}' if interval else ''}")


@plugin("brier-no-better")
class BrierNoBetter:
    """A Brier score no better than that of the base rate.

    Always answering with the share of each class needs no image and reaches p (1 - p) with two
    classes. Probabilities that are worse mislead whoever reads them as such.

    Do: calibrate on validation rows, or report no probabilities.

    Reference: Brier, Monthly Weather Review 1950.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for reported in published(run):
            brier, counts = reported.known("brier"), examine(reported).supports()
            if brier is not None and any(counts.values()):
                base = base_rate_brier(counts.values())
                if float(brier) >= base:
                    than = f"worse than the base rate's {base:.4f}"
                    yield error(self, f"{reported.who}: Brier score {brier.text} is {than}")
        value = next((s.value for s in run.scores if s.name == "brier"), None)
        numbers = Counter(run.predictions.label.tolist())
        if len(numbers) > 1 and value is not None:
            base = base_rate_brier([numbers[c] for c in range(len(run.predictions.classes))])
            if value >= base:
                than = f"no better than the base rate's {rounded(base)}"
                yield warning(self, f"Brier score {rounded(value)} is {than}")
