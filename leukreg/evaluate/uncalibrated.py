"""Figures of the raw probabilities, beside those of the calibrated ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukreg.evaluate.calibrate import raw_of
from leukreg.types import Predictions, Score

Floats = NDArray[np.float64]
Resampled = Mapping[tuple[str, str | None], Floats]
RAW, CHANGE = "raw_", "_change"
"""``raw_brier`` is the figure of the raw probabilities, ``brier_change`` the calibrated one minus
it, on the same rows and in the same resamples."""


@dataclass(frozen=True, slots=True)
class Uncalibrated:
    """A metric of probabilities, asked of the raw ones, and what calibration changed."""

    metric: Any

    def build(self, predictions: Predictions) -> Iterable[Score]:
        after = {(one.name, one.label): one for one in self.metric.build(predictions)}
        for raw in self.metric.build(raw_of(predictions)):
            yield replace(raw, name=RAW + raw.name)
            now = after.get((raw.name, raw.label))
            if now is None or now.value is None or raw.value is None:
                why = (now.why if now and now.value is None else raw.why) or "one of the two is"
                yield Score(name=raw.name + CHANGE, value=None, label=raw.label, why=why)
            else:
                change = now.value - raw.value
                yield Score(name=raw.name + CHANGE, value=change, label=raw.label)

    @property
    def resampled(self) -> Callable[[Predictions, Floats], Resampled] | None:
        """The same over resamples; None where the metric has no fast way."""
        fast = getattr(self.metric, "resampled", None)
        if not callable(fast):
            return None

        def both(predictions: Predictions, weights: Floats) -> Resampled:
            after, before = fast(predictions, weights), fast(raw_of(predictions), weights)
            raw = {(RAW + name, label): values for (name, label), values in before.items()}
            change = {
                (name + CHANGE, label): after[name, label] - values
                for (name, label), values in before.items()
                if (name, label) in after
            }
            return {**raw, **change}

        return both


def judges_probabilities(metric: Any) -> bool:
    """Whether a metric says of itself that calibration is what it measures."""
    return bool(getattr(metric, "of_probabilities", False))
