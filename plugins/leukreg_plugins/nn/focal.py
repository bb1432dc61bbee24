"""The focal loss over logits."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FocalLoss(nn.Module):
    """Mean of ``-factor[t] * (1 - p[t])**gamma * log(p[t])`` over a batch (Lin et al., 2017).

    ``p`` is the softmax over the classes, ``t`` the target. ``1 - p[t]`` comes from the other
    classes' logits, not by subtraction, so that loss and gradients stay finite and exact when the
    network is very sure, right or wrong.

    Args:
        gamma: Exponent, at least 0; 0 gives cross-entropy.
        factor: Shape ``(k,)``: multiplies the loss of each class, or None.
        weight: Shape ``(k,)``: class weights of the mean, or None.
    """

    factor: Tensor | None
    weight: Tensor | None

    def __init__(self, gamma: float, factor: Tensor | None, weight: Tensor | None) -> None:
        super().__init__()
        self.gamma = gamma
        self.register_buffer("factor", factor)
        self.register_buffer("weight", weight)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Logits ``(b, k)`` and targets ``(b,)`` (int64) to a scalar."""
        if logits.dtype in (torch.float16, torch.bfloat16):
            logits = logits.float()
        loss = -log_probability(logits, targets)
        if self.gamma > 0:
            loss = loss * (self.gamma * log_miss(logits, targets)).exp()
        if self.factor is not None:
            loss = loss * self.factor.to(loss.dtype)[targets]
        if self.weight is None:
            return loss.mean()
        weight = self.weight.to(loss.dtype)[targets]
        return (weight * loss).sum() / weight.sum()

    def extra_repr(self) -> str:
        return f"gamma={self.gamma}"


def log_probability(logits: Tensor, targets: Tensor) -> Tensor:
    """``log(p[t])``, shape ``(b,)``."""
    return logits.log_softmax(dim=1).gather(1, targets.unsqueeze(1)).squeeze(1)


def log_miss(logits: Tensor, targets: Tensor) -> Tensor:
    """``log(1 - p[t])``, shape ``(b,)``: what the classes other than the target have."""
    others = logits.scatter(1, targets.unsqueeze(1), -torch.inf)
    return others.logsumexp(dim=1) - logits.logsumexp(dim=1)
