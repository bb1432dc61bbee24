"""Figures against what needs no model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from leukreg import Finding, RunRecord, examine, percent, plugin, rounded
from leukreg_plugins.audits.finding import found, plural, positive_index
from leukreg_plugins.audits.published_table import aside_note, published, shares, shown, supports
from leukreg_plugins.audits.sample_size import auc_interval, base_rate_brier


@plugin("majority-baseline")
class MajorityBaseline:
    """Accuracy at or under that of always answering the most frequent class.

    A constant answer needs no images. On imbalanced data a high accuracy can lie far below it.

    Do: report balanced accuracy or MCC, and the baseline beside every accuracy.
    """

    def build(self, evidence: RunRecord) -> Iterable[Finding]:
        reported = published(evidence)
        counts = supports(reported) if reported else {}
        accuracy = reported.figure("accuracy") if reported else None
        tested = [c for c, n in counts.items() if n]  # one class alone is another rule's
        if reported and accuracy is not None and not accuracy.undefined and len(tested) > 1:
            name, most = max(counts.items(), key=lambda item: item[1])
            n, examined = sum(counts.values()), examine(reported)
            value, text = float(accuracy), shown("accuracy", accuracy)
            aside = examined.aside
            if aside is not None and aside.name == "accuracy" and len(aside.values) == 1:
                value = aside.values[0][0] / aside.values[0][1]
                text = f"{100 * value:.2f} %"
            if value <= most / n:
                positives = counts.get(reported.positive or "", 0)
                two = len(counts) == 2 and positives
                few = f"; {plural(positives, 'positive')}" if two else ""
                where = "at" if value == most / n else "under"
                yield found(
                    self,
                    "error",
                    f"reported: accuracy {text} lies {where} the majority baseline"
                    f" {percent(most / n)} (always {name}, {most:,} of {n:,}{few})"
                    f"{aside_note(examined) if aside else ''}",
                )
        yield from self._measured(evidence)

    def _measured(self, evidence: RunRecord) -> Iterable[Finding]:
        predictions = evidence.predictions
        if not predictions:
            return
        n = len(predictions)
        hits = int((predictions.answers == predictions.label).sum())
        label, most = Counter(predictions.label.tolist()).most_common(1)[0]
        if hits <= most < n:  # one class alone is another rule's
            yield found(
                self,
                "warning",
                f"accuracy {percent(hits / n)} lies {'at' if hits == most else 'under'} the"
                f" majority baseline {percent(most / n)} (always {predictions.classes[label]},"
                f" {most:,} of {n:,})",
            )


@plugin("baseline-misquoted")
class BaselineMisquoted:
    """A baseline quoted as one in k that lies under the majority baseline.

    With unequal classes, guessing among k is not the best that needs no model.

    Do: quote the share of the largest class.
    """

    def build(self, evidence: RunRecord) -> Iterable[Finding]:
        reported = published(evidence)
        claimed = reported.figure("baseline_claimed") if reported else None
        if reported is None or claimed is None or claimed.undefined:
            return
        counts = shares(reported)
        if not any(counts.values()):
            return
        name, most = max(counts.items(), key=lambda item: item[1])
        n = sum(counts.values())
        if float(claimed.high) < most / n:
            yield found(
                self,
                "warning",
                f"reported: the baseline is {percent(most / n)} (always {name}, {most:,} of {n:,}),"
                f" not {percent(float(claimed))}",
            )


@plugin("auc-near-half")
class AucNearHalf:
    """An AUC under one half, or whose 95 % interval includes it.

    Such a ranking may be no ranking at all; under one half, labels or scores may be reversed.

    Do: report the interval with every AUC.

    Reference: Hanley and McNeil, Radiology 1982.
    """

    def build(self, evidence: RunRecord) -> Iterable[Finding]:
        reported = published(evidence)
        auc = reported.figure("auc") if reported else None
        if reported is not None and auc is not None and not auc.undefined:
            counts = supports(reported)
            positives = counts.get(reported.positive or "", 0)
            negatives = sum(counts.values()) - positives
            two = len(reported.classes) == 2 and positives and negatives
            interval = auc_interval(float(auc), positives, negatives) if two else None
            about = f" ({positives:,} positives, {negatives:,} negatives)" if two else ""
            yield from self._said(f"reported: AUC {auc.text}", float(auc), interval, about)
        for score in evidence.scores:
            if score.name == "auc" and score.label is None and score.value is not None:
                known = score.low is not None and score.high is not None
                pair = (score.low or 0.0, score.high or 0.0) if known else self._computed(evidence)
                yield from self._said(f"AUC {rounded(score.value)}", score.value, pair, "")

    def _computed(self, evidence: RunRecord) -> tuple[float, float] | None:
        predictions = evidence.predictions
        positive = positive_index(evidence, predictions)
        value = next(
            (s.value for s in evidence.scores if s.name == "auc" and s.label is None), None
        )
        if not predictions or positive is None or value is None:
            return None
        from leukreg import units_of

        unit, is_positive = units_of(predictions), predictions.label == positive
        positives, others = len(set(unit[is_positive])), len(set(unit[~is_positive]))
        return auc_interval(value, positives, others) if positives and others else None

    def _said(
        self, who: str, value: float, interval: tuple[float, float] | None, about: str
    ) -> Iterable[Finding]:
        spread = (
            f"its 95 % interval {interval[0]:.2f} to {interval[1]:.2f}{about}" if interval else ""
        )
        if interval is not None and interval[0] <= 0.5 <= interval[1]:
            under = " lies under one half and" if value < 0.5 else ":"
            text = f"{who}{under} {spread} includes one half"
            yield found(self, "warning", text)
        elif value < 0.5:
            yield found(
                self, "warning", f"{who} lies under one half{f'; {spread}' if spread else ''}"
            )


@plugin("brier-no-better")
class BrierNoBetter:
    """A Brier score no better than that of the base rate.

    Always answering with the share of each class needs no image and reaches p (1 - p) with two
    classes. Probabilities that are worse mislead whoever reads them as such.

    Do: calibrate on validation rows, or report no probabilities.

    Reference: Brier, Monthly Weather Review 1950.
    """

    def build(self, evidence: RunRecord) -> Iterable[Finding]:
        reported = published(evidence)
        brier = reported.figure("brier") if reported else None
        counts = supports(reported) if reported else {}
        if reported and brier is not None and not brier.undefined and any(counts.values()):
            base = base_rate_brier(counts.values())
            if float(brier) >= base:
                yield found(
                    self,
                    "error",
                    f"reported: Brier score {brier.text} is worse than the base rate's {base:.4f}",
                )
        predictions = evidence.predictions
        value = next((s.value for s in evidence.scores if s.name == "brier"), None)
        if predictions and value is not None:
            numbers = Counter(predictions.label.tolist())
            base = base_rate_brier([numbers[c] for c in range(len(predictions.classes))])
            if len(numbers) > 1 and value >= base:
                yield found(
                    self,
                    "warning",
                    f"Brier score {rounded(value)} is no better than the base rate's"
                    f" {rounded(base)}",
                )


RULES: list[type] = [
    MajorityBaseline,
    BaselineMisquoted,
    AucNearHalf,
    BrierNoBetter,
]
