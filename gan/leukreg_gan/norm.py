"""Conditional batch norm: what is normalised is scaled and shifted as the condition says."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ConditionalNorm(nn.Module):
    """Batch norm of ``(b, channels, h, w)`` whose gain and bias come from ``(b, driver)``.

    De Vries et al., 2017; the driver is the embedded condition beside a part of the noise, as in
    Brock et al., 2019. At first the gain lies about 1 and the bias about 0, a little apart for
    each condition.
    """

    def __init__(self, channels: int, driver: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.affine = nn.Linear(driver, 2 * channels)
        nn.init.normal_(self.affine.weight, std=0.05)
        nn.init.zeros_(self.affine.bias)

    def forward(self, maps: Tensor, driver: Tensor) -> Tensor:
        gain, bias = self.affine(driver)[:, :, None, None].chunk(2, dim=1)
        return torch.addcmul(bias, self.norm(maps), gain + 1)


def activated(norm: ConditionalNorm, maps: Tensor, driver: Tensor) -> Tensor:
    """Normalised, then rectified."""
    return F.relu(norm(maps, driver), inplace=True)
