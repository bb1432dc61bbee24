"""Modules on uint8 images ``(b, h, w, 3)`` that bring the stain of an image to that of others.

In float64, so that an image alone and among others comes out the same; no step depends on the
values in a way that a graph cannot hold, so that all can be exported.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from leukreg import Images

AT_ONCE = 32
"""Images that are looked at at once in fitting."""
FLAT = 0.01
"""Deviation of log10 brightness under which a picture has no contrast to speak of."""
LOOKED_AT = 4096
"""Pixels, evenly spread, in which stains are looked for: sorting all would take the most time."""
LEAST_STAINED = 0.01
"""Share of the pixels that must be stained."""
LEAST_APART = 0.2
"""How much more of blue, of unit densities, the second stain must hold back than the first. Less:
both were found in the nucleus, and what is made of them is a picture in false colours."""
SQUARINGS = 12
"""Of a matrix, until its largest eigenvector is left alone."""


def as_bytes(values: Tensor) -> Tensor:
    """Values from 0 to 255, rounded and cut off there, as uint8."""
    return values.round().clamp(0, 255).to(torch.uint8)


def _batches(images: Images) -> list[range]:
    return [range(i, min(i + AT_ONCE, len(images))) for i in range(0, len(images), AT_ONCE)]


def _over(images: Images, measure: Callable[[Tensor], tuple[Tensor, Tensor]]) -> Tensor:
    """What ``measure`` finds in each image that it can work on, shape ``(n, ...)``."""
    found = []
    for rows in _batches(images):
        values, fits = measure(torch.from_numpy(images.pixels(rows)))
        found.append(values[fits])
    return torch.cat(found)


class ColourTransfer(nn.Module):
    """Mean and deviation in l-alpha-beta moved to those of the training images."""

    def __init__(self) -> None:
        super().__init__()
        to_lms = [[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]]
        scale = torch.tensor([3, 6, 2], dtype=torch.float64).rsqrt()
        mixed = torch.tensor([[1, 1, 1], [1, 1, -2], [1, -1, 0]], dtype=torch.float64)
        self.to_lms = torch.tensor(to_lms, dtype=torch.float64).T
        self.to_lab = (scale[:, None] * mixed).T
        self.from_lms, self.from_lab = self.to_lms.inverse(), self.to_lab.inverse()
        self.register_buffer("mean", torch.zeros(3, dtype=torch.float64))
        self.register_buffer("deviation", torch.ones(3, dtype=torch.float64))

    mean: Tensor
    deviation: Tensor

    def fit(self, images: Images) -> None:
        """Take the means over these images for the target; as built where all lack contrast."""

        def measure(pixels: Tensor) -> tuple[Tensor, Tensor]:
            lab = self._lab(pixels)
            mean, deviation = self._moments(lab)
            return torch.stack([mean, deviation], dim=1)[:, :, 0], ~self._flat(deviation)

        known = _over(images, measure)
        if len(known):
            self.mean, self.deviation = known.mean(0)

    def forward(self, images: Tensor) -> Tensor:
        lab = self._lab(images)
        mean, deviation = self._moments(lab)
        moved = (lab - mean) * (self.deviation / deviation) + self.mean
        lms = torch.exp(moved @ self.from_lab * math.log(10))
        changed = as_bytes((lms @ self.from_lms).reshape(images.shape) - 1)
        return torch.where(self._flat(deviation)[:, None, None, None], images, changed)

    def unfit(self, images: Tensor) -> Tensor:
        """Pictures without contrast."""
        return self._flat(self._moments(self._lab(images))[1])

    def _lab(self, images: Tensor) -> Tensor:
        """Shape ``(b, h * w, 3)``; black is 1, so that it has a logarithm."""
        pixels = images.flatten(1, 2).double() + 1
        return (pixels @ self.to_lms).log10() @ self.to_lab

    def _moments(self, lab: Tensor) -> tuple[Tensor, Tensor]:
        mean = lab.mean(1, keepdim=True)
        deviation = (lab - mean).square().mean(1, keepdim=True).sqrt()
        return mean, deviation.clamp(min=1e-4)  # a grey picture has no colours to spread

    def _flat(self, deviation: Tensor) -> Tensor:
        return deviation[:, 0, 0] < FLAT


class StainTransfer(nn.Module):
    """The two stains of an image put in place of those of the training images."""

    def __init__(self, light: float, stained: float, outliers: float) -> None:
        super().__init__()
        self.light, self.stained, self.outliers = light, stained, outliers
        published = [[0.5626, 0.7201, 0.4062], [0.2159, 0.8012, 0.5581], [1.9705, 1.0308, 0.0]]
        self.register_buffer("target", torch.tensor(published, dtype=torch.float64))

    target: Tensor
    """Two unit vectors of optical density in R, G, B; then how strong the two are, and 0."""

    def fit(self, images: Images) -> None:
        """Take the medians over these images; those of the paper's code where all are unfit."""
        known = _over(images, lambda pixels: self._stains(self._densities(pixels)))
        if len(known):
            target = known.median(0).values
            target[:2] /= target[:2].norm(dim=1, keepdim=True)
            self.target = target

    def forward(self, images: Tensor) -> Tensor:
        densities = self._densities(images)
        stains, fits = self._stains(densities)
        amounts = densities @ _unmixing(stains[:, :2])
        strength = (self.target[2, :2] / stains[:, 2, :2])[:, None]
        light = self.light * torch.exp(-(amounts * strength) @ self.target[:2])
        changed = as_bytes(light.reshape(images.shape))
        return torch.where(fits[:, None, None, None], changed, images)

    def unfit(self, images: Tensor) -> Tensor:
        """Pictures with too few stained pixels, or with one stain alone."""
        return ~self._stains(self._densities(images))[1]

    def _densities(self, images: Tensor) -> Tensor:
        """Optical densities, base e, shape ``(b, h * w, 3)``."""
        return -((images.flatten(1, 2).double() + 1) / self.light).log()

    def _stains(self, densities: Tensor) -> tuple[Tensor, Tensor]:
        """Stains and strengths as :attr:`target` has them, ``(b, 3, 3)``; and where they are found.

        Angles in the plane of the two largest eigenvectors are compared by their tangents.
        """
        # An odd step: one that divides a row's length would look at some columns alone.
        densities = densities[:, :: max(1, densities.shape[1] // LOOKED_AT) | 1]
        inside = densities.mean(2) >= self.stained  # all three would leave out pale red cells
        count = inside.sum(1)
        weight = inside.double()[:, :, None]
        mean = (densities * weight).sum(1, keepdim=True) / count.clamp(min=1)[:, None, None]
        centred = (densities - mean) * weight
        first, second = _largest_two(centred.transpose(1, 2) @ centred)
        along = (densities * first[:, None]).sum(2).clamp(min=1e-6)
        slopes = (densities * second[:, None]).sum(2) / along
        low, high = (
            self._quantile(slopes, inside, count, share)
            for share in (self.outliers, 1 - self.outliers)
        )
        ends = first[:, None] + torch.stack([low, high], dim=1)[:, :, None] * second[:, None]
        ends = ends / ends.norm(dim=2, keepdim=True)
        # Nuclei first: they let blue through, the haemoglobin and eosin of the others hold it back.
        yellower = (ends[:, 0, 2] > ends[:, 1, 2])[:, None, None]
        ends = torch.where(yellower, ends.flip(1), ends)
        apart = ends[:, 1, 2] - ends[:, 0, 2]
        amounts = densities @ _unmixing(ends)
        strong = [
            self._quantile(amounts[:, :, stain], inside, count, 1 - self.outliers)
            for stain in (0, 1)
        ]
        strengths = torch.stack([*strong, torch.zeros_like(low)], dim=1)
        enough = count >= LEAST_STAINED * inside.shape[1]
        fits = enough & (apart > LEAST_APART) & (strengths[:, :2] > 0.05).all(1)
        strengths = strengths.clamp(min=0.05)
        return torch.cat([ends, strengths[:, None]], dim=1), fits

    def _quantile(self, values: Tensor, inside: Tensor, count: Tensor, share: float) -> Tensor:
        """Of the stained pixels of each image, the value at this share of them, shape ``(b,)``."""
        ordered = torch.where(inside, values, torch.full_like(values, math.inf)).sort(1).values
        place = ((count - 1).clamp(min=0).double() * share).round().long()
        found = ordered.gather(1, place[:, None])[:, 0]
        return torch.where(count > 0, found, torch.zeros_like(found))


def _largest_two(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """The two largest eigenvectors of symmetric matrices ``(b, 3, 3)``, each ``(b, 3)``.

    By squaring, which a graph can hold; the first points to where all channels darken.
    """
    scaled = matrices / (matrices.diagonal(dim1=1, dim2=2).sum(1)[:, None, None] + 1e-12)
    first = _largest(scaled)
    first = first * torch.where(first.sum(1, keepdim=True) < 0, -1.0, 1.0)
    value = (first[:, None] @ scaled @ first[:, :, None]).clamp(min=0)
    return first, _largest(scaled - value * first[:, :, None] * first[:, None])


def _largest(matrices: Tensor) -> Tensor:
    for _ in range(SQUARINGS):
        size = matrices.diagonal(dim1=1, dim2=2).sum(1).clamp(min=1e-12)[:, None, None]
        matrices = matrices / size
        matrices = matrices @ matrices
    column = matrices.diagonal(dim1=1, dim2=2).argmax(1)[:, None, None].expand(-1, 3, 1)
    vector = matrices.gather(2, column)[:, :, 0]
    unit: Tensor = vector / vector.norm(dim=1, keepdim=True).clamp(min=1e-12)
    return unit


def _unmixing(stains: Tensor) -> Tensor:
    """From densities to least-squares amounts of two stains ``(b, 2, 3)``: ``(b, 3, 2)``."""
    gram = stains @ stains.transpose(1, 2)
    a, b, d = gram[:, 0, 0], gram[:, 0, 1], gram[:, 1, 1]
    size = (a * d - b * b).clamp(min=1e-9)
    inverse = torch.stack([d, -b, -b, a], dim=1).reshape(-1, 2, 2) / size[:, None, None]
    return stains.transpose(1, 2) @ inverse


class Luma(nn.Module):
    """Brightness in three equal channels; in whole numbers, so that it is exact."""

    def forward(self, images: Tensor) -> Tensor:
        weights = torch.tensor([19595, 38470, 7471], dtype=torch.int32)
        grey = ((images.int() * weights).sum(3, keepdim=True) + 32768) // 65536
        return grey.to(torch.uint8).expand(-1, -1, -1, 3).contiguous()


class Middle(nn.Module):
    """The middle ``size`` pixels of a larger picture."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, images: Tensor) -> Tensor:
        top, left = ((side - self.size) // 2 for side in images.shape[1:3])
        return images[:, top : top + self.size, left : left + self.size].contiguous()
