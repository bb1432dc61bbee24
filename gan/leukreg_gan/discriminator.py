"""The discriminator: one look at the pixels, and one at each map of the feature network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from leukreg_gan.projection import GROUP, Projection
from leukreg_gan.widths import FIRST, widths

SLOPE = 0.2
HEAD = 64
"""Channels of the networks that look at maps of features."""


class DiscriminatorBlock(nn.Module):
    """Halves the side: a strided convolution, one more on the small maps, and a way around both."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.halve = spectral_norm(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1))
        self.small = spectral_norm(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.around = spectral_norm(nn.Conv2d(inputs, outputs, 1, bias=False))

    def forward(self, maps: Tensor) -> Tensor:
        inner = F.leaky_relu(self.halve(F.leaky_relu(maps, SLOPE)), SLOPE, inplace=True)
        halved: Tensor = self.small(inner) + self.around(F.avg_pool2d(maps, 2))
        return halved


class PixelTrunk(nn.Module):
    """From images ``(b, 3, size, size)`` to features ``(b, width)``: residual blocks."""

    def __init__(self, size: int, channels: int) -> None:
        super().__init__()
        chain = tuple(reversed(widths(size, channels)))[1:]
        self.width = chain[-1]
        self.stem = spectral_norm(nn.Conv2d(3, chain[0], 4, stride=2, padding=1))
        self.blocks = nn.Sequential(*(DiscriminatorBlock(a, b) for a, b in pairwise(chain)))
        self.last = spectral_norm(nn.Conv2d(self.width, self.width, 3, padding=1))

    def forward(self, images: Tensor) -> Tensor:
        maps = self.blocks(self.stem(images))
        maps = maps + self.last(F.leaky_relu(maps, SLOPE))
        return F.leaky_relu(maps, SLOPE).sum(dim=(2, 3))


class MapTrunk(nn.Module):
    """From maps ``(b, inputs, side, side)`` of a fixed network to features ``(b, width)``."""

    def __init__(self, inputs: int, side: int) -> None:
        super().__init__()
        self.width = HEAD
        self.first = spectral_norm(nn.Conv2d(inputs, HEAD, 3, padding=1))
        halvings = (side // FIRST).bit_length() - 1
        self.halve = nn.ModuleList(
            spectral_norm(nn.Conv2d(HEAD, HEAD, 4, stride=2, padding=1)) for _ in range(halvings)
        )

    def forward(self, maps: Tensor) -> Tensor:
        inner = F.leaky_relu(self.first(maps), SLOPE, inplace=True)
        for layer in self.halve:
            inner = F.leaky_relu(layer(inner), SLOPE, inplace=True)
        return inner.sum(dim=(2, 3))


class Discriminator(nn.Module):
    """From images, what the feature network sees in them, and conditions to scores ``(b, looks)``.

    The first look is at the pixels; every other one at one map of the feature network (Sauer et
    al., Projected GANs Converge Faster, 2021), each with a score of its own, so that none leaves
    the others nothing to learn. Every layer is spectrally normalised (Miyato et al., 2018).
    """

    def __init__(
        self,
        size: int,
        conditions: int,
        channels: int,
        batch: int = GROUP,
        maps: Sequence[tuple[int, int]] = (),
    ) -> None:
        """``maps`` are channels and side of what the feature network shows; none without one."""
        super().__init__()
        self.pixels = PixelTrunk(size, channels)
        self.seen = nn.ModuleList(MapTrunk(width, side) for width, side in maps)
        self.looks = nn.ModuleList(
            Projection(trunk.width, conditions, batch) for trunk in (self.pixels, *self.seen)
        )

    def features(self, images: Tensor, maps: Sequence[Tensor] = ()) -> tuple[Tensor, ...]:
        """What each look finds, whatever the condition: ``(b, 2 * width)``."""
        found = [self.pixels(images)]
        found += [trunk(seen) for trunk, seen in zip(self.seen, maps, strict=True)]
        pairs = zip(self._projections(), found, strict=True)
        return tuple(look.beside_spread(own.float()) for look, own in pairs)

    def forward(self, images: Tensor, conditions: Tensor, maps: Sequence[Tensor] = ()) -> Tensor:
        features = self.features(images, maps)
        return self.own(features) + self.match(features, conditions)

    def own(self, features: Sequence[Tensor]) -> Tensor:
        """The part of the scores that asks for no condition, ``(b, looks)``."""
        pairs = zip(self._projections(), features, strict=True)
        return torch.stack([look.own(found) for look, found in pairs], dim=1)

    def match(self, features: Sequence[Tensor], conditions: Tensor) -> Tensor:
        """How well images and conditions go together, ``(b, looks)``."""
        pairs = zip(self._projections(), features, strict=True)
        return torch.stack([look.match(found, conditions) for look, found in pairs], dim=1)

    def _projections(self) -> Iterator[Projection]:
        return (look for look in self.looks if isinstance(look, Projection))
