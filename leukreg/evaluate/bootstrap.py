"""Percentile bootstrap (Efron, 1979), by patient where patients are known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukreg.seeds import derive
from leukreg.types import Predictions

MEMORY = 1_000_000
"""Weights held at a time (8 bytes each)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resampling:
    """What is drawn with replacement: patients, else rows."""

    unit: NDArray[np.int64]
    """Shape ``(n,)``: the unit each row belongs to."""
    units: int
    by: str
    """"patients" or "rows"."""
    count: int
    seed: int
    unknown: int = 0
    """Rows whose patient is unknown, where others are known."""

    def says(self, count: int | None = None) -> str:
        """One line on how the interval was made."""
        number = self.count if count is None else count
        text = f"95 % percentile bootstrap, {number} resamples of {self.units} {self.by}"
        if self.by == "patients" and self.units < 10:
            text += " (few: the interval is rough)"
        if self.unknown:
            text += f" (of {self.unknown:,} of them the patient is unknown)"
        return text

    def counts(self) -> Iterator[NDArray[np.int64]]:
        """How often each row stands in one resample, shape ``(n,)``, resample after resample."""
        rng = np.random.default_rng(derive(self.seed, "bootstrap"))
        for _ in range(self.count):
            drawn = rng.integers(0, self.units, size=self.units)
            yield np.bincount(drawn, minlength=self.units)[self.unit]

    def weights(self) -> Iterator[NDArray[np.float64]]:
        """The same in blocks of shape ``(n, b)``, small enough for memory."""
        block: list[NDArray[np.int64]] = []
        size = max(1, MEMORY // max(1, len(self.unit)))
        for counts in self.counts():
            block.append(counts)
            if len(block) == size:
                yield np.stack(block, axis=1).astype(np.float64)
                block = []
        if block:
            yield np.stack(block, axis=1).astype(np.float64)


def resampling(predictions: Predictions, count: int, seed: int) -> Resampling | None:
    """How to resample these rows; None where there are fewer than two units to draw from."""
    n = len(predictions)
    known = [patient for patient in predictions.patient if patient is not None]
    if n and len(known) == n:
        index = {patient: i for i, patient in enumerate(dict.fromkeys(known))}
        unit = np.array([index[patient] for patient in known], dtype=np.int64)
        units, by = len(index), "patients"
    else:
        unit, units, by = np.arange(n, dtype=np.int64), n, "rows"
    if units < 2 or count == 0:
        return None
    unknown = n - len(known) if known else 0
    return Resampling(unit=unit, units=units, by=by, count=count, seed=seed, unknown=unknown)


def percentiles(values: NDArray[np.float64]) -> tuple[float, float] | None:
    """2.5th and 97.5th percentile of the defined values; None if fewer than half are defined."""
    defined = values[np.isfinite(values)]
    if len(values) == 0 or 2 * len(defined) < len(values):
        return None
    low, high = np.percentile(defined, [2.5, 97.5])
    return float(low), float(high)
