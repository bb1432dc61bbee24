"""Percentile bootstrap (Efron, 1979) over what belongs together: patients, copies of a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukreg.data.groups import joined, same
from leukreg.evaluate.rows import take
from leukreg.evaluate.threshold import decide
from leukreg.progress import SILENT, Progress
from leukreg.registry.plugin_call import noted
from leukreg.seeds import derive
from leukreg.types import Predictions, Score

MEMORY = 1_000_000
"""Weights held at a time (8 bytes each)."""
FEW = 10
"""Units below which an interval is rough."""


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


def units_of(predictions: Predictions) -> NDArray[np.int64]:
    """The unit of each row, ``(n,)``, numbered from 0 in the order of the rows.

    Rows of one unit are of one patient or show one picture; as evidence they count as one. Where
    pictures were not looked at, a file is one.
    """
    group = predictions.group
    if group is None:
        group = joined(len(predictions), [*same(predictions.patient), *same(predictions.id)])
    _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    return np.asarray(first.argsort().argsort()[inverse], dtype=np.int64)


def units_in_words(
    unit: NDArray[np.int64], patients: Sequence[str | None], files: Sequence[str]
) -> str:
    """What the units of these rows are: "96 images", "24 pictures in 96 files", "12 patients"."""
    n, units = len(unit), len(np.unique(unit))
    known = [patient for patient in patients if patient is not None]
    if len(known) == n and len(set(known)) == units:
        return f"{units:,} patient{'s' * (units != 1)}"
    if units == n:
        text = f"{n:,} image{'s' * (n != 1)}"
    elif not known:
        rows = "files" if len(set(files)) == n else "rows"
        text = f"{units:,} picture{'s' * (units != 1)} in {n:,} {rows}"
    else:
        group = f"{units:,} group{'s' * (units != 1)}"
        text = f"{group} of images (of one patient, or copies of one picture)"
    if known and len(known) < n:
        text += f"; of {n - len(known):,} of {n:,} images the patient is unknown"
    return text


def resampling(predictions: Predictions, count: int, seed: int) -> Resampling | None:
    """How to resample these rows; None where there are fewer than two units to draw from."""
    unit = units_of(predictions)
    units = int(unit.max()) + 1 if len(unit) else 0
    if units < 2 or count == 0:
        return None
    of = units_in_words(unit, predictions.patient, predictions.id)
    return Resampling(unit=unit, units=units, of=of, count=count, seed=seed)


def percentiles(values: NDArray[np.float64]) -> tuple[float, float] | None:
    """2.5th and 97.5th percentile of the defined values; None if fewer than half are defined."""
    defined = values[np.isfinite(values)]
    if len(values) == 0 or 2 * len(defined) < len(values):
        return None
    low, high = np.percentile(defined, [2.5, 97.5])
    return float(low), float(high)


Key = tuple[str, str | None]
SLOW = 200
"""Resamples for a metric that has no ``resampled`` of its own."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric and what it gave on the scored rows."""

    name: str
    metric: Any
    scores: tuple[Score, ...]

    @property
    def fast(self) -> bool:
        return callable(getattr(self.metric, "resampled", None))


def with_intervals(
    measured: Sequence[Measured],
    predictions: Predictions,
    resampling: Resampling,
    progress: Progress = SILENT,
) -> tuple[Score, ...]:
    """The scores with ``low``, ``high`` and how they were made."""
    drawn: list[dict[Key, list[NDArray[np.float64]]]] = [{} for _ in measured]
    broken: dict[int, str] = {}
    with progress.task("intervals", resampling.count) as advance:
        for weights in resampling.weights():
            for index, one in enumerate(measured):
                if one.fast and index not in broken:
                    _gather(one, predictions, weights, drawn[index], broken, index)
            advance(weights.shape[1])
    slow = [i for i, one in enumerate(measured) if not one.fast and one.scores]
    if slow:
        _gather_slow(measured, slow, predictions, resampling, drawn, broken, progress)
    return tuple(
        _bounded(score, drawn[i].get((score.name, score.label)), resampling, broken.get(i))
        for i, one in enumerate(measured)
        for score in one.scores
    )


def _gather(
    one: Measured,
    predictions: Predictions,
    weights: NDArray[np.float64],
    into: dict[Key, list[NDArray[np.float64]]],
    broken: dict[int, str],
    index: int,
) -> None:
    try:
        found: Mapping[Key, NDArray[np.float64]] = one.metric.resampled(predictions, weights)
        for key, values in found.items():
            array = np.asarray(values, dtype=np.float64).reshape(weights.shape[1])
            into.setdefault(key, []).append(array)
    except Exception as error:  # a stranger's metric may raise anything; its value stands
        broken[index] = noted(f"no interval: {one.name} failed", one.metric, error)


def _gather_slow(
    measured: Sequence[Measured],
    slow: Sequence[int],
    predictions: Predictions,
    resampling: Resampling,
    drawn: list[dict[Key, list[NDArray[np.float64]]]],
    broken: dict[int, str],
    progress: Progress,
) -> None:
    few = replace(resampling, count=min(SLOW, resampling.count))
    positions = np.arange(len(predictions))
    with progress.task("intervals of further metrics", few.count) as advance:
        for counts in few.counts():
            rows = take(predictions, np.repeat(positions, counts))
            for index in slow:
                if index not in broken:
                    _again(measured[index], rows, drawn[index], broken, index)
            advance()


def _again(
    one: Measured,
    rows: Predictions,
    into: dict[Key, list[NDArray[np.float64]]],
    broken: dict[int, str],
    index: int,
) -> None:
    try:
        for score in one.metric.build(rows):
            value = np.nan if score.value is None else score.value
            into.setdefault((score.name, score.label), []).append(np.array([value]))
    except Exception as error:
        broken[index] = noted(f"no interval: {one.name} failed", one.metric, error)


def _bounded(
    score: Score,
    blocks: list[NDArray[np.float64]] | None,
    resampling: Resampling,
    broken: str | None,
) -> Score:
    if score.value is None or (blocks is None and broken is None):
        return score
    if broken is not None or blocks is None:
        return replace(score, why=_joined(score.why, broken or ""))
    values = np.concatenate(blocks)
    bounds = percentiles(values)
    undefined = int((~np.isfinite(values)).sum())
    if bounds is None:
        text = f"no interval: undefined in {undefined} of {len(values)} resamples"
        return replace(score, why=_joined(score.why, text))
    text = resampling.says(len(values))
    if undefined:
        text += f", undefined in {undefined} of them"
    return replace(score, low=bounds[0], high=bounds[1], why=_joined(score.why, text))


def _joined(first: str, second: str) -> str:
    return "; ".join(part for part in (first, second) if part)


RESAMPLES = 1000
SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """Accuracy of one run less that of another."""

    value: float
    low: float | None
    """With ``high``: paired 95 % bootstrap interval; None where there is too little to resample."""
    high: float | None
    images: int
    how: str
    """How the interval was made; empty without one."""


def paired(first: Predictions, second: Predictions) -> Paired | None:
    """Accuracy of ``second`` less that of ``first``.

    Rows are matched by file id where each run scored the file once; None with fewer than two such
    images, or with different classes.
    """
    if sorted(first.classes) != sorted(second.classes):
        return None
    where_one, where_two = _once(first), _once(second)
    shared = sorted(where_one.keys() & where_two.keys())
    if len(shared) < 2:
        return None
    a = take(first, np.array([where_one[name] for name in shared], dtype=np.int64))
    b = take(second, np.array([where_two[name] for name in shared], dtype=np.int64))
    gain = _right(b) - _right(a)
    value, draws = float(gain.mean()), resampling(a, RESAMPLES, SEED)
    bounds = None
    if draws is not None:
        means = [(gain * counts).sum() / max(1, counts.sum()) for counts in draws.counts()]
        bounds = percentiles(np.array(means))
    if draws is None or bounds is None:
        return Paired(value=value, low=None, high=None, images=len(shared), how="")
    low, high = bounds
    return Paired(value=value, low=low, high=high, images=len(shared), how=draws.says())


def _once(rows: Predictions) -> dict[str, int]:
    counts = Counter(rows.id)
    return {name: place for place, name in enumerate(rows.id) if counts[name] == 1}


def _right(rows: Predictions) -> NDArray[np.float64]:
    decision = decide(rows, None) if rows.decision is None else rows.decision
    return np.asarray(decision == rows.label, dtype=np.float64)
