"""Class weights: how much an image of each class counts in the loss.

All have mean 1 over the training rows, so that a learning rate keeps its meaning. A class without
training images gets weight 1: there is nothing to weigh, and a validation image of it counts as it
is.
"""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le, Lt

from leukreg import Labels, plugin
from leukreg_plugins.counts import balanced, effective_number


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
