"""What the cache keeps of one picture: its pixels at one size, and facts of its native form."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from leukreg.data.decode import decode, squash

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

THUMB = 64
"""Side of the grey thumbnail in which near copies are searched."""
BORDER = 16
"""The border is the outermost 1/16 of the shorter side."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the content of an image file."""

    content: str
    """Digest of the file's bytes."""
    pixels: str
    """Digest of the decoded pixels at native size: equal for a PNG and a BMP of one picture."""
    format: str
    width: int
    height: int
    bytes: int
    colour: tuple[float, ...]
    """Mean of R, G, B, deviation of R, G, B, border mean of R, G, B; 0 to 255."""
    notes: tuple[str, ...] = ()
    """What was chosen in reading it (see :class:`leukreg.data.decoded.Decoded`)."""
    peak: int = 0
    """The highest value of a file of 16 bits that does not say which value is white; else 0."""

    @property
    def statistics(self) -> tuple[float, ...]:
        """As :attr:`leukreg.types.Evidence.statistics` has them."""
        return (*self.colour, float(self.width), float(self.height), float(self.bytes))


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture, ready to be kept."""

    facts: Facts
    pixels: bytes
    """``size * size * 3`` bytes, RGB."""
    thumb: bytes
    """``THUMB * THUMB`` bytes, grey."""


def digest(data: bytes) -> str:
    """Digest of bytes (BLAKE2b, 128 bits, hexadecimal)."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def picture(data: bytes, size: int) -> Picture:
    """Decode the bytes of a file and prepare what is kept of it.

    Raises:
        Unreadable: It is no readable image.
    """
    decoded = decode(data)
    image = decoded.image
    facts = Facts(
        content=digest(data),
        pixels=pixel_digest(image),
        format=decoded.format,
        width=image.width,
        height=image.height,
        bytes=len(data),
        colour=(*_moments(image), *_border_mean(np.asarray(image))),
        notes=decoded.notes,
        peak=decoded.peak,
    )
    return Picture(facts, squash(image, size).tobytes(), thumbnail(image))


def pixel_digest(image: Image.Image) -> str:
    """Digest of decoded pixels: equal for a PNG and a BMP of one picture."""
    return digest(f"{image.width}x{image.height} ".encode() + image.tobytes())


def thumbnail(image: Image.Image) -> bytes:
    """``THUMB * THUMB`` bytes, grey."""
    return squash(image, THUMB).convert("L").tobytes()


def _moments(image: Image.Image) -> tuple[float, ...]:
    """Mean of R, G, B, then deviation; from the histogram, which is exact and fast."""
    counts = np.asarray(image.histogram(), np.float64).reshape(3, 256)
    levels = np.arange(256)
    share = counts / (image.width * image.height)
    mean = share @ levels
    deviation = np.sqrt(np.maximum(share @ levels**2 - mean**2, 0))
    return tuple(round(float(value), 4) for value in (*mean, *deviation))


def _border_mean(native: NDArray[np.uint8]) -> tuple[float, ...]:
    width = max(1, min(native.shape[:2]) // BORDER)
    inner = native[width:-width, :]
    strips = (native[:width], native[-width:], inner[:, :width], inner[:, -width:])
    flat = np.concatenate([strip.reshape(-1, 3) for strip in strips])
    return tuple(round(float(value), 4) for value in flat.mean(axis=0))
