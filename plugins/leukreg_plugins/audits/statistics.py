"""Intervals and baselines, in closed form."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Z = 1.959963984540054
"""Two-sided 95 % point of the normal distribution."""


def wilson(hits: float, n: float) -> tuple[float, float]:
    """95 % interval of a share (Wilson, 1927); ``n`` above 0."""
    p, z2 = hits / n, Z * Z
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def effective(right: NDArray[np.bool_], unit: NDArray[np.int64]) -> float:
    """So many independent rows tell as much of a share as these, some of which belong together.

    The rows over the design effect (Kish, 1965; Korn and Graubard, 1998). Copies of a picture that
    are answered alike count as one, and so do the images of a unit where no answer differs.

    Args:
        right: Shape ``(n,)``, n above 0: what the share is of.
        unit: Shape ``(n,)``: the unit of each row (see ``leukreg.units_of``).
    """
    import numpy as np

    n, units = len(right), len(np.unique(unit))
    if units == n:
        return float(n)
    place = np.unique(unit, return_inverse=True)[1]
    p = right.mean()
    apart = np.bincount(place, weights=right - p)
    variance = float((apart**2).sum()) / n**2
    if variance <= 0:
        return float(units)
    return float(min(n, p * (1 - p) / variance))


def auc_interval(auc: float, positives: int, negatives: int) -> tuple[float, float]:
    """95 % interval of an area under the ROC curve (Hanley and McNeil, 1982)."""
    q1, q2 = auc / (2 - auc), 2 * auc * auc / (1 + auc)
    spread = auc * (1 - auc) + (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)
    half = Z * math.sqrt(max(spread, 0.0) / (positives * negatives))
    return max(0.0, auc - half), min(1.0, auc + half)


def base_rate_brier(counts: Iterable[int]) -> float:
    """Brier score of always saying the classes' shares: p (1 - p) for two, 1 - sum p^2 for more."""
    listed = list(counts)
    n = sum(listed)
    whole = 1 - sum((c / n) ** 2 for c in listed)
    return whole / 2 if len(listed) == 2 else whole
