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

    coverage: float
    """The coverage that was stated."""

    def build(self, predictions: Predictions) -> Iterator[Score]:
        ones = np.ones((len(predictions), 1))
        for (name, label), value in self.resampled(predictions, ones).items():
            if np.isnan(value[0]):
                why = "no rows" if label is None else f"no row of {label}"
                yield Score(name=name, value=None, label=label, why=why)
                continue
            why = f"{100 * self.coverage:g} % stated" if name == "set_coverage" else ""
            yield Score(name=name, value=float(value[0]), label=label, why=why)

    def resampled(
        self, predictions: Predictions, weights: Floats
    ) -> Mapping[tuple[str, str | None], Floats]:
        """Each figure over resamples, ``(b,)``; ``weights`` has shape ``(n, b)``."""
        figures = dict(zip(FIGURES, _each_row(predictions), strict=True))
        groups: dict[str | None, NDArray[np.bool_]] = {None: np.ones(len(predictions), dtype=bool)}
        for index, label in enumerate(predictions.classes):
            groups[label] = predictions.label == index
        return {
            (name, label): _mean(values[rows], weights[rows])
            for label, rows in groups.items()
            for name, values in figures.items()
        }


def _each_row(predictions: Predictions) -> tuple[Floats, ...]:
    """Covered, size, single, empty: a figure per row, ``(n,)`` each."""
    sets = predictions.sets
    assert sets is not None, "rows without sets"
    size = sets.sum(axis=1)
    covered = sets[np.arange(len(predictions)), predictions.label]
    figures = (covered, size, size == 1, size == 0)
    return tuple(np.asarray(figure, dtype=np.float64) for figure in figures)


def _mean(values: Floats, weights: Floats) -> Floats:
    """Weighted means ``(b,)``; NaN where nothing weighs."""
    total = weights.sum(axis=0)
    out = np.full(weights.shape[1], np.nan)
    np.divide(values @ weights, total, out=out, where=total > 0)
    return out
