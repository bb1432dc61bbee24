"""Percentile bootstrap (Efron, 1979) over what belongs together: patients, copies of a picture."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukreg.data.groups import joined, same
from leukreg.record import AccuracyGain
from leukreg.seeds import derive
from leukreg.types import Predictions

Floats = NDArray[np.float64]
MEMORY = 1_000_000
"""Weights held at a time (8 bytes each)."""
FEW = 10
"""Units below which an interval is rough."""
RESAMPLES, SEED = 1000, 0
"""Of two runs that are set beside each other: no recipe says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resampling:
    """What is drawn with replacement: patients and pictures, whole."""

    unit: NDArray[np.int64]
    """Shape ``(n,)``: the unit each row belongs to."""
    units: int
    of: str
    """The units in words: "12 patients", "24 pictures in 96 files"."""
    count: int
    seed: int

    def __bool__(self) -> bool:
        """Whether there is anything to draw: two units at least, and resamples asked for."""
        return self.units > 1 and self.count > 0

    def says(self, count: int | None = None) -> str:
        """One line on how the interval was made."""
        number = self.count if count is None else count
        text = f"95 % percentile bootstrap, {number} resamples of {self.of}"
        return f"{text} (few: the interval is rough)" if self.units < FEW else text

    def counts(self) -> Iterator[NDArray[np.int64]]:
        """How often each row stands in one resample, shape ``(n,)``, resample after resample."""
        rng = np.random.default_rng(derive(self.seed, "bootstrap"))
        for _ in range(self.count):
            drawn = rng.integers(0, self.units, size=self.units)
            yield np.bincount(drawn, minlength=self.units)[self.unit]

    def weights(self) -> Iterator[Floats]:
        """The same in blocks of shape ``(n, b)``, small enough for memory."""
        counts = self.counts()
        size = max(1, MEMORY // max(1, len(self.unit)))
        while block := list(itertools.islice(counts, size)):
            yield np.stack(block, axis=1).astype(np.float64)


def units_of(predictions: Predictions) -> NDArray[np.int64]:
    """The unit of each row, ``(n,)``, numbered from 0 in the order of the rows."""
    group = predictions.group
    if group is None:
        group = joined(len(predictions), [*same(predictions.patient), *same(predictions.id)])
    _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    return np.asarray(first.argsort().argsort()[inverse], dtype=np.int64)


def _in_words(predictions: Predictions) -> str:
    """What the units of these rows are: "96 images", "24 pictures in 96 files", "12 patients", "8
    fields with 96 cells"."""
    n, units = len(predictions), len(np.unique(units_of(predictions)))
    known = [patient for patient in predictions.patient if patient is not None]
    images, files = len(set(predictions.id)), len(set(predictions.path))
    if len(known) == n and len(set(known)) == units:
        return f"{units:,} patient{'s' * (units != 1)}"
    if units == n:
        text = f"{n:,} image{'s' * (n != 1)}"
    elif not known:
        if units == files < images:
            text = f"{units:,} field{'s' * (units != 1)} with {n:,} cells"
        else:
            rows = "files" if images == n else "rows"
            text = f"{units:,} picture{'s' * (units != 1)} in {n:,} {rows}"
    else:
        group = f"{units:,} group{'s' * (units != 1)}"
        text = f"{group} of images (of one patient, or copies of one picture)"
    if known and len(known) < n:
        text += f"; of {n - len(known):,} of {n:,} images the patient is unknown"
    return text


def resampling(predictions: Predictions, count: int = RESAMPLES, seed: int = SEED) -> Resampling:
    """How to resample these rows; false where there is nothing to draw.

    Rows of one unit are of one patient or show one picture; as evidence they count as one. Where
    pictures were not looked at, a file is one.
    """
    unit = units_of(predictions)
    units = int(unit.max()) + 1 if len(unit) else 0
    of = _in_words(predictions)
    return Resampling(unit=unit, units=units, of=of, count=count, seed=seed)


def percentiles(values: Floats) -> tuple[float, float] | None:
    """2.5th and 97.5th percentile of the defined values; None if fewer than half are defined."""
    defined = values[np.isfinite(values)]
    if len(values) == 0 or 2 * len(defined) < len(values):
        return None
    low, high = np.percentile(defined, [2.5, 97.5])
    return float(low), float(high)


def paired(first: Predictions, second: Predictions) -> AccuracyGain | None:
    """Accuracy of ``second`` less that of ``first``.

    Rows are matched by file id where each run scored the file once; None with fewer than two such
    images, or with different classes.
    """
    if sorted(first.classes) != sorted(second.classes):
        return None
    once = [
        {name: row for row, name in enumerate(rows.id) if times[name] == 1}
        for rows, times in ((first, Counter(first.id)), (second, Counter(second.id)))
    ]
    shared = sorted(once[0].keys() & once[1].keys())
    if len(shared) < 2:
        return None
    a, b = (
        rows.take(np.array([places[name] for name in shared], dtype=np.int64))
        for rows, places in zip((first, second), once, strict=True)
    )
    gain = (b.answers == b.label).astype(np.float64) - (a.answers == a.label)
    draws, bounds = resampling(a), None
    if draws:
        means = [(gain * counts).sum() / max(1, counts.sum()) for counts in draws.counts()]
        bounds = percentiles(np.array(means))
    low, high = bounds or (None, None)
    how = draws.says() if bounds else ""
    return AccuracyGain(value=float(gain.mean()), low=low, high=high, images=len(shared), how=how)
