"""Augmentation that gradients pass through (Zhao et al., 2020): for real and made images alike.

The discriminator never sees an image as it is, so that it cannot learn few images by heart; the
generator is taught through the augmentation, so that it need not imitate it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How far each part goes at most; 0 switches it off."""

    colour: float = 0.0
    """Change of brightness (as a share of the range), saturation and contrast (relative)."""
    translation: float = 0.0
    """Shift as a share of the side; what is shifted in is grey."""
    cutout: float = 0.0
    """Side of the square that is painted grey, as a share of the side."""


def augmented(images: Tensor, policy: Policy) -> Tensor:
    """Images ``(b, 3, h, w)`` between -1 and 1, changed; draws from torch's global generator."""
    if policy.colour:
        images = _coloured(images, policy.colour)
    if policy.translation:
        images = _shifted(images, policy.translation)
    if policy.cutout:
        images = _cut(images, policy.cutout)
    return images


def noisy(images: Tensor, most: float) -> Tensor:
    """Images ``(b, 3, h, w)`` with normal noise, its deviation drawn per image from 0 to ``most``.

    Draws from torch's global generator; 0 changes and draws nothing.
    """
    if not most:
        return images
    return images + torch.randn_like(images) * _draw(images, 1)[0] * most


def _coloured(images: Tensor, strength: float) -> Tensor:
    """Each image's brightness, saturation and contrast, one after the other."""
    light, colour, contrast = _draw(images, 3).sub(0.5).mul(2 * strength)
    images = images + light
    grey = images.mean(dim=1, keepdim=True)
    images = torch.lerp(grey.expand_as(images), images, 1 + colour)
    middle = images.mean(dim=(1, 2, 3), keepdim=True)
    return torch.lerp(middle.expand_as(images), images, 1 + contrast)


def _shifted(images: Tensor, share: float) -> Tensor:
    """Whole pixels along both axes."""
    for axis in (2, 3):
        side = images.shape[axis]
        most = round(side * share)
        by = (_draw(images, 1)[0] * (2 * most + 1)).floor().long() - most
        shape = [1, 1, 1, 1]
        shape[axis] = side
        source = torch.arange(side, device=images.device).view(shape) + by
        inside = (source >= 0) & (source < side)
        index = source.clamp(0, side - 1).expand(images.shape)
        images = images.gather(axis, index) * inside
    return images


def _cut(images: Tensor, share: float) -> Tensor:
    """A square of each image, its centre anywhere."""
    outside = []
    for axis in (2, 3):
        side = images.shape[axis]
        shape = [1, 1, 1, 1]
        shape[axis] = side
        centre = (_draw(images, 1)[0] * side).floor()
        place = torch.arange(side, device=images.device).view(shape)
        outside.append((place - centre + 0.5).abs() > side * share / 2)
    return images * (outside[0] | outside[1])


def _draw(images: Tensor, n: int) -> Tensor:
    """``n`` figures between 0 and 1 for each image, ``(n, b, 1, 1, 1)``."""
    return torch.rand(n, len(images), 1, 1, 1, device=images.device)
