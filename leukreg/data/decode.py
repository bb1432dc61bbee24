"""From the bytes of an image file to RGB pixels, or to the reason why not.

Plain JPEG goes through simplejpeg (twice as fast as Pillow), everything else through Pillow. Images
are squashed to a square, not cropped: in a 1024x768 smear field the cells lie anywhere, so a crop
would lose some of them, and published work on these sets squashes too; single-cell images are
square, and nothing changes.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import PIL
import simplejpeg
from PIL import Image, ImageOps, UnidentifiedImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_PIXELS = 89_478_485
"""Pillow's own limit: what decodes to more is taken for a decompression bomb."""


class Unreadable(Exception):
    """A file that is no readable image; the message is the reason, for a reader."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture as its file has it, upright."""

    image: Image.Image
    """Mode RGB, native size."""
    format: str
    """Such as "JPEG"."""


def decoder_version() -> str:
    """What decoded pixels depend on; part of the pixel cache's name."""
    return f"1-pillow{PIL.__version__}-simplejpeg{simplejpeg.__version__}"


@contextmanager
def guarded() -> Iterator[None]:
    """Surround decoding: Pillow's bomb warning becomes an error, its remarks on metadata nothing.

    Warning filters belong to the process, so enter this once, round the threads that decode.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def decode(data: bytes) -> Decoded:
    """Decode an image file of any usual kind to RGB, upright.

    Transparency is laid over white; 16-bit grey is taken to use its full range; of several frames
    the first counts; CMYK, palette, grey and EXIF-rotated images come out as a viewer shows them.

    Raises:
        Unreadable: Empty, truncated, no image, too large, or of unknown scale.
    """
    if not data:
        raise Unreadable("empty file (0 bytes)")
    pixels = _plain_jpeg(data)
    if pixels is not None:
        return Decoded(Image.fromarray(pixels), "JPEG")
    try:
        return _with_pillow(data)
    except Unreadable:
        raise
    except UnidentifiedImageError:
        raise Unreadable(f"not an image ({_looks_like(data)})") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Unreadable(_BOMB) from None
    except MemoryError:
        raise Unreadable("too large for this machine's memory") from None
    except Exception as error:  # Pillow's decoders raise whatever a damaged file leads them to
        raise Unreadable(f"damaged or truncated ({_first_line(error)})") from None


def upright(image: Image.Image) -> Image.Image:
    """An opened picture in mode RGB, turned as its metadata say; :func:`decode` says how.

    Raises:
        Unreadable: Its pixels are of unknown scale.
    """
    return _to_rgb(ImageOps.exif_transpose(image))


def squash(image: Image.Image, size: int) -> Image.Image:
    """The whole picture in ``size`` x ``size`` pixels, antialiased (Pillow, bilinear)."""
    if image.size == (size, size):
        return image
    return image.resize((size, size), Image.Resampling.BILINEAR, reducing_gap=3.0)


_BOMB = f"more than {MAX_PIXELS:,} pixels: refused as a decompression bomb"


def _plain_jpeg(data: bytes) -> NDArray[np.uint8] | None:
    """Pixels of an ordinary JPEG; None for whatever Pillow must look at."""
    if not data.startswith(b"\xff\xd8") or b"Exif\x00" in data[:65_536]:
        return None
    try:
        height, width, colour, _ = simplejpeg.decode_jpeg_header(data)
        if colour not in ("YCbCr", "Gray") or height * width > MAX_PIXELS:
            return None
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(data, "RGB")
    except ValueError as error:
        if "remature end" in str(error):
            # Pillow fills what is missing with grey when an end marker follows.
            raise Unreadable(f"truncated ({_first_line(error)})") from None
        return None
    return pixels


def _with_pillow(data: bytes) -> Decoded:
    with Image.open(io.BytesIO(data)) as image:
        if image.width * image.height > MAX_PIXELS:
            raise Unreadable(_BOMB)
        kind = image.format or "unknown"
        image.load()
        return Decoded(upright(image), kind)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise Unreadable("floating-point pixels of unknown scale; convert the image to 8 bit")
    if image.mode.startswith("I"):
        return _from_integers(np.asarray(image))
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return image.convert("RGB")


def _from_integers(values: NDArray[np.generic]) -> Image.Image:
    """Grey of 16 bits; Pillow's own conversion would clip it at 255, to white."""
    wide = values.astype(np.int64)
    if wide.size and (wide.min() < 0 or wide.max() > 65_535):
        raise Unreadable("32-bit pixels of unknown scale; convert the image to 8 bit")
    return Image.fromarray(((wide + 128) // 257).astype(np.uint8)).convert("RGB")


def _looks_like(data: bytes) -> str:
    head = data[:512]
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        text = head[: error.start].decode() if error.start > len(head) - 4 else ""
    if text and all(letter.isprintable() or letter.isspace() for letter in text):
        return f"a text that begins {(text.strip().splitlines() or [''])[0][:40]!r}"
    return "no known image format"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
