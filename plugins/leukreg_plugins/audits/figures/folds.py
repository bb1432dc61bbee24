"""What was fitted fold by fold, and came out far apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Gt, Le

from leukreg import Evidence, Finding, Predictions, plugin, rounded
from leukreg_plugins.audits.told import found, plural
from leukreg_plugins.audits.views import option, positive_index


def thresholds(facts: Mapping[str, Any]) -> dict[int, float]:
    """Fold to its threshold; empty where there is none, or where a run of before kept none."""
    kept = facts.get("thresholds") or ()
    return {int(one["fold"]): float(one["threshold"]) for one in kept}


@dataclass(frozen=True, slots=True)
class Spread:
    """How far the thresholds of a run's folds lie apart."""

    low: float
    high: float
    between: int
    """Scored images that one of the two answers differently from the other."""
    of: int

    def __str__(self) -> str:
        return (
            f"thresholds of the folds run from {rounded(self.low, 4)} to {rounded(self.high, 4)};"
            f" {plural(self.between, 'image')} of {self.of:,} would be answered differently by one"
            " than by the other"
        )


def spread(
    facts: Mapping[str, Any], predictions: Predictions | None, positive: int | None
) -> Spread | None:
    """The lowest and the highest threshold; None where all are equal."""
    cuts = thresholds(facts).values()
    if predictions is None or positive is None or len(set(cuts)) < 2:
        return None
    low, high = min(cuts), max(cuts)
    p = predictions.probabilities[:, positive]
    return Spread(low, high, int(((p >= low) & (p < high)).sum()), len(p))


@plugin("thresholds-differ")
class ThresholdsDiffer:
    """Thresholds of the folds so far apart that many answers hang on which of them is asked.

    Each fold is scored by its own; a new image is answered by their mean, which was never scored,
    and the figures of the run do not hold for it.

    Do: hold more rows out for validation, or fix a threshold (`threshold = { rule = "fixed" }`).
    """

    share: Annotated[float, Gt(0), Le(1)] = 0.05
    """Part of the scored images between the lowest and the highest that is reported."""

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        predictions = evidence.predictions
        positive = None if predictions is None else positive_index(evidence, predictions)
        apart = spread(evidence.facts, predictions, positive)
        if apart is not None and apart.between >= self.share * apart.of:
            yield found(self, "warning", str(apart))


@plugin("temperatures-differ")
class TemperaturesDiffer:
    """Temperatures of the folds that lie further apart than chance explains.

    The folds' networks are not equally sure: before calibration their probabilities cannot be
    pooled, and after it they rest on the few validation rows of each fold.

    Do: compare the folds' training (best epochs, validation loss) and their validation rows.

    Reference: Guo et al., On calibration of modern neural networks, ICML 2017.
    """

    factor: Annotated[float, Gt(1)] = 2.0
    """Highest over lowest temperature that is reported, where their 95 % intervals do not meet."""

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        kept = option(evidence.facts, "calibration", "folds") or ()
        # What is at a bound or not fitted is said by temperature-not-fitted; without an interval
        # chance may be all there is.
        known = [one for one in kept if not one.get("why") and one.get("low") is not None]
        if len(known) < 2:
            return
        first = min(known, key=lambda one: float(one["temperature"]))
        last = max(known, key=lambda one: float(one["temperature"]))
        wide = last["temperature"] >= self.factor * first["temperature"]
        if wide and first["high"] < last["low"]:
            low, high = (self._said(one) for one in (first, last))
            yield found(self, "warning", f"temperatures of the folds run from {low} to {high}")

    def _said(self, one: Mapping[str, Any]) -> str:
        bounds = f"{rounded(one['low'])} to {rounded(one['high'])}"
        value = rounded(one["temperature"])
        return f"{value} (95 % interval {bounds}, fold {one['fold'] + 1})"
