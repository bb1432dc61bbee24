"""Rules on probabilities: thresholds, calibration, conformal sets."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt

from leukreg import Finding, Predictions, RunRecord, percent, plugin, record, rounded
from leukreg_plugins.audits.finding import (
    counted,
    error,
    option,
    pictures_of,
    positive_index,
    some,
    warning,
)


@dataclass(frozen=True, slots=True)
class Spread:
    """How far the thresholds of a run's folds lie apart."""

    low: float
    high: float
    between: int
    """Scored images that one of the two answers differently from the other."""
    of: int
    what: str = "image"

    def __str__(self) -> str:
        return (
            f"thresholds of the folds run from {rounded(self.low, 4)} to {rounded(self.high, 4)};"
            f" {counted(self.between, self.what)} of {self.of:,} would be answered differently by"
            " one than by the other"
        )


def spread(run: RunRecord) -> Spread | None:
    """The lowest and the highest threshold; None where all are equal."""
    positive, cuts = positive_index(run), [one.threshold for one in run.fitted.thresholds]
    if not run.predictions or positive is None or len(set(cuts)) < 2:
        return None
    low, high = min(cuts), max(cuts)
    p, rows = run.predictions.probabilities[:, positive], run.predictions
    what = "patient" if rows.id == rows.patient else "image"  # a row about one has its name
    return Spread(low, high, int(((p >= low) & (p < high)).sum()), len(p), what)


@plugin("thresholds-differ")
class ThresholdsDiffer:
    """Thresholds of the folds so far apart that many answers hang on which of them is asked.

    Each fold is scored by its own; a new image is answered by their mean, which was never scored,
    and the figures of the run do not hold for it.

    Do: hold more rows out for validation, or fix a threshold (`threshold = { rule = "fixed" }`).
    """

    share: Annotated[float, Gt(0), Le(1)] = 0.05
    """Part of the scored images between the lowest and the highest that is reported."""

    def build(self, run: RunRecord) -> Iterable[Finding]:
        apart = spread(run)
        if apart is not None and apart.between >= self.share * apart.of:
            yield warning(self, str(apart))


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

    def build(self, run: RunRecord) -> Iterable[Finding]:
        # What is at a bound or not fitted is said by temperature-not-fitted; without an interval
        # chance may be all there is.
        known = sorted(
            (one.temperature, one.low, one.high, one.fold + 1)
            for one in run.fitted.temperatures
            if not one.why and one.low is not None and one.high is not None
        )
        if len(known) < 2:
            return
        first, last = known[0], known[-1]
        if last[0] >= self.factor * first[0] and first[2] < last[1]:
            low, high = (
                f"{rounded(value)} (95 % interval {rounded(low)} to {rounded(high)}, fold {fold})"
                for value, low, high, fold in (first, last)
            )
            yield warning(self, f"temperatures of the folds run from {low} to {high}")


@plugin("calibrated-on-scored")
class CalibratedOnScored:
    """Temperatures or conformal limits fitted on rows that are scored.

    They fit the luck of these rows; calibration and coverage look better than they are.

    Do: hold rows out for validation and score other ones.

    Reference: Guo et al., On calibration of modern neural networks, ICML 2017.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        evaluated = option(run.recipe, "evaluate") or {}
        asked = [key for key in ("calibration", "conformal") if evaluated.get(key) is not None]
        if run.validation is None or not asked:
            return
        fitted = set(self._pictures(run, run.validation))
        both = [picture in fitted for picture in self._pictures(run, run.predictions)]
        if any(both):
            of = f"{sum(both):,} of the {len(both):,} scored rows"
            yield error(self, f"{' and '.join(asked)} fitted on {of}")

    def _pictures(self, run: RunRecord, rows: Predictions) -> Iterator[tuple[int, str]]:
        """Fold and picture of each row: a copy of a row is that row again."""
        for fold, name in zip(rows.fold.tolist(), rows.id, strict=True):
            yield fold, run.pixels.get(name, name)


@plugin("temperature-not-fitted")
class TemperatureNotFitted:
    """A temperature that the validation rows do not determine.

    Where every validation row is right there is no best temperature, and at a bound the best lies
    beyond it; the probabilities are then as sure as before, or mean nothing.

    Do: hold more rows out for validation; at the upper bound look at the model first.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        folds = run.fitted.temperatures
        bad = [f"fold {one.fold + 1}: {one.why}" for one in folds if one.why]
        if bad:
            many = f"{len(bad)} of {counted(len(folds), 'temperature')}"
            yield warning(self, f"{many} not determined by validation rows; {some(bad)}")


@plugin("coverage-missed")
class CoverageMissed:
    """Conformal sets that hold the true class less often than was stated.

    Chance does not explain it, neither that of the scored rows nor that of the validation rows: the
    scored images do not come as the validation rows did.

    Do: look for what differs between validation and test (patients, copies, sources).

    Reference: Vovk, Conditional validity of inductive conformal predictors, ACML 2012.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        kept = run.fitted.conformal
        if kept is None:
            return
        highs = {s.label: s for s in run.scores if s.name == "set_coverage"}
        for label, rows in self._groups(kept, run):
            score, least = highs.get(label), self._least(rows, kept.coverage)
            if score is None or score.value is None or score.high is None or score.high >= least:
                continue
            of = f" of {label}" if label else ""
            yield warning(
                self,
                f"sets hold the true class in {percent(score.value)}{of} (at most"
                f" {percent(score.high)}), {100 * kept.coverage:g} % were stated;"
                f" with {counted(rows, 'validation group')} (patients or pictures) chance explains"
                f" {percent(least)} and more",
            )

    def _groups(self, kept: record.Conformal, run: RunRecord) -> Iterator[tuple[str | None, int]]:
        """What the coverage is stated for, with the validation groups of the smallest fold."""
        each = [one.groups or one.rows for one in kept.folds]
        least = [min(groups) for groups in zip(*each, strict=True)]
        if not kept.by_class:
            yield None, self._unlike(run, None, min(least, default=0))
        elif run.predictions:
            for label, groups in zip(run.predictions.classes, least, strict=True):
                yield label, self._unlike(run, label, groups)

    def _unlike(self, run: RunRecord, label: str | None, groups: int) -> int:
        """How many of the fewest rows of a fold do not belong together; older runs kept rows."""
        from leukreg import resampling

        validation = run.validation
        if validation is None:
            return groups
        unit, fold = resampling(validation).unit, validation.fold
        of = [label in (None, validation.classes[c]) for c in validation.label]
        return min([groups, *(len(set(unit[(fold == one) & of])) for one in set(fold.tolist()))])

    def _least(self, rows: int, coverage: float) -> float:
        """The coverage that limits from so many rows fall below in one of 40 draws.

        Over draws of the validation rows it has a beta distribution (Vovk, 2012).
        """
        from scipy.special import betaincinv

        place = math.ceil((rows + 1) * coverage - 1e-9)
        return float(betaincinv(place, rows + 1 - place, 0.025)) if place <= rows else 0.0


@plugin("threshold-on-scored")
class ThresholdOnScored:
    """A threshold fitted on the rows that are scored.

    The best threshold of a test is the luck of that test; every rate computed with it is too good.

    Do: fit it on validation rows (`fitted_on = "validation"`).

    Reference: Ewald, Post hoc choice of cut points, Obstetrics and Gynecology 2006.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        asked = option(run.recipe, "evaluate", "threshold", "fitted_on")
        fixed = option(run.recipe, "evaluate", "threshold", "rule") == "fixed"
        if run.threshold_from == "scored":
            value = "" if run.threshold is None else f" {run.threshold:.4f}"
            yield error(self, f"the threshold{value} was fitted on the scored rows")
        elif run.threshold_from is None and asked == "scored" and not fixed:
            yield error(self, "the recipe fits the threshold on the rows it scores")


@plugin("threshold-never-crossed")
class ThresholdNeverCrossed:
    """Scores that never cross the threshold.

    Every row gets the same answer, whatever the image.

    Do: look at the range of the scores before choosing a threshold.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        positive = positive_index(run)
        if not run.predictions or run.threshold is None or positive is None:
            return
        scores = run.predictions.probabilities[:, positive]
        low, high = float(scores.min()), float(scores.max())
        if high < run.threshold or low >= run.threshold:
            side = "under" if high < run.threshold else "at or over"
            scored = f"all {len(scores):,} scores ({low:.4f} to {high:.4f})"
            yield warning(self, f"{scored} lie {side} the threshold {run.threshold:.4f}")


@plugin("poor-calibration")
class PoorCalibration:
    """Confidence that is far from the share of right answers.

    Whoever decides by these probabilities decides wrongly, even where the ranking is good. What
    chance alone would add to the expected calibration error is taken off first.

    Do: fit a temperature on validation rows (`calibration = { method = "temperature" }`).

    Reference: Guo et al., On calibration of modern neural networks, ICML 2017.
    """

    error: Annotated[float, Gt(0), Lt(1)] = 0.1
    """Expected calibration error, beyond chance, that is reported."""
    bins: Annotated[int, Ge(2)] = 15
    """Equally wide bins of confidence."""
    least: Annotated[int, Ge(10)] = 100
    """Pictures that are needed to say so; copies count as one."""

    def build(self, run: RunRecord) -> Iterable[Finding]:
        import numpy as np

        predictions = run.predictions
        picture = pictures_of(run, predictions)
        if len(np.unique(picture)) < self.least:
            return
        confidence = predictions.probabilities.max(axis=1)
        right = predictions.probabilities.argmax(axis=1) == predictions.label
        place = np.minimum((confidence * self.bins).astype(int), self.bins - 1)
        gap = noise = 0.0
        for b in np.unique(place):
            inside = place == b
            n, mean = int(inside.sum()), float(confidence[inside].mean())
            gap += n * abs(float(right[inside].mean()) - mean)
            # E|x| of a normal variable is sqrt(2 / pi) of its deviation. Copies are no draws.
            draws = len(np.unique(picture[inside]))
            noise += n * math.sqrt(2 / math.pi * mean * (1 - mean) / draws)
        ece, chance = gap / len(predictions), noise / len(predictions)
        if ece - chance >= self.error:
            yield warning(
                self,
                f"expected calibration error {ece:.3f} ({chance:.3f} would be chance): mean"
                f" confidence {percent(float(confidence.mean()))},"
                f" right {percent(float(right.mean()))}",
            )


@plugin("uniform-predictions")
class UniformPredictions:
    """Predictions no different from uniform.

    The model says the same of every image, that it does not know; its answers are ties broken by
    rounding.

    Do: check learning rate, input range and whether any layer was trained.
    """

    share: Annotated[float, Gt(0), Le(1)] = 0.99
    """Mean entropy, as a part of ln k, from which on predictions count as uniform."""

    def build(self, run: RunRecord) -> Iterable[Finding]:
        import numpy as np

        k = len(run.predictions.classes)
        if not run.predictions or k < 2:
            return
        p = np.clip(run.predictions.probabilities, 1e-12, 1)
        entropy, most = float(-(p * np.log(p)).sum(axis=1).mean()), math.log(k)
        if entropy >= self.share * most:
            of = f"mean entropy {entropy:.4f} of at most ln {k} = {most:.4f}"
            yield warning(self, f"{of}: the probabilities are uniform")
