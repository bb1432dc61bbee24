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
        """One weight per class, in the order of ``labels.names``.

        With ``power`` 1 that is ``rows / (classes * n)``, as scikit-learn's "balanced".
        """
        return _mean_one(labels.counts, [n**-self.power if n else 1.0 for n in labels.counts])


@plugin("effective-number")
class EffectiveNumber:
    """Inversely proportional to the effective number of samples (Cui et al., 2019)."""

    beta: Annotated[float, Ge(0), Lt(1)] = 0.999
    """0: no weights; towards 1: like balanced. 1 / (1 - beta) is the number of different images
    that a class is taken to have."""

    def build(self, labels: Labels) -> tuple[float, ...]:
        """One weight per class, ``(1 - beta) / (1 - beta**n)`` but for the scale."""
        return _mean_one(labels.counts, [self._weight(n) for n in labels.counts])

    def _weight(self, n: int) -> float:
        if n == 0 or self.beta == 0:
            return 1.0
        # 1 - beta**n loses its digits near beta = 1; expm1 keeps them.
        return (1 - self.beta) / -math.expm1(n * math.log(self.beta))


def _mean_one(counts: Sequence[int], weights: Sequence[float]) -> tuple[float, ...]:
    """Scale to mean 1 over the rows; classes without rows have no say and get 1."""
    rows = sum(counts)
    if rows == 0:
        return (1.0,) * len(counts)
    mean = sum(n * weight for n, weight in zip(counts, weights, strict=True)) / rows
    return tuple(w / mean if n else 1.0 for n, w in zip(counts, weights, strict=True))
