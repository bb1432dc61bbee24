"""Intervals and baselines, in closed form."""

from __future__ import annotations

import math
from collections.abc import Iterable

Z = 1.959963984540054
"""Two-sided 95 % point of the normal distribution."""


def wilson(hits: float, n: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson, 1927); ``n`` above 0."""
    p, z2 = hits / n, Z * Z
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)


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
