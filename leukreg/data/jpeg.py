"""JPEG, strictly: what libjpeg only warns of is damage here, camera files included.

libjpeg fills what is missing with grey and goes on after a wrong bit; its remarks are the only
sign, and simplejpeg makes errors of them. A remark is let pass where no pixel depends on what it is
about: the file is then decoded once more without its metadata and padding, and must be silent.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import simplejpeg
from PIL import Image

from leukreg.data.raster import BOMB, CMYK, MAX_PIXELS, ORIENTATION, Decoded, Unreadable, turned

if TYPE_CHECKING:
    from numpy.typing import NDArray

START = b"\xff\xd8"
PADDING = 64
"""Zeros before the end marker that are taken for a camera's padding at most."""
ZEROED = bytes(16)
"""No block of a picture is coded so, unless all zeros mean that nothing follows."""
_DHT, _SOS, _EOI, _APP1, _APP2 = 0xC4, 0xDA, 0xD9, 0xE1, 0xE2
_METADATA = frozenset(range(0xE0, 0xF0)) - {0xEE} | {0xFE}
"""Segments of applications and comments, but for Adobe's, which tells what the colours are."""
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL, _PROGRESSIVE = frozenset({0xC0, 0xC1}), frozenset({0xC2, 0xCA})
_IN_SCANS = _SEQUENTIAL | _PROGRESSIVE
_LOOKED_INTO = (b"Exif\0", b"http://ns.adobe", b"MPF\0")
_AFTER_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""The next marker; 00 after FF is data, D0 to D7 restart the scan, FF fills."""


def read_jpeg(data: bytes) -> Decoded:
    """Decode a JPEG to RGB, upright.

    Raises:
        Unreadable: A bit of it is damaged or missing, as far as libjpeg can tell.
    """
    head = _Head(data)
    if head.scan < 0:
        raise Unreadable("damaged or truncated (there is no picture behind its head)")
    pixels = strict_pixels(data)
    if head.missing():
        raise Unreadable("truncated (the last scans of the picture are missing)")
    if head.zeroed():
        raise Unreadable("damaged (zeros stand where a part of the picture was)")
    notes: tuple[str, ...] = ()
    if pixels.shape[2] == 4:
        # Adobe's files, which are all that matter, hold ink as its absence; Pillow assumes so too.
        image = Image.fromarray(255 - pixels, "CMYK").convert("RGB")
        notes = (CMYK,)
    else:
        image = Image.fromarray(pixels)
    if not head.looks_further:
        return Decoded(image, "JPEG", notes)
    kind, orientation, more = _metadata(data)
    return Decoded(turned(image, orientation), kind, (*notes, *more))


def strict_pixels(data: bytes) -> NDArray[np.uint8]:
    """Pixels of a JPEG of which libjpeg has nothing to say: ``(h, w, 3)`` RGB, or 4 for CMYK.

    Raises:
        Unreadable: It has, or there are too many.
    """
    try:
        return _pixels(data)
    except ValueError as error:
        try:
            return _pixels(_bare(data))
        except (ValueError, IndexError):
            text, kind = str(error), "damaged, or a JPEG of a kind that is not read"
            kind = "damaged" if "orrupt" in text else kind
            kind = "truncated" if "remature end" in text else kind
            raise Unreadable(f"{kind} ({text.removeprefix('Corrupt JPEG data: ')})") from None


def _pixels(data: bytes) -> NDArray[np.uint8]:
    height, width, colour, _ = simplejpeg.decode_jpeg_header(data)
    if height * width > MAX_PIXELS:
        raise Unreadable(BOMB)
    kind = "CMYK" if colour in ("CMYK", "YCCK") else "RGB"
    pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(data, kind)
    return pixels


class _Head:
    """What stands before the first scan."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.scan = -1
        """Where the first scan's marker lies; -1 where there is none."""
        self.frame = 0
        """Kind of the picture: the marker of its frame."""
        self.components = b""
        """Their numbers."""
        self.looks_further = False
        """Whether it holds metadata that may turn the picture, or tell of others in the file."""
        for marker, begin, end in _segments(data, 2):
            if marker == _SOS:
                self.scan = begin
            elif marker in (_APP1, _APP2):
                if data.startswith(_LOOKED_INTO, begin + 4):
                    self.looks_further = True
            elif marker in _FRAMES:
                self.frame = marker
                self.components = data[begin + 10 : end : 3]

    def missing(self) -> bool:
        """Whether a picture that is spread over scans lacks some; libjpeg does not tell."""
        data, at = self.data, self.scan
        whole = data[at + 4] == len(self.components)
        if (self.frame in _SEQUENTIAL and whole) or self.frame not in _IN_SCANS:
            return False
        # The precision to which each of the 64 frequencies of each component is known.
        known = {component: [99] * 64 for component in self.components}
        for scan in _scans(data, at):
            count = data[scan + 4]
            begin = scan + 5 + 2 * count
            first, last, bits = data[begin : begin + 3]
            if self.frame not in _PROGRESSIVE:
                first, last, bits = 0, 63, 0
            for component in known.keys() & {*data[scan + 5 : begin : 2]}:
                known[component][first : last + 1] = [bits & 15] * (last + 1 - first)
        return any(any(bits) for bits in known.values())

    def zeroed(self) -> bool:
        """Whether a part of the scan was overwritten with zeros, which libjpeg takes for cells.

        Where the code of zeros alone does not end a block (0x00), a row of them gives all its
        frequencies the same value, which no picture has.
        """
        data = self.data
        if self.frame not in _SEQUENTIAL or data.find(ZEROED, self.scan) < 0:
            return False
        found = _AFTER_SCAN.search(data, self.scan + 2)
        if ZEROED not in data[self.scan : found.start() if found else None].rstrip(b"\0"):
            return False
        ends = [_zeros_mean(data[b + 4 : e]) for m, b, e in _segments(data, 2) if m == _DHT]
        return any(symbol for table in ends for symbol in table)


def _zeros_mean(tables: bytes) -> Iterator[int]:
    """What the code of zeros alone means, by each Huffman table of frequencies but the first."""
    while len(tables) > 17:
        end = 17 + sum(tables[1:17])
        if tables[0] >> 4:
            yield tables[17]
        tables = tables[end:]


def _segments(data: bytes, at: int) -> Iterator[tuple[int, int, int]]:
    """Marker, begin and end of the segments from ``at`` to a scan or the end of the picture."""
    while at + 4 <= len(data):
        marker = data[at + 1]
        if data[at] != 0xFF or marker in (0, 0xFF):  # what lies between segments is skipped
            at += 1
            continue
        end = at + 2 + (data[at + 2] << 8 | data[at + 3])
        yield marker, at, end
        if marker in (_SOS, _EOI):
            return
        at = end


def _scans(data: bytes, at: int) -> Iterator[int]:
    """Where the markers of the scans lie, from the first one at ``at``."""
    while True:
        yield at
        found = _AFTER_SCAN.search(data, at + 2)
        if found is None:
            return
        *_, (marker, at, _) = (0, at, 0), *_segments(data, found.start())
        if marker != _SOS:
            return


def _bare(data: bytes) -> bytes:
    """The file without what pixels do not depend on."""
    head = _Head(data)
    if head.scan < 0:
        return data
    kept = bytearray(START)
    end = 2
    for marker, begin, end in _segments(data, 2):
        if marker not in _METADATA:
            kept += data[begin:end]
    if head.frame in _SEQUENTIAL:
        # Some encoders leave zeros in these bytes, which mean nothing there.
        kept[-3:] = b"\x00\x3f\x00"
    rest = data[end:]
    close = rest.find(b"\xff\xd9")
    picture = rest[: max(close, 0)]
    padding = len(picture) - len(picture.rstrip(b"\0"))
    return bytes(kept) + picture[: len(picture) - min(padding, PADDING)] + rest[max(close, 0) :]


def _metadata(data: bytes) -> tuple[str, int, tuple[str, ...]]:
    """Format, orientation and notes, as Pillow finds them."""
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            kind, frames = image.format or "JPEG", getattr(image, "n_frames", 1)
            orientation: Any = image.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged metadata of a sound picture: whatever Pillow is led to
        return "JPEG", 1, ("a damaged Exif block: not turned",)
    notes = (f"the first of {frames} pictures in a camera's file (MPO)",) if frames > 1 else ()
    return kind, orientation, notes
