"""Losses over logits. With class weights, all take the weighted mean over the batch.

The weighted mean is torch's: the sum of weight times loss, over the sum of the weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Le, Lt

from leukreg import Labels, plugin
from leukreg_plugins.class_weights import EffectiveNumber

if TYPE_CHECKING:
    from torch import Tensor, nn


@plugin("cross-entropy")
class CrossEntropy:
    """Cross-entropy, with label smoothing on request (Szegedy et al., 2016)."""

    smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Share of each target that is spread evenly over all classes."""

    def build(self, labels: Labels) -> nn.Module:
        """Logits ``(b, k)`` and targets ``(b,)`` to a scalar."""
        from torch import nn

        return nn.CrossEntropyLoss(weight=_weight(labels), label_smoothing=self.smoothing)


@plugin("focal")
class Focal:
    """Focal loss: well-classified images count less (Lin et al., 2017)."""

    gamma: Annotated[float, Ge(0), Le(10)] = 2.0
    """Exponent of ``1 - p``, the probability missed; 0 gives cross-entropy."""
    alpha: Annotated[float, Ge(0), Le(1)] | None = None
    """With two classes, the factor of the positive class, as in the paper; the other class has
    ``1 - alpha``. With more classes, one factor for all. By default there is none."""

    @property
    def needs_positive(self) -> bool:
        """Whether it matters which of two classes is the positive one."""
        return self.alpha not in (None, 0.5)

    def build(self, labels: Labels) -> nn.Module:
        """Logits ``(b, k)`` and targets ``(b,)`` to a scalar."""
        from leukreg_plugins.nn.focal import FocalLoss

        return FocalLoss(self.gamma, factor=_factor(labels, self.alpha), weight=_weight(labels))


@plugin("class-balanced")
class ClassBalancedLoss:
    """Focal loss or cross-entropy, weighted by effective numbers of samples (Cui et al., 2019)."""

    beta: Annotated[float, Ge(0), Lt(1)] = 0.999
    """0: no weights; towards 1: weights of one over the number of images of a class."""
    over: Literal["focal", "cross-entropy"] = "focal"
    """The loss that is weighted."""
    gamma: Annotated[float, Ge(0), Le(10)] = 2.0
    """The focal loss's exponent; without effect over cross-entropy."""

    def build(self, labels: Labels) -> nn.Module:
        """Logits ``(b, k)`` and targets ``(b,)`` to a scalar.

        Class weights of the recipe, where it has some, multiply those of this loss.
        """
        import torch

        from leukreg_plugins.nn.focal import FocalLoss

        own = torch.tensor(EffectiveNumber(beta=self.beta).build(labels))
        given = _weight(labels)
        gamma = self.gamma if self.over == "focal" else 0.0
        return FocalLoss(gamma, factor=None, weight=own if given is None else own * given)


def _weight(labels: Labels) -> Tensor | None:
    import torch

    return None if labels.weights is None else torch.tensor(labels.weights)


def _factor(labels: Labels, alpha: float | None) -> Tensor | None:
    import torch

    if alpha is None:
        return None
    if len(labels) != 2:
        return torch.full((len(labels),), alpha)
    positive = 1 if labels.positive is None else labels.names.index(labels.positive)
    factor = torch.full((2,), 1 - alpha)
    factor[positive] = alpha
    return factor
