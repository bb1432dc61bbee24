"""How conformal sets do on the scored rows: coverage, size, singletons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukreg.types import Predictions, Score

Floats = NDArray[np.float64]
FIGURES = ("set_coverage", "set_size", "set_singletons", "set_empty")
"""Share of sets with the true class in them, mean number of classes, shares of sets with one class
and with none."""


@dataclass(frozen=True, slots=True)
class SetFigures:
    """A metric over rows that have conformal sets: the figures of all rows and of each class."""

    def build(self, predictions: Predictions) -> Iterator[Score]:
        ones = np.ones((len(predictions), 1))
        for (name, label), value in self.resampled(predictions, ones).items():
            if np.isnan(value[0]):
                why = "no rows" if label is None else f"no row of {label}"
                yield Score(name=name, value=None, label=label, why=why)
            else:
                yield Score(name=name, value=float(value[0]), label=label)

    def resampled(
        self, predictions: Predictions, weights: Floats
    ) -> Mapping[tuple[str, str | None], Floats]:
        """Each figure over resamples, ``(b,)``; ``weights`` has shape ``(n, b)``."""
        rows = _each_row(predictions)
        found: dict[tuple[str, str | None], Floats] = {}
        for label in (None, *predictions.classes):
            if label is None:
                means = _means(rows, weights)
            else:
                own = predictions.label == predictions.classes.index(label)
                means = _means(rows[:, own], weights[own])
            found |= {(name, label): mean for name, mean in zip(FIGURES, means, strict=True)}
        return found


def _each_row(predictions: Predictions) -> Floats:
    """Covered, size, single, empty: four figures a row, ``(4, n)``."""
    sets = predictions.sets
    assert sets is not None, "rows without sets"
    size = sets.sum(axis=1)
    covered = sets[np.arange(len(predictions)), predictions.label]
    return np.stack([covered, size, size == 1, size == 0]).astype(np.float64)


def _means(values: Floats, weights: Floats) -> Floats:
    """Weighted means ``(4, b)``; NaN where nothing weighs."""
    total = weights.sum(axis=0)
    out = np.full((len(values), weights.shape[1]), np.nan)
    np.divide(values @ weights, total, out=out, where=total > 0)
    return out
