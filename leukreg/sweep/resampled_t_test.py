"""The corrected resampled t-test (Nadeau and Bengio, 2003), and Holm's step-down (1979).

Folds share training rows, so figures of folds and seeds vary less than those of independent
experiments would: a plain t-test finds differences where there are none. The correction adds the
share of test to training rows to the variance of the mean; with repeats under other seeds it is
that of Bouckaert and Frank (2004).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedMean:
    """The mean of figures of folds, and what is known of it."""

    value: float
    count: int
    """Folds, over all seeds."""
    low: float | None = None
    """With ``high``: 95 % interval; None with fewer than two folds, or where all are the same."""
    high: float | None = None
    p: float | None = None
    """Two-sided, of the mean being 0; None where there is no interval, unless all figures are 0."""


def corrected_mean(figures: Sequence[float], ratio: float) -> CorrectedMean:
    """The mean of figures of folds, with its corrected interval.

    Args:
        figures: One of each fold and seed, or differences of two; at least one.
        ratio: Test rows over training rows of a fold.
    """
    from scipy.stats import t

    n, values = len(figures), np.asarray(figures, dtype=np.float64)
    mean = float(values.mean())
    spread = float(values.std(ddof=1)) if n > 1 else 0.0
    if spread <= 1e-12 * max(1.0, abs(mean)):
        same = 1.0 if n > 1 and mean == 0.0 else None
        return CorrectedMean(value=mean, count=n, p=same)
    error = spread * math.sqrt(1 / n + ratio)
    half = float(t.ppf(0.975, n - 1)) * error
    p = float(2 * t.sf(abs(mean) / error, n - 1))
    return CorrectedMean(value=mean, count=n, low=mean - half, high=mean + half, p=p)


def holm(p: Sequence[float]) -> tuple[float, ...]:
    """P-values adjusted so that the chance of any false finding among them stays that of one."""
    adjusted, highest = [0.0] * len(p), 0.0
    for rank, place in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        highest = max(highest, min(1.0, (len(p) - rank) * p[place]))
        adjusted[place] = highest
    return tuple(adjusted)
