"""How much more often one run is right than another, on the images that both scored."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukreg.evaluate.bootstrap import percentiles, resampling
from leukreg.evaluate.rows import take
from leukreg.evaluate.threshold import decide
from leukreg.types import Predictions

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
