"""Random changes of light, colour and stain."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from leukreg_plugins.nn.augment import uniform

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
