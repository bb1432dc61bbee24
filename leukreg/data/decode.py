"""From the bytes of an image file to RGB pixels, or to the reason why not.

JPEG goes through simplejpeg (twice as fast as Pillow, and strict), TIFF through tifffile, and
everything else through Pillow. Images are squashed to a square, not cropped: in a 1024x768 smear
field the cells lie anywhere, so a crop would lose some of them, and published work on these sets
squashes too; single-cell images are square, and nothing changes.
"""

from __future__ import annotations

import hashlib
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from leukreg.data.jpeg import START as JPEG
from leukreg.data.jpeg import read_jpeg
from leukreg.data.raster import BOMB, ORIENTATION, SIXTEEN, Decoded, Unreadable, read_other
from leukreg.paths import read_regular
from leukreg.record import Reading
from leukreg.types import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray


_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def decoder_version() -> str:
    """What decoded pixels depend on; part of the pixel cache's name."""
    names = ("pillow", "simplejpeg", "tifffile", "imagecodecs")
    return "-".join(["2", *(f"{name}{version(name)}" for name in names)])


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

    Transparency is laid over white; 16 bits are taken to use their full range where the file does
    not say otherwise; grey, CMYK and palettes come out as a viewer shows them. Such choices stand
    in ``notes``. Of several pages or frames none is picked, unless the file says which one counts.

    Raises:
        Unreadable: Empty, damaged, no image, several, too large, or of unknown scale.
    """
    if not data:
        raise Unreadable("empty file (0 bytes)")
    try:
        if data.startswith(JPEG):
            return read_jpeg(data)
        if data.startswith(_TIFF):
            from leukreg.data.tiff import read_tiff

            return read_tiff(data)
        return read_other(data)
    except Unreadable:
        raise
    except UnidentifiedImageError:
        raise Unreadable(f"not an image ({_looks_like(data)})") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Unreadable(BOMB) from None
    except MemoryError:
        raise Unreadable("too large for this machine's memory") from None
    except NotImplementedError as error:
        raise Unreadable(f"of a kind that is not read ({_first_line(error)})") from None
    except Exception as error:  # decoders raise whatever a damaged file leads them to
        raise Unreadable(f"damaged or truncated ({_first_line(error)})") from None


def squash(image: Image.Image, size: int) -> Image.Image:
    """The whole picture in ``size`` x ``size`` pixels, antialiased (Pillow, bilinear)."""
    if image.size == (size, size):
        return image
    return image.resize((size, size), Image.Resampling.BILINEAR, reducing_gap=3.0)


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


THUMB = 64
"""Side of the grey thumbnail in which near duplicates are searched."""
BORDER = 16
"""The border is the outermost 1/16 of the shorter side."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the content of an image file."""

    content: str
    """Digest of the file's bytes, and of the box in it that is shown."""
    pixels: str
    """Digest of the decoded pixels at native size: equal for a PNG and a BMP of one picture."""
    format: str
    width: int
    height: int
    bytes: int
    """Of the file; of a box in one, its pixels take so many."""
    colour: tuple[float, ...]
    """Mean of R, G, B, deviation of R, G, B, border mean of R, G, B; 0 to 255."""
    notes: tuple[str, ...] = ()
    """What was chosen in reading it (see :class:`leukreg.data.raster.Decoded`)."""
    peak: int = 0
    """The highest value of a file of 16 bits that does not say which value is white; else 0."""

    @property
    def statistics(self) -> tuple[float, ...]:
        """As :attr:`leukreg.types.RunRecord.statistics` has them."""
        return (*self.colour, float(self.width), float(self.height), float(self.bytes))


@dataclass(frozen=True, slots=True)
class CachedImage:
    """A decoded picture, ready to be kept."""

    facts: Facts
    pixels: bytes
    """``size * size * 3`` bytes, RGB."""
    thumb: bytes
    """``THUMB * THUMB`` bytes, grey."""


def digest(data: bytes) -> str:
    """Digest of bytes (BLAKE2b, 128 bits, hexadecimal)."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def content_of(file: str, box: Box | None) -> str:
    """Digest of what a box of a file shows, from the digest of the file's bytes."""
    return file if box is None else digest(f"{file} cropped {box}".encode())


def crop(image: Image.Image, box: Box) -> Image.Image:
    """What a box of a picture shows; over the border the outermost pixels are repeated.

    Raises:
        Unreadable: The box lies outside the picture.
    """
    left, top, right, bottom = box
    width, height = image.size
    if not (left < right and top < bottom and left < width and top < height and min(box[2:]) > 0):
        raise Unreadable(f"the box {box} lies outside the picture, which is {width}x{height}")
    inside = image.crop((max(left, 0), max(top, 0), min(right, width), min(bottom, height)))
    if inside.size == (right - left, bottom - top):
        return inside
    beyond = (max(-top, 0), max(bottom - height, 0)), (max(-left, 0), max(right - width, 0)), (0, 0)
    return Image.fromarray(np.pad(np.asarray(inside), beyond, mode="edge"))


class PictureSize(NamedTuple):
    """What a picture measures in pixels when it stands upright."""

    width: int
    height: int
    turned: bool = False
    """Whether the file's header says that it is stored turned or mirrored."""


def picture_size(path: Path) -> PictureSize | None:
    """The size of a file's picture, from its header where that can be read.

    None where the file cannot be read, or holds no picture.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                stored = image.getexif().get(ORIENTATION, 1)
                size = image.size[::-1] if stored >= 5 else image.size
                return PictureSize(*size, turned=stored > 1)
    except (OSError, ValueError, SyntaxError, TypeError, Image.DecompressionBombError):
        pass
    try:
        with guarded():
            return PictureSize(*read_picture(path).image.size)
    except (OSError, Unreadable):
        return None


def read_picture(path: Path, box: Box | None = None) -> Decoded:
    """What a file shows, or a box of it.

    Raises:
        Unreadable: It is no readable image, or the box lies outside.
        OSError: The file cannot be opened.
    """
    decoded = decode(read_regular(path))
    return decoded if box is None else replace(decoded, image=crop(decoded.image, box))


def cached_images(
    data: bytes, boxes: Sequence[Box | None], size: int
) -> Iterator[CachedImage | Unreadable]:
    """Decode the bytes of a file once, and prepare what is kept of each of its boxes (None: of all
    of it), or why there is nothing.

    Raises:
        Unreadable: It is no readable image.
    """
    decoded, content = decode(data), digest(data)
    for box in boxes:
        try:
            image = decoded.image if box is None else crop(decoded.image, box)
        except Unreadable as error:
            yield error
            continue
        raw = image.tobytes()
        native = np.frombuffer(raw, np.uint8).reshape(image.height, image.width, 3)
        facts = Facts(
            content=content_of(content, box),
            pixels=_digest_of(raw, image.size),
            format=decoded.format,
            width=image.width,
            height=image.height,
            # A field's bytes say nothing of one of its cells.
            bytes=len(data) if box is None else 3 * image.width * image.height,
            colour=(*_moments(image, native), *_border_mean(native)),
            notes=decoded.notes,
            peak=decoded.peak,
        )
        yield CachedImage(facts, squash(image, size).tobytes(), thumbnail(image))


def pixel_digest(image: Image.Image) -> str:
    """Digest of decoded pixels: equal for a PNG and a BMP of one picture."""
    return _digest_of(image.tobytes(), image.size)


def _digest_of(raw: bytes, size: tuple[int, int]) -> str:
    return digest(f"{size[0]}x{size[1]} ".encode() + raw)


def thumbnail(image: Image.Image) -> bytes:
    """``THUMB * THUMB`` bytes, grey."""
    return squash(image, THUMB).convert("L").tobytes()


_FEW = 3 * 64 * 64
_POWERS = np.stack([np.arange(256.0), np.arange(256.0) ** 2], axis=1)


def _moments(image: Image.Image, native: NDArray[np.uint8]) -> tuple[float, ...]:
    """Mean of R, G, B, then deviation; exact either way, which is the faster depends on size."""
    if native.size <= _FEW:
        flat = native.reshape(-1, 3).astype(np.int64)
        sums = np.stack([flat.sum(0), (flat * flat).sum(0)]).astype(np.float64)
    else:
        sums = (np.array(image.histogram(), np.float64).reshape(3, 256) @ _POWERS).T
    mean, square = sums / (image.width * image.height)
    deviation = np.sqrt(np.maximum(square - mean**2, 0))
    return tuple(round(float(value), 4) for value in (*mean, *deviation))


def _border_mean(native: NDArray[np.uint8]) -> tuple[float, ...]:
    width = max(1, min(native.shape[:2]) // BORDER)
    inner = native[width:-width, :]
    strips = (native[:width], native[-width:], inner[:, :width], inner[:, -width:])
    flat = np.concatenate([strip.reshape(-1, 3) for strip in strips])
    return tuple(round(float(value), 4) for value in flat.mean(axis=0))


def readings(facts: Iterable[Facts]) -> tuple[Reading, ...]:
    """The choices made for these files, the most frequent first; each content counts once."""
    files = {fact.content: fact for fact in facts}.values()
    return counted((fact.notes, fact.peak) for fact in files)


def counted(read: Iterable[tuple[Sequence[str], int]]) -> tuple[Reading, ...]:
    """The same of the notes and the peak (see :class:`Facts`) of each file."""
    each = list(read)
    counts = Counter(note for notes, _ in each for note in notes)
    peaks = [peak for _, peak in each if peak]
    found = [Reading(count, what) for what, count in counts.most_common()]
    return tuple(_dark(one, peaks) if one.what == SIXTEEN else one for one in found)


def _dark(one: Reading, peaks: list[int]) -> Reading:
    """A camera's 12 bits in files of 16 are nearly black; one dark image is no proof of it."""
    bits = max(peaks, default=0).bit_length()
    if len(peaks) < 2 or not 8 <= bits < 16:
        return one
    white = 2**bits - 1
    return Reading(
        one.files,
        f"{one.what}, but no value is above {white:,}: they probably hold {bits} bits and are read "
        f"too dark; convert them so that {white:,} is white (to 8 bits: value * 255 / {white:,})",
        doubtful=True,
    )
