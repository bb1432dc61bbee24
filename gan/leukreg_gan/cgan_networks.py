"""The networks of the conditional GAN: generator, discriminator, and what shows it features."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from leukreg_gan.cgan import Cgan
from leukreg_gan.snapshots import ImageMaker

FIRST = 4
"""Side of the smallest maps."""
NARROWEST = 16
"""Fewest channels at any size: processors work on so many at once, fewer cost the same."""
EMBEDDED = 32
"""Figures that the condition vector is embedded in."""
PART = 16
"""Noise figures that drive each block's norms, beside the condition."""
GROUPED = 8
"""Images that are looked at together, at most."""
SLOPE = 0.2
HEAD = 64
"""Channels of the networks that look at maps of features."""
SHOWN = (96, 64, 32, 24)
"""Channels of the feature network's maps of side 4, 8, 16, 32; larger maps have as many as the
last."""
DROPOUT = 0.2


def widths(size: int, channels: int) -> tuple[int, ...]:
    """Channels of the maps of side 4, 8, ... ``size``: wide where maps are small.

    Raises:
        ValueError: ``size`` is none of the sizes that the networks are made for.
    """
    if size not in Cgan.sizes:
        raise ValueError(f"the networks are made for images of {Cgan.sizes} pixels, not {size}")
    large = [max(NARROWEST, channels // 2), channels * 2, channels * 4, channels * 4]
    doublings = (size // 32).bit_length() - 1
    more = [max(NARROWEST, channels // 2 ** (step + 2)) for step in range(doublings)]
    return (*reversed(large), *more)


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
        inner = self.small(F.relu(self.first(maps, driver), inplace=True))
        inner = F.relu(self.second(inner, driver), inplace=True)
        inner = F.interpolate(inner, scale_factor=2.0)
        doubled: Tensor = self.large(inner) + F.interpolate(self.around(maps), scale_factor=2.0)
        return doubled


class Generator(ImageMaker):
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


class Projection(nn.Module):
    """Scores ``(b,)`` of pooled features ``(b, width)`` under conditions ``(b, conditions)``.

    Miyato and Koyama, 2018: the score is a figure of the image alone plus the product of its
    features with the linearly embedded condition. Beside an image's own features stands how much
    they differ within its group, the ``group`` images that come one after the other (after Karras
    et al., 2018), so that a generator that makes the same picture again and again is found out.

    A batch has its classes one after the other. Its groups are each of one class where every class
    has a multiple of ``group`` images in it: with balance "class", a batch of 64 and 8 classes they
    are, with 3 classes those at two borders mix two classes. ``group`` is the largest power of two
    up to 8 that divides ``batch``: with an odd batch it is 1, nothing differs in a group of one,
    and repeats are not found out.
    """

    def __init__(self, width: int, conditions: int, batch: int = GROUPED) -> None:
        super().__init__()
        self.group = math.gcd(batch, GROUPED)
        self.score = spectral_norm(nn.Linear(2 * width, 1))
        self.embed = spectral_norm(nn.Linear(conditions, 2 * width, bias=False))

    def beside_spread(self, own: Tensor) -> Tensor:
        """Features ``(b, width)`` to ``(b, 2 * width)``: the deviations in each group follow."""
        groups = own.view(-1, math.gcd(len(own), self.group), own.shape[1])
        spread = groups.var(dim=1, correction=0, keepdim=True).add(1e-6).sqrt()
        return torch.cat([own, spread.expand_as(groups).reshape_as(own)], dim=1)

    def own(self, features: Tensor) -> Tensor:
        """The part of the score that asks for no condition, ``(b,)``."""
        score: Tensor = self.score(features)
        return score.squeeze(1)

    def match(self, features: Tensor, conditions: Tensor) -> Tensor:
        """How well images and conditions go together, ``(b,)``."""
        match: Tensor = (self.embed(conditions) * features).sum(dim=1)
        return match


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
        batch: int = GROUPED,
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
    """A small classifier, taught first, whose maps the discriminator looks at.

    From images ``(b, 3, size, size)``, -1 to 1, to the logits of their conditions.

    ``shown`` are channels and side of the maps that :meth:`maps` gives: all but the finest, which
    hold little that pixels do not.
    """

    def __init__(self, size: int, conditions: int) -> None:
        super().__init__()
        sides = [side for side in (4, 8, 16, 32, 64, 128) if FIRST <= side < size]
        chain = [3, *(SHOWN[min(n, len(SHOWN) - 1)] for n in reversed(range(len(sides))))]
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
