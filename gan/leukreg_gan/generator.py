"""The generator's network: residual blocks from 4 x 4 up, every block told the condition."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from leukreg_gan.norm import ConditionalNorm, activated
from leukreg_gan.widths import FIRST, widths

EMBEDDED = 32
"""Figures that the condition vector is embedded in."""
PART = 16
"""Noise figures that drive each block's norms, beside the condition."""


class GeneratorBlock(nn.Module):
    """Doubles the side: a convolution before the doubling, one after it, and a way around both.

    The wide convolution runs on the small maps, which is four times cheaper than the usual order.
    """

    def __init__(self, inputs: int, outputs: int, driver: int) -> None:
        super().__init__()
        self.first = ConditionalNorm(inputs, driver)
        self.small = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.second = ConditionalNorm(outputs, driver)
        self.large = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.around = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, maps: Tensor, driver: Tensor) -> Tensor:
        inner = self.small(activated(self.first, maps, driver))
        inner = F.interpolate(activated(self.second, inner, driver), scale_factor=2.0)
        doubled: Tensor = self.large(inner) + F.interpolate(self.around(maps), scale_factor=2.0)
        return doubled


class Generator(nn.Module):
    """From noise ``(b, latent)`` and conditions ``(b, conditions)`` to images.

    These have shape ``(b, 3, size, size)`` and lie between -1 and 1. Brock et al., 2019, made
    thrifty.
    """

    def __init__(self, size: int, conditions: int, channels: int, latent: int) -> None:
        super().__init__()
        self.latent = latent
        self.conditions = conditions
        chain = widths(size, channels)
        driver = EMBEDDED + PART
        self.embed = nn.Linear(conditions, EMBEDDED, bias=False)
        parts = [nn.Linear(latent, PART) for _ in chain[:-1]]
        self.parts = nn.ModuleList(parts)
        self.first = nn.Linear(latent + EMBEDDED, chain[0] * FIRST * FIRST)
        self.blocks = nn.ModuleList(
            GeneratorBlock(inputs, outputs, driver) for inputs, outputs in pairwise(chain)
        )
        self.last = nn.BatchNorm2d(chain[-1])
        self.image = nn.Conv2d(chain[-1], 3, 3, padding=1)
        self.apply(_initialise)
        nn.init.normal_(self.embed.weight)  # as torch embeds classes
        for part in parts:  # noise must be heard beside the condition
            nn.init.normal_(part.weight, std=latent**-0.5)

    def forward(self, noise: Tensor, conditions: Tensor) -> Tensor:
        told = self.embed(conditions)
        maps = self.first(torch.cat([noise, told], dim=1)).view(len(noise), -1, FIRST, FIRST)
        maps = maps.contiguous(memory_format=torch.channels_last)
        for part, block in zip(self.parts, self.blocks, strict=True):
            maps = block(maps, torch.cat([told, part(noise)], dim=1))
        return torch.tanh(self.image(F.relu(self.last(maps), inplace=True)))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.orthogonal_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
