"""The discriminator's network: a projection discriminator with spectral normalisation."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from leukreg_gan.widths import widths

SLOPE = 0.2
GROUP = 8
"""Images of one class that are looked at together, at most."""


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


class Discriminator(nn.Module):
    """From images ``(b, 3, size, size)`` and conditions ``(b, conditions)`` to scores ``(b,)``.

    Miyato and Koyama, 2018: the score is a figure of the image alone plus the product of its
    features with the linearly embedded condition. Every layer is spectrally normalised (Miyato
    et al., 2018). Beside an image's own features stands how much they differ within its group, the
    ``group`` images that come one after the other (after Karras et al., 2018): of one class, so
    that a generator that makes the same picture of a class again and again is found out.
    """

    def __init__(self, size: int, conditions: int, channels: int, batch: int = GROUP) -> None:
        super().__init__()
        self.group = math.gcd(batch, GROUP)
        chain = tuple(reversed(widths(size, channels)))[1:]
        first = chain[0]
        self.stem = spectral_norm(nn.Conv2d(3, first, 4, stride=2, padding=1))
        self.blocks = nn.Sequential(*(DiscriminatorBlock(a, b) for a, b in pairwise(chain)))
        self.last = spectral_norm(nn.Conv2d(chain[-1], chain[-1], 3, padding=1))
        self.score = spectral_norm(nn.Linear(2 * chain[-1], 1))
        self.embed = spectral_norm(nn.Linear(conditions, 2 * chain[-1], bias=False))

    def features(self, images: Tensor) -> Tensor:
        """What is seen in the images, whatever the condition: ``(b, 2 * width)``.

        The second half are the deviations within each group.
        """
        maps = self.blocks(self.stem(images))
        maps = maps + self.last(F.leaky_relu(maps, SLOPE))
        own = F.leaky_relu(maps, SLOPE).sum(dim=(2, 3))
        groups = own.view(-1, math.gcd(len(own), self.group), own.shape[1])
        spread = groups.var(dim=1, correction=0, keepdim=True).add(1e-6).sqrt()
        return torch.cat([own, spread.expand_as(groups).reshape_as(own)], dim=1)

    def forward(self, images: Tensor, conditions: Tensor) -> Tensor:
        features = self.features(images)
        return self.own(features) + self.match(features, conditions)

    def own(self, features: Tensor) -> Tensor:
        """The part of the score that asks for no condition, ``(b,)``."""
        score: Tensor = self.score(features)
        return score.squeeze(1)

    def match(self, features: Tensor, conditions: Tensor) -> Tensor:
        """How well images and conditions go together, ``(b,)``."""
        match: Tensor = (self.embed(conditions) * features).sum(dim=1)
        return match
