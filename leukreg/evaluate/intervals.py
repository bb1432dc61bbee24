"""Intervals for the scores of any metric, own or a stranger's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukreg.evaluate.bootstrap import Resampling, percentiles
from leukreg.evaluate.rows import take
from leukreg.progress import SILENT, Progress
from leukreg.recipe.stranger import noted
from leukreg.types import Predictions, Score

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
