"""A decoded picture, or the reason why there is none; and what Pillow decodes, PNG above all."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps

if TYPE_CHECKING:
    from numpy.typing import NDArray


FORMATS = (
    "AVIF", "BMP", "DIB", "GIF", "JPEG2000", "PCX", "PNG", "PPM", "QOI", "SGI", "TGA", "WEBP",
)  # fmt: skip
"""What Pillow is asked for: it would run other programs for some of its further ones."""
ORIENTATION = 274
"""The tag that says how a picture is turned, in Exif and in TIFF."""
_PNG = b"\x89PNG\r\n\x1a\n"
_PLAIN = {b"IHDR", b"IDAT", b"IEND", b"sRGB", b"gAMA", b"cHRM", b"pHYs", b"tIME", b"bKGD"}
"""Parts of a PNG that say neither how it is turned nor what of it is transparent."""
_DEPTH = 24
"""Where a PNG says how many bits its values have."""
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
    if orientation == 1:
        return image
    image.getexif()[ORIENTATION] = orientation
    return ImageOps.exif_transpose(image)


def read_other(data: bytes) -> Decoded:
    """Decode what Pillow reads, a PNG above all, to RGB, upright.

    Raises:
        Unreadable: Damaged, an animation, too large, or of unknown scale.
    """
    png = data.startswith(_PNG)
    if png and _check_png(data) <= _PLAIN and (plain := _plain_png(data)) is not None:
        return Decoded(plain, "PNG")
    with Image.open(io.BytesIO(data), formats=("PNG",) if png else FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            raise Unreadable(BOMB)
        frames = getattr(image, "n_frames", 1)
        if frames > 1:
            raise Unreadable(f"an animation of {frames:,} pictures; {SAVE_ONE}")
        kind = image.format or "unknown"
        image.load()
        decoded = upright(image)
        if kind != "PNG" or data[_DEPTH] != 16:
            return replace(decoded, format=kind)
        colours = image.convert("RGB") if image.mode in ("LA", "RGBA") else image
        peak = int(np.max(colours.getextrema()))
        if not image.mode.startswith("I"):
            peak = 256 * peak + 255  # Pillow drops the lower half of 16 bits of colour
        return replace(decoded, format=kind, notes=(SIXTEEN, *decoded.notes), peak=peak)


def upright(image: Image.Image) -> Decoded:
    """An opened picture in mode RGB, turned as its metadata say (see ``leukreg.data.decode``).

    Raises:
        Unreadable: Its pixels are of unknown scale.
    """
    image = ImageOps.exif_transpose(image)
    if image.mode == "F":
        raise Unreadable("floating-point pixels of unknown scale; convert the image to 8 bit")
    if image.mode in ("LAB", "HSV"):
        raise Unreadable(f"colours of the kind {image.mode}; convert the image to RGB")
    if image.mode.startswith("I"):
        # Grey of 16 bits; Pillow's own conversion would clip it at 255, to white.
        wide = np.asarray(image).astype(np.int64)
        if wide.size and (wide.min() < 0 or wide.max() > WIDE):
            raise Unreadable("32-bit pixels of unknown scale; convert the image to 8 bit")
        return Decoded(Image.fromarray(grey(wide)).convert("RGB"), "")
    if image.has_transparency_data:
        laid, notes = over_white(image)
        return Decoded(laid, "", notes)
    return Decoded(image.convert("RGB"), "", (CMYK,) if image.mode == "CMYK" else ())


def _plain_png(data: bytes) -> Image.Image | None:
    """A PNG of 8-bit RGB by libpng, in half of Pillow's time; None for others and damaged ones."""
    width, height = struct.unpack_from(">II", data, _DEPTH - 8)
    if data[_DEPTH : _DEPTH + 2] != b"\x08\x02" or width * height > MAX_PIXELS:
        return None
    import imagecodecs

    try:
        return Image.fromarray(imagecodecs.png_decode(data))
    except imagecodecs.PngError:
        return None  # Pillow says why


def _check_png(data: bytes) -> set[bytes]:
    """The parts of a PNG by name; one that pixels depend on may not be damaged (Pillow skips its
    checksums)."""
    at, kind, found = len(_PNG), b"", set()
    while kind != b"IEND":
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + 8 + length
        if end + 4 > len(data):
            raise Unreadable("truncated (its last part is missing)")
        needed = kind[:1].isupper() or kind in (b"tRNS", b"fdAT", b"fcTL", b"acTL")
        if needed and zlib.crc32(data[at + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            raise Unreadable(f"damaged (the checksum of its part {kind.decode('latin-1')} differs)")
        found.add(kind)
        at = end + 4
    return found
