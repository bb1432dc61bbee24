"""A decoded picture, the reason why there is none, and what every decoder does at its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray


MAX_PIXELS = 89_478_485
"""Pillow's own limit: what decodes to more is taken for a decompression bomb."""
BOMB = f"more than {MAX_PIXELS:,} pixels: refused as a decompression bomb"
SAVE_ONE = "save the one that counts as a file of its own"
LAID_OVER = "transparent parts, laid over white"
CMYK = "CMYK, converted without its colour profile"
SIXTEEN = "16 bits, 65,535 taken for white"
WIDE = 65_535
"""White in a file of 16 bits that does not say otherwise."""


class Unreadable(Exception):
    """A file that is no readable image; the message is the reason, for a reader."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture as its file has it, upright."""

    image: Image.Image
    """Mode RGB, native size."""
    format: str
    """Such as "JPEG"."""
    notes: tuple[str, ...] = ()
    """What was chosen in reading it, where its file leaves a choice."""
    peak: int = 0
    """The highest value of a file of 16 bits that does not say which value is white; else 0."""


def grey(values: NDArray[Any], white: int = WIDE) -> NDArray[np.uint8]:
    """Values from 0 to ``white`` as 0 to 255; exact where they have 8 bits."""
    if white == 255:
        return values.astype(np.uint8)
    wide = values.astype(np.uint32)
    return ((wide * 255 + white // 2) // white).astype(np.uint8)


def over_white(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """A picture with transparency in mode RGB, and a note where any of it shows."""
    layer = image.convert("RGBA")
    if layer.getchannel("A").getextrema() == (255, 255):
        return layer.convert("RGB"), ()
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB"), (LAID_OVER,)


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """The picture upright, by the orientation of its metadata (Exif tag 274, 1 to 8)."""
    method = _TURNS.get(orientation)
    return image if method is None else image.transpose(method)


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
