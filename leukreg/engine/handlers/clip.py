"""Clip gradients by their norm, just before a step."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class ClipGradients:
    """Scale the gradients down so that their norm over all parameters is at most ``norm``."""

    def __init__(self, norm: float) -> None:
        self.norm = norm

    def attach(self, optimizer: torch.optim.Optimizer) -> None:
        optimizer.register_step_pre_hook(self)

    def __call__(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(parameters, self.norm)
