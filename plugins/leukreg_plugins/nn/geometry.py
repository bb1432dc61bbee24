"""Random changes of position and shape."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from leukreg_plugins.nn.augment import uniform


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
