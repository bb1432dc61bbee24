"""The feature network: a small classifier whose maps the discriminator looks at."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from leukreg_gan.widths import FIRST

WIDTHS = (96, 64, 32, 24)
"""Channels of the maps of side 4, 8, 16, 32; larger maps have as many as the last."""
DROPOUT = 0.2


class Unit(nn.Module):
    """A convolution, normalised and rectified; ``stride`` 2 halves the side."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, stride + 2, stride, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, maps: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(maps)), inplace=True)


class Stage(nn.Module):
    """Halves the side, and adds what two more convolutions see (He et al., 2016)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.halve = Unit(inputs, outputs, 2)
        self.inner = Unit(outputs, outputs, 1)
        self.conv = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, maps: Tensor) -> Tensor:
        halved = self.halve(maps)
        return F.relu(halved + self.norm(self.conv(self.inner(halved))), inplace=True)


class FeatureNetwork(nn.Module):
    """From images ``(b, 3, size, size)``, -1 to 1, to the logits of their conditions.

    ``shown`` are channels and side of the maps that :meth:`maps` gives: all but the finest, which
    hold little that pixels do not.
    """

    def __init__(self, size: int, conditions: int) -> None:
        super().__init__()
        sides = [side for side in (4, 8, 16, 32, 64, 128) if FIRST <= side < size]
        chain = [3, *(WIDTHS[min(n, len(WIDTHS) - 1)] for n in reversed(range(len(sides))))]
        self.stages = nn.ModuleList(Stage(a, b) for a, b in pairwise(chain))
        self.logits = nn.Linear(chain[-1], conditions)
        self.shown = tuple(zip(chain[2:], reversed(sides[:-1]), strict=True))

    def maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """The maps to be looked at, the finest first: ``(b, channels, side, side)``."""
        found = []
        for stage in self.stages:
            images = stage(images)
            found.append(images)
        return tuple(found[1:])

    def forward(self, images: Tensor) -> Tensor:
        pooled = self.maps(images)[-1].mean(dim=(2, 3))
        logits: Tensor = self.logits(F.dropout(pooled, DROPOUT, self.training))
        return logits
