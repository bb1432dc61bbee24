"""Class weights: how much an image of each class counts in the loss.

All have mean 1 over the training rows, so that a learning rate keeps its meaning. A class without
training images gets weight 1: there is nothing to weigh, and a validation image of it counts as it
is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

from annotated_types import Ge, Le, Lt

from leukreg import Labels, plugin


@plugin("balanced")
class Balanced:
    """Inversely proportional to the number of training images (scikit-learn's "balanced")."""

    power: Annotated[float, Ge(0), Le(1)] = 1.0
    """1: every class weighs the same in all; 0.5: by the square root; 0: no weights."""

    def build(self, labels: Labels) -> tuple[float, ...]:
        """One weight per class, in the order of ``labels.names``."""
        return balanced(labels.counts, self.power)


@plugin("effective-number")
class EffectiveNumber:
    """Inversely proportional to the effective number of samples (Cui et al., 2019)."""

    beta: Annotated[float, Ge(0), Lt(1)] = 0.999
    """0: no weights; towards 1: like balanced. 1 / (1 - beta) is the number of different images
    that a class is taken to have."""

    def build(self, labels: Labels) -> tuple[float, ...]:
        """One weight per class, in the order of ``labels.names``."""
        return effective_number(labels.counts, self.beta)


CLASS_WEIGHTS: list[type] = [Balanced, EffectiveNumber]


def effective_number(counts: Sequence[int], beta: float) -> tuple[float, ...]:
    """Weights ``(1 - beta) / (1 - beta**n)``, scaled to mean 1 over the training rows.

    One over the effective number of samples (Cui et al., 2019). ``beta`` 0 weighs all classes
    alike, ``beta`` towards 1 weighs them by one over their count.

    Args:
        counts: Training images per class; a class without any gets weight 1.
        beta: At least 0, less than 1.
    """
    return _mean_one(counts, [_inverse_effective_number(n, beta) for n in counts])


def balanced(counts: Sequence[int], power: float = 1.0) -> tuple[float, ...]:
    """Weights ``1 / n**power``, scaled to mean 1 over the training rows.

    With ``power`` 1 that is ``rows / (classes * n)``, as scikit-learn's "balanced".

    Args:
        counts: Training images per class; a class without any gets weight 1.
        power: Between 0 (all alike) and 1 (each class weighs the same in all).
    """
    return _mean_one(counts, [n**-power if n else 1.0 for n in counts])


def _inverse_effective_number(n: int, beta: float) -> float:
    if n == 0 or beta == 0:
        return 1.0
    # 1 - beta**n loses its digits near beta = 1; expm1 keeps them.
    return (1 - beta) / -math.expm1(n * math.log(beta))


def _mean_one(counts: Sequence[int], weights: Sequence[float]) -> tuple[float, ...]:
    """Scale to mean 1 over the rows; classes without rows have no say and get 1."""
    rows = sum(counts)
    if rows == 0:
        return (1.0,) * len(counts)
    mean = sum(n * weight for n, weight in zip(counts, weights, strict=True)) / rows
    return tuple(w / mean if n else 1.0 for n, w in zip(counts, weights, strict=True))
