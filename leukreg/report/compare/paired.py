"""The difference between two runs on the images both scored."""

from __future__ import annotations

from collections import Counter

import numpy as np

from leukreg.evaluate.bootstrap import percentiles, resampling
from leukreg.evaluate.rows import take
from leukreg.evaluate.threshold import decide
from leukreg.types import Predictions, RunResult

RESAMPLES = 1000
SEED = 0


def paired_difference(first: RunResult, second: RunResult) -> str | None:
    """Accuracy of ``second`` minus that of ``first``, with a paired 95 % bootstrap interval.

    Rows are matched by file id where each run scored the file once; None with fewer than two such
    images, or with different classes.
    """
    one, two = first.predictions, second.predictions
    if sorted(one.classes) != sorted(two.classes):
        return None
    where_one, where_two = _once(one), _once(two)
    shared = sorted(where_one.keys() & where_two.keys())
    if len(shared) < 2:
        return None
    a = take(one, np.array([where_one[name] for name in shared], dtype=np.int64))
    b = take(two, np.array([where_two[name] for name in shared], dtype=np.int64))
    gain = _right(b) - _right(a)
    draws = resampling(a, RESAMPLES, SEED)
    text = f"accuracy differs by {100 * gain.mean():+.1f} points"
    if draws is None:
        return f"{text} ({len(shared):,} images)."
    means = np.array([(gain * counts).sum() / max(1, counts.sum()) for counts in draws.counts()])
    bounds = percentiles(means)
    if bounds is None:
        return f"{text} ({len(shared):,} images)."
    low, high = (100 * bound for bound in bounds)
    return f"{text} ({low:+.1f} to {high:+.1f}; {len(shared):,} images, {draws.says()}, paired)."


def _once(rows: Predictions) -> dict[str, int]:
    counts = Counter(rows.id)
    return {name: place for place, name in enumerate(rows.id) if counts[name] == 1}


def _right(rows: Predictions) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    decision = decide(rows, None) if rows.decision is None else rows.decision
    return np.asarray(decision == rows.label, dtype=np.float64)
