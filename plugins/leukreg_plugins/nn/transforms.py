"""Run random changes over a uint8 batch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Step = Callable[[Tensor], Tensor]

CHUNK_PIXELS = 8 * 224 * 224
"""Pixels worked on at a time, so that what one step leaves is still in the processor's cache for
the next (saves up to a fifth of the time), and memory stays small."""


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """Steps on bytes first, then steps on floats from 0 to 255, rounded once at the end."""

    on_bytes: tuple[Step, ...] = ()
    on_floats: tuple[Step, ...] = ()

    @torch.no_grad()
    def __call__(self, batch: Tensor) -> Tensor:
        """A changed copy of a uint8 batch ``(b, 3, h, w)``."""
        out = torch.empty_like(batch, memory_format=torch.contiguous_format)
        each = max(1, CHUNK_PIXELS // max(1, batch.shape[-1] * batch.shape[-2]))
        for start in range(0, batch.shape[0], each):
            out[start : start + each] = self._changed(batch[start : start + each])
        return out

    def _changed(self, batch: Tensor) -> Tensor:
        for step in self.on_bytes:
            batch = step(batch)
        if not self.on_floats:
            return batch
        floats = batch.float()
        for step in self.on_floats:
            floats = step(floats)
        # A half up, then cut off: rounding in one pass.
        return floats.add_(0.5).clamp_(0, 255.5).to(torch.uint8)


def uniform(low: float, high: float, batch: Tensor) -> Tensor:
    """One draw per image, shape ``(b,)``; made on the CPU, so that all devices see the same."""
    return torch.empty(batch.shape[0]).uniform_(low, high).to(batch.device)


def chance(probability: float, batch: Tensor) -> Tensor:
    """True with this probability, shape ``(b,)``."""
    return uniform(0, 1, batch) < probability


def right_angles(batch: Tensor) -> Tensor:
    """Each square image in one of the eight ways a square can lie; the pixels stay as they are."""
    out = torch.empty_like(batch)
    ways = torch.randint(8, (batch.shape[0],)).tolist()
    for image, target, way in zip(batch, out, ways, strict=True):
        if way & 1:
            image = image.flip(2)
        if way & 2:
            image = image.flip(1)
        target.copy_(image.transpose(1, 2) if way & 4 else image)
    return out


@dataclass(frozen=True, kw_only=True)
class Affine:
    """Turn, scale, shear, shift and mirror about the centre, in one bilinear resampling.

    Angles in degrees, ``shift`` as a share of the side, ``zoom`` as a share of the scale; all are
    the largest values, drawn evenly either way.
    """

    rotation: float = 0.0
    shift: float = 0.0
    zoom: float = 0.0
    shear: float = 0.0
    flip_x: bool = False
    flip_y: bool = False
    padding: Literal["border", "reflection"] = "border"

    def __call__(self, batch: Tensor) -> Tensor:
        """Floats ``(b, 3, h, w)`` to the same shape."""
        grid = _grid(self.draw(batch), batch.shape[2], batch.shape[3])
        return F.grid_sample(batch, grid, padding_mode=self.padding, align_corners=False)

    def draw(self, batch: Tensor) -> Tensor:
        """Matrices ``(b, 2, 3)`` from output to input, both from -1 to 1 along each side."""
        angle = uniform(-math.radians(self.rotation), math.radians(self.rotation), batch)
        slant = uniform(-math.radians(self.shear), math.radians(self.shear), batch).tan()
        scale = 1 / uniform(1 - self.zoom, 1 + self.zoom, batch)
        shift_x = uniform(-2 * self.shift, 2 * self.shift, batch)
        shift_y = uniform(-2 * self.shift, 2 * self.shift, batch)
        mirror_x = _sign(batch) if self.flip_x else torch.ones_like(angle)
        mirror_y = _sign(batch) if self.flip_y else torch.ones_like(angle)
        cos, sin = angle.cos() * scale, angle.sin() * scale
        rows = (
            torch.stack([cos * mirror_x, (cos * slant - sin) * mirror_x, shift_x], dim=1),
            torch.stack([sin * mirror_y, (sin * slant + cos) * mirror_y, shift_y], dim=1),
        )
        return torch.stack(rows, dim=1)


def _sign(batch: Tensor) -> Tensor:
    """-1 or 1 for each image."""
    return torch.where(uniform(0, 1, batch) < 0.5, -1.0, 1.0)


def _grid(theta: Tensor, height: int, width: int) -> Tensor:
    """What ``F.affine_grid`` gives, in a tenth of its time: a sum of one row and one column."""
    x = (2 * torch.arange(width, device=theta.device) + 1) / width - 1
    y = (2 * torch.arange(height, device=theta.device) + 1) / height - 1
    grid = theta.new_empty(theta.shape[0], height, width, 2)
    for axis in (0, 1):
        row = theta[:, axis, 0, None] * x + theta[:, axis, 2, None]
        column = theta[:, axis, 1, None] * y
        torch.add(row[:, None, :], column[:, :, None], out=grid[..., axis])
    return grid


GREY = (0.299, 0.587, 0.114)
"""Weights of R, G and B in the luma (ITU-R BT.601)."""

HED = ((0.65, 0.70, 0.29), (0.07, 0.99, 0.11), (0.27, 0.57, 0.78))
"""Optical density of R, G, B per unit of haematoxylin, eosin and diaminobenzidine
(Ruifrok and Johnston, 2001)."""


@dataclass(frozen=True, kw_only=True)
class Light:
    """Change brightness, contrast, saturation (shares) and hue (degrees), each either way."""

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0

    def __call__(self, batch: Tensor) -> Tensor:
        """Floats ``(b, 3, h, w)`` from 0 to 255 to the same, beyond the ends too."""
        bright = uniform(1 - self.brightness, 1 + self.brightness, batch)
        contrast = uniform(1 - self.contrast, 1 + self.contrast, batch)
        matrix = torch.eye(3, device=batch.device).repeat(batch.shape[0], 1, 1)
        if self.saturation:
            matrix = _saturation(uniform(1 - self.saturation, 1 + self.saturation, batch))
        if self.hue:
            turn = math.radians(self.hue)
            matrix = _hue(uniform(-turn, turn, batch)) @ matrix
        grey = batch.mean(dim=(2, 3)) @ batch.new_tensor(GREY)
        offset = (bright * (1 - contrast) * grey)[:, None].expand(-1, 3)
        return mix(batch, matrix * (bright * contrast)[:, None, None], offset)


@dataclass(frozen=True, kw_only=True)
class Stain:
    """Multiply and shift the density of each stain (Tellez et al., 2018)."""

    space: Literal["hed", "rgb"] = "hed"
    strength: float = 0.0
    bias: float = 0.0

    def __call__(self, batch: Tensor) -> Tensor:
        """Floats ``(b, 3, h, w)`` from 0 to 255 to the same."""
        vectors = batch.new_tensor(HED).T if self.space == "hed" else torch.eye(3).to(batch)
        factor = torch.empty(batch.shape[0], 3).uniform_(1 - self.strength, 1 + self.strength)
        amount = torch.empty(batch.shape[0], 3).uniform_(-self.bias, self.bias)
        matrix = vectors @ torch.diag_embed(factor.to(batch)) @ torch.linalg.inv(vectors)
        density = ((batch + 1) / 256).log_().neg_()
        density = mix(density, matrix, amount.to(batch) @ vectors.T)
        return density.neg_().exp_().mul_(256).sub_(1)


def mix(batch: Tensor, matrix: Tensor, offset: Tensor) -> Tensor:
    """Each pixel's colour times its image's matrix ``(b, 3, 3)``, plus an offset ``(b, 3)``."""
    mixed = torch.baddbmm(offset[:, :, None], matrix, batch.flatten(2))
    return mixed.view_as(batch)


def _saturation(factor: Tensor) -> Tensor:
    """Matrices ``(b, 3, 3)`` that move colours away from their grey (factor above 1) or to it."""
    grey = torch.tensor(GREY, device=factor.device).expand(3, 3)
    factor = factor[:, None, None]
    return factor * torch.eye(3, device=factor.device) + (1 - factor) * grey


def _hue(angle: Tensor) -> Tensor:
    """Matrices ``(b, 3, 3)`` that turn colours about the grey axis by ``angle`` radians."""
    axis = 1 / math.sqrt(3)
    cross = torch.tensor([[0.0, -axis, axis], [axis, 0.0, -axis], [-axis, axis, 0.0]])
    cross = cross.to(angle.device)
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    eye = torch.eye(3, device=angle.device)
    return cos * eye + sin * cross + (1 - cos) / 3


@dataclass(frozen=True)
class Blur:
    """Blur some images with the binomial kernel 1-2-1 along both sides."""

    probability: float

    def __call__(self, batch: Tensor) -> Tensor:
        """Floats ``(b, 3, h, w)`` to the same shape; the outermost pixels keep their line."""
        chosen = chance(self.probability, batch).nonzero().flatten()
        if len(chosen):
            blurred = _smooth(_smooth(batch[chosen], 3), 2)
            batch = batch.index_copy(0, chosen, blurred)
        return batch


def _smooth(batch: Tensor, dim: int) -> Tensor:
    inner = batch.shape[dim] - 2
    if inner < 1:
        return batch
    out = batch.clone()
    middle = out.narrow(dim, 1, inner).mul_(0.5)
    middle.add_(batch.narrow(dim, 0, inner), alpha=0.25)
    middle.add_(batch.narrow(dim, 2, inner), alpha=0.25)
    return out


@dataclass(frozen=True)
class Erase:
    """Fill a rectangle of some images with the image's mean colour (Zhong et al., 2020)."""

    probability: float
    area: tuple[float, float] = (0.02, 0.15)
    """Smallest and largest share of the image."""

    def __call__(self, batch: Tensor) -> Tensor:
        """Floats ``(b, 3, h, w)``, changed in place."""
        height, width = batch.shape[2:]
        chosen = chance(self.probability, batch)
        side = uniform(*self.area, batch).sqrt()
        stretch = uniform(-math.log(2), math.log(2), batch).mul(0.5).exp()
        share_y, share_x = side * stretch, side / stretch
        top, left = uniform(0, 1, batch) * (1 - share_y), uniform(0, 1, batch) * (1 - share_x)
        boxes = torch.stack([top, top + share_y, left, left + share_x], dim=1)
        for index in chosen.nonzero().flatten().tolist():
            y0, y1, x0, x1 = boxes[index].tolist()
            image = batch[index]
            rows = slice(round(y0 * height), round(y1 * height))
            columns = slice(round(x0 * width), round(x1 * width))
            image[:, rows, columns] = image.mean(dim=(1, 2))[:, None, None]
        return batch
