"""Optimizers, all torch's; a parameter group may carry its own learning rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Ge, Gt, Lt

from leukreg import plugin

if TYPE_CHECKING:
    from torch.optim import Optimizer

Rate = Annotated[float, Gt(0)]
Decay = Annotated[float, Ge(0)]
Beta = Annotated[float, Ge(0), Lt(1)]


@dataclass(frozen=True, kw_only=True)
class _AdamLike:
    """Options that Adam and its relatives share."""

    lr: Rate = 1e-3
    """Learning rate."""
    beta1: Beta = 0.9
    """Decay of the running mean of gradients."""
    beta2: Beta = 0.999
    """Decay of the running mean of squared gradients."""

    def _options(self, **more: Any) -> dict[str, Any]:
        return {"lr": self.lr, "betas": (self.beta1, self.beta2), **more}


@plugin("adam")
class Adam(_AdamLike):
    """Adam (Kingma and Ba, 2015)."""

    eps: Rate = 1e-8
    """Added to the root of the squared gradients."""
    weight_decay: Decay = 0.0
    """L2 penalty, added to the gradients."""

    def build(self, groups: list[dict[str, Any]]) -> Optimizer:
        """torch's Adam over these parameter groups."""
        import torch

        options = self._options(eps=self.eps, weight_decay=self.weight_decay)
        return torch.optim.Adam(groups, **options)


@plugin("legacy-adam")
class LegacyAdam(_AdamLike):
    """Adam as in Keras' legacy optimizers: epsilon 1e-7 and a norm clipped per tensor; V4's."""

    epsilon: Rate = 1e-7
    """Added to the root of the squared gradients (here torch's bias-corrected root; in Keras the
    uncorrected one)."""
    clipnorm: Rate | None = 1.0
    """Largest norm of the gradient of each single tensor."""

    def build(self, groups: list[dict[str, Any]]) -> Optimizer:
        """torch's Adam over these parameter groups, clipping each gradient before its step."""
        from leukreg_plugins.nn.clipped_adam import ClippedAdam

        return ClippedAdam(groups, clipnorm=self.clipnorm, **self._options(eps=self.epsilon))


@plugin("adamw")
class AdamW(_AdamLike):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""

    eps: Rate = 1e-8
    """Added to the root of the squared gradients."""
    weight_decay: Decay = 1e-2
    """Share of each weight taken off per step, times the learning rate."""

    def build(self, groups: list[dict[str, Any]]) -> Optimizer:
        """torch's AdamW over these parameter groups."""
        import torch

        options = self._options(eps=self.eps, weight_decay=self.weight_decay)
        return torch.optim.AdamW(groups, **options)


@plugin("radam")
class RAdam(_AdamLike):
    """Rectified Adam: warms up by itself (Liu et al., 2020); V5's RectifiedAdam."""

    eps: Rate = 1e-8
    """Added to the root of the squared gradients."""
    weight_decay: Decay = 0.0
    """Share of each weight taken off per step, times the learning rate (decoupled)."""

    def build(self, groups: list[dict[str, Any]]) -> Optimizer:
        """torch's RAdam over these parameter groups."""
        import torch

        options = self._options(eps=self.eps, weight_decay=self.weight_decay)
        return torch.optim.RAdam(groups, decoupled_weight_decay=True, **options)


@plugin("sgd")
class Sgd:
    """Stochastic gradient descent with momentum."""

    lr: Rate = 1e-2
    """Learning rate."""
    momentum: Beta = 0.9
    """Share of the last step that is kept; 0 for none."""
    nesterov: bool = False
    """Look ahead along the momentum; without effect where momentum is 0."""
    weight_decay: Decay = 0.0
    """L2 penalty, added to the gradients."""

    def build(self, groups: list[dict[str, Any]]) -> Optimizer:
        """torch's SGD over these parameter groups."""
        import torch

        return torch.optim.SGD(
            groups,
            lr=self.lr,
            momentum=self.momentum,
            nesterov=self.nesterov and self.momentum > 0,
            weight_decay=self.weight_decay,
        )
