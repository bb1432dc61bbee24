"""The generator's running average: what images are made with."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from leukreg_gan.generator import Generator


def averaged(generator: Generator, decay: float) -> AveragedModel:
    """The exponential moving average of the generator's weights.

    It begins fast, so that the first, untaught weights are soon forgotten: after ``n`` steps the
    decay is ``(1 + n) / (10 + n)`` until that reaches ``decay``. Batch-norm statistics are not
    averaged: :func:`settle` measures them anew.
    """

    @torch.no_grad()
    def average(kept: Sequence[Tensor], new: Sequence[Tensor], steps: Tensor | int) -> None:
        now = min(decay, (1 + int(steps)) / (10 + int(steps)))
        torch._foreach_lerp_(list(kept), list(new), 1 - now)

    return AveragedModel(generator, multi_avg_fn=average)


@torch.no_grad()
def settle(generator: nn.Module, batches: Sequence[tuple[Tensor, Tensor]]) -> None:
    """Measure the batch-norm statistics of averaged weights on batches of noise and conditions.

    Brock et al., 2019 ("standing statistics"). Leaves the generator in eval mode.
    """
    norms = [part for part in generator.modules() if isinstance(part, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over the batches
    generator.train()
    for noise, conditions in batches:
        generator(noise, conditions)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    generator.eval()
