"""Pictures as files of many kinds, and how they are read."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from leukreg.data.decode import decode, guarded
from leukreg.data.raster import Decoded, Unreadable

SIDEWAYS = 6
"""Orientation of a picture that must be turned by 90 degrees clockwise."""
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="r"><rdf:Description '
    b'xmlns:tiff="t" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def tiff(values: NDArray[Any], **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **options)
    return buffer.getvalue()


def read(data: bytes) -> Decoded:
    with guarded():
        found = decode(data)
    assert found.image.mode == "RGB"
    return found


def pixels(data: bytes) -> NDArray[np.int_]:
    return np.asarray(read(data).image).astype(int)


def reason(data: bytes) -> str:
    with guarded(), pytest.raises(Unreadable) as caught:
        decode(data)
    return str(caught.value)


def sideways() -> Image.Exif:
    exif = Image.Exif()
    exif[274] = SIDEWAYS
    return exif


def segment(marker: int, content: bytes) -> bytes:
    """A segment of a JPEG."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    """A JPEG with more segments before its tables."""
    tables = jpeg.index(b"\xff\xdb")
    return jpeg[:tables] + b"".join(segments) + jpeg[tables:]
