"""The discriminator's network: a projection discriminator with spectral normalisation."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from leukreg_gan.widths import widths

SLOPE = 0.2


class DiscriminatorBlock(nn.Module):
    """Halves the side: a strided convolution, one more on the small maps, and a way around both."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.halve = spectral_norm(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1))
        self.small = spectral_norm(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.around = spectral_norm(nn.Conv2d(inputs, outputs, 1, bias=False))

    def forward(self, maps: Tensor) -> Tensor:
        inner = F.leaky_relu(self.halve(F.leaky_relu(maps, SLOPE)), SLOPE, inplace=True)
        return self.small(inner) + self.around(F.avg_pool2d(maps, 2))


class Discriminator(nn.Module):
    """From images ``(b, 3, size, size)`` and conditions ``(b, conditions)`` to scores ``(b,)``.

    Miyato and Koyama, 2018: the score is a figure of the image alone plus the product of its
    features with the linearly embedded condition. Every layer is spectrally normalised (Miyato
    et al., 2018).
    """

    def __init__(self, size: int, conditions: int, channels: int) -> None:
        super().__init__()
        chain = tuple(reversed(widths(size, channels)))[1:]
        first = chain[0]
        self.stem = spectral_norm(nn.Conv2d(3, first, 4, stride=2, padding=1))
        self.blocks = nn.Sequential(*(DiscriminatorBlock(a, b) for a, b in pairwise(chain)))
        self.last = spectral_norm(nn.Conv2d(chain[-1], chain[-1], 3, padding=1))
        self.score = spectral_norm(nn.Linear(chain[-1], 1))
        self.embed = spectral_norm(nn.Linear(conditions, chain[-1], bias=False))

    def features(self, images: Tensor) -> Tensor:
        """What is seen in the images, whatever the condition: ``(b, width)``."""
        maps = self.blocks(self.stem(images))
        maps = maps + self.last(F.leaky_relu(maps, SLOPE))
        return F.leaky_relu(maps, SLOPE).sum(dim=(2, 3))

    def forward(self, images: Tensor, conditions: Tensor) -> Tensor:
        features = self.features(images)
        match = (self.embed(conditions) * features).sum(dim=1)
        return self.score(features).squeeze(1) + match
