"""Changes of images in steps: what a model may meet elsewhere, and what tells what it looks at.

Each takes uint8 images ``(n, s, s, 3)`` as they are read, before any preprocessing, and gives the
same; nothing depends on which images come together.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from torch.nn import functional

from leukreg.seeds import derive

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Known:
    """What a change may know of the images besides their pixels."""

    ids: tuple[str, ...]
    seed: int
    fill: Floats
    """What masked pixels become: the mean colour of the model's training images, ``(n, 3)``."""
    own: Floats
    """Mean and deviation of R, G, B in each image's own group, ``(n, 6)``, 0 to 255."""
    other: Floats
    """The same of the group to whose colours an image is moved."""
    seen: float = 1.0
    """Share of the side, in the middle, that a crop leaves of what is read: masks are of that."""


@dataclass(frozen=True, slots=True)
class Change:
    """One kind of change, mildest step first."""

    name: str
    levels: tuple[float, ...]
    says: str
    """What a level is: ``{}`` for its value, ``{%}`` for a share in per cent."""
    apply: Callable[[Pixels, float, Known], Pixels]
    towards: str = ""
    """Of colours moved: to those of another ``class`` or ``fold``."""

    def said(self, level: float) -> str:
        return self.says.replace("{%}", f"{100 * level:g} %").replace("{}", f"{level:g}")


def _bytes(values: NDArray[np.floating]) -> Pixels:
    return values.round().clip(0, 255).astype(np.uint8)


def _light(pixels: Pixels, factor: float, known: Known) -> Pixels:
    return _bytes(pixels * factor)


def _each(change: Callable[[Image.Image], Image.Image], pixels: Pixels) -> Pixels:
    return np.stack([np.asarray(change(Image.fromarray(one))) for one in pixels])


def _blurred(pixels: Pixels, share: float, known: Known) -> Pixels:
    blur = ImageFilter.GaussianBlur(share * pixels.shape[1])
    return _each(lambda image: image.filter(blur), pixels)


def _jpeg(pixels: Pixels, quality: float, known: Known) -> Pixels:
    def again(image: Image.Image) -> Image.Image:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=int(quality))
        return Image.open(buffer).convert("RGB")

    return _each(again, pixels)


def _noisy(pixels: Pixels, deviation: float, known: Known) -> Pixels:
    draws = (np.random.default_rng(derive(known.seed, "noise", one)) for one in known.ids)
    noise = np.stack([rng.standard_normal(pixels.shape[1:], np.float32) for rng in draws])
    return _bytes(pixels + deviation * noise)


def _placed(pixels: Pixels, matrix: Sequence[Sequence[float]]) -> Pixels:
    """Resampled by a matrix from output to input; what lies outside is mirrored in."""
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
    theta = torch.tensor(matrix).expand(len(pixels), 2, 3)
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    return _bytes(moved.permute(0, 2, 3, 1).numpy())


def _turned(pixels: Pixels, degrees: float, known: Known) -> Pixels:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return _placed(pixels, [[cos, -sin, 0.0], [sin, cos, 0.0]])


def _shifted(pixels: Pixels, share: float, known: Known) -> Pixels:
    return _placed(pixels, [[1.0, 0.0, 2 * share], [0.0, 1.0, 2 * share]])


def _middle(side: int, share: float) -> slice:
    edge = round(side * (1 - share) / 2)
    return slice(edge, side - edge)


def _without_centre(pixels: Pixels, share: float, known: Known) -> Pixels:
    out, middle = pixels.copy(), _middle(pixels.shape[1], share * known.seen)
    out[:, middle, middle] = _bytes(known.fill)[:, None, None]
    return out


def _without_border(pixels: Pixels, share: float, known: Known) -> Pixels:
    middle = _middle(pixels.shape[1], (1 - 2 * share) * known.seen)
    out = np.broadcast_to(_bytes(known.fill)[:, None, None], pixels.shape).copy()
    out[:, middle, middle] = pixels[:, middle, middle]
    return out


def _greyer(pixels: Pixels, share: float, known: Known) -> Pixels:
    grey = (pixels @ np.array([0.299, 0.587, 0.114]))[..., None]
    return _bytes(pixels + share * (grey - pixels))


def _recoloured(pixels: Pixels, share: float, known: Known) -> Pixels:
    """Mean and deviation of R, G, B moved as those of the own group to those of the other."""
    mean, deviation = known.own[:, None, None, :3], known.own[:, None, None, 3:]
    to_mean, to_deviation = known.other[:, None, None, :3], known.other[:, None, None, 3:]
    # An unknown group has deviation 0 on both sides: the picture stays as it is.
    scale = 1 + share * (np.maximum(to_deviation, 1) / np.maximum(deviation, 1) - 1)
    return _bytes((pixels - mean) * scale + mean + share * (to_mean - mean))


CHANGES: tuple[Change, ...] = (
    Change("stain of another class", (0.25, 0.5, 0.75, 1.0), "moved {%}", _recoloured, "class"),
    Change("stain of another fold", (0.5, 1.0, 2.0), "moved {%}", _recoloured, "fold"),
    Change("darker", (0.9, 0.8, 0.65, 0.5), "light times {}", _light),
    Change("brighter", (1.1, 1.2, 1.35, 1.5), "light times {}", _light),
    Change("blurred", (0.005, 0.01, 0.02, 0.04), "over {%} of the side", _blurred),
    Change("JPEG", (75, 50, 25, 10), "quality {}", _jpeg),
    Change("noise", (5, 10, 20, 40), "deviation {} of 255", _noisy),
    Change("turned", (15, 45, 90, 180), "{} degrees", _turned),
    Change("shifted", (0.05, 0.1, 0.2, 0.3), "{%} of the side", _shifted),
    Change("border masked", (0.05, 0.1, 0.2, 0.3), "{%} of the side, all round", _without_border),
    Change("centre masked", (0.2, 0.4, 0.6, 0.8), "{%} of the side", _without_centre),
    Change("grey", (0.25, 0.5, 0.75, 1.0), "{%} grey", _greyer),
)
"""In the order in which they are measured."""
