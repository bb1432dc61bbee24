"""Probabilities and the threshold on them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt

from leukreg import Evidence, Finding, percent, plugin
from leukreg_plugins.audits.told import found
from leukreg_plugins.audits.views import option, pictures_of, positive_index


@plugin("threshold-on-scored")
class ThresholdOnScored:
    """A threshold fitted on the rows that are scored.

    The best threshold of a test is the luck of that test; every rate computed with it is too good.

    Do: fit it on validation rows (`fitted_on = "validation"`).

    Reference: Ewald, Post hoc choice of cut points, Obstetrics and Gynecology 2006.
    """

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        asked = option(evidence.recipe, "evaluate", "threshold", "fitted_on")
        fixed = option(evidence.recipe, "evaluate", "threshold", "rule") == "fixed"
        if evidence.threshold_from == "scored":
            value = "" if evidence.threshold is None else f" {evidence.threshold:.4f}"
            yield found(self, "error", f"the threshold{value} was fitted on the scored rows")
        elif evidence.threshold_from is None and asked == "scored" and not fixed:
            yield found(self, "error", "the recipe fits the threshold on the rows it scores")


@plugin("threshold-never-crossed")
class ThresholdNeverCrossed:
    """Scores that never cross the threshold.

    Every row gets the same answer, whatever the image.

    Do: look at the range of the scores before choosing a threshold.
    """

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        predictions = evidence.predictions
        if predictions is None or len(predictions) == 0 or evidence.threshold is None:
            return
        positive = positive_index(evidence, predictions)
        if positive is None:
            return
        scores = predictions.probabilities[:, positive]
        low, high = float(scores.min()), float(scores.max())
        if high < evidence.threshold or low >= evidence.threshold:
            side = "under" if high < evidence.threshold else "at or over"
            yield found(
                self,
                "warning",
                f"all {len(predictions):,} scores ({low:.4f} to {high:.4f}) lie {side} the"
                f" threshold {evidence.threshold:.4f}",
            )


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

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        import numpy as np

        predictions = evidence.predictions
        if predictions is None:
            return
        picture = pictures_of(evidence, predictions)
        if len(np.unique(picture)) < self.least:
            return
        confidence = predictions.probabilities.max(axis=1)
        right = predictions.probabilities.argmax(axis=1) == predictions.label
        place = np.minimum((confidence * self.bins).astype(int), self.bins - 1)
        gap = noise = 0.0
        for b in range(self.bins):
            inside = place == b
            n = int(inside.sum())
            if n:
                mean = float(confidence[inside].mean())
                gap += n * abs(float(right[inside].mean()) - mean)
                # E|x| of a normal variable is sqrt(2 / pi) of its deviation.
                # Copies are no further draws.
                draws = len(np.unique(picture[inside]))
                noise += n * math.sqrt(2 / math.pi * mean * (1 - mean) / draws)
        ece, chance = gap / len(predictions), noise / len(predictions)
        if ece - chance >= self.error:
            yield found(
                self,
                "warning",
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

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        import numpy as np

        predictions = evidence.predictions
        if predictions is None or len(predictions) == 0 or len(predictions.classes) < 2:
            return
        p = np.clip(predictions.probabilities, 1e-12, 1)
        entropy = float(-(p * np.log(p)).sum(axis=1).mean())
        most = math.log(len(predictions.classes))
        if entropy >= self.share * most:
            yield found(
                self,
                "warning",
                f"mean entropy {entropy:.4f} of at most ln {len(predictions.classes)} = {most:.4f}:"
                " the probabilities are uniform",
            )
