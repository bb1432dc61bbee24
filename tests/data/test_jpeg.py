"""A JPEG is whole or refused, whatever metadata it has; and what cameras write is read."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from leukreg.data.decode import decode
from leukreg.data.raster import Unreadable
from tests.data.conftest import picture
from tests.data.encoders import (
    XMP,
    encoded,
    pixels,
    read,
    reason,
    segment,
    sideways,
    with_segments,
)

CELL = picture(4, (256, 192))
KINDS = {
    "plain": encoded(CELL, "JPEG", quality=90),
    "exif": encoded(CELL, "JPEG", quality=90, exif=sideways()),
    "progressive": encoded(CELL, "JPEG", quality=90, progressive=True, exif=sideways()),
    "grey": encoded(CELL.convert("L"), "JPEG", quality=90, exif=sideways()),
    "restarts": encoded(CELL, "JPEG", restart_marker_rows=1, exif=sideways()),
    "cmyk": encoded(CELL.convert("CMYK"), "JPEG", quality=90, exif=sideways()),
    "rgb": encoded(CELL, "JPEG", keep_rgb=True, exif=sideways()),
}
SCAN = {name: (at := data.index(b"\xff\xda")) + 2 + data[at + 3] for name, data in KINDS.items()}
PLAIN = KINDS["plain"]


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_read_as_pillow_reads_it(name: str) -> None:
    with Image.open(io.BytesIO(KINDS[name])) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB")).astype(int)
    assert np.abs(pixels(KINDS[name]) - expected).max() <= 4


@pytest.mark.parametrize("name", KINDS)
def test_a_cut_scan_is_refused_with_or_without_an_end(name: str) -> None:
    data = KINDS[name]
    for cut in np.linspace(SCAN[name] + 9, len(data) - 40, 12, dtype=int):
        assert "truncated" in reason(data[:cut])
        assert reason(data[:cut] + b"\xff\xd9")


@pytest.mark.parametrize("name", sorted(set(KINDS) - {"progressive"}))
def test_zeros_in_a_scan_are_refused(name: str) -> None:
    data = KINDS[name]
    for at in np.linspace(SCAN[name], len(data) - 340, 12, dtype=int):
        assert reason(data[:at] + bytes(300) + data[at + 300 :])


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(sorted(KINDS)), st.data())
def test_nothing_passes_that_libjpeg_remarks_on(name: str, draw: st.DataObject) -> None:
    data = bytearray(KINDS[name])
    for _ in range(draw.draw(st.integers(1, 3))):
        at = draw.draw(st.integers(SCAN[name], len(data) - 3))
        data[at] ^= 1 << draw.draw(st.integers(0, 7))
    try:
        simplejpeg.decode_jpeg(bytes(data), "CMYK" if name == "cmyk" else "RGB")
    except ValueError:
        with pytest.raises(Unreadable):
            decode(bytes(data))


def scans() -> Iterator[bytes]:
    """A progressive picture ended properly before its last scans."""
    data = KINDS["progressive"]
    at = data.index(b"\xff\xda")
    while (at := data.find(b"\xff\xda", at + 2)) > 0:
        yield data[: data.rindex(b"\xff\xc4", 0, at)] + b"\xff\xd9"


def test_a_progressive_picture_without_its_last_scans_is_refused() -> None:
    cut = list(scans())
    assert len(cut) > 5
    assert all("last scans" in reason(data) for data in cut)


@pytest.mark.parametrize(
    "data",
    [
        PLAIN + bytes(5000),
        PLAIN + PLAIN,
        PLAIN + b"\xff\xd9 and a note of the camera",
        PLAIN[:-2] + bytes(40) + PLAIN[-2:],
        PLAIN[:-2] + b"\xff" * 9 + PLAIN[-2:],
        with_segments(PLAIN, b"\0\0\0junk"),
        with_segments(PLAIN, segment(0xE1, b"Exif\0\0II*\0damaged")),
        PLAIN.replace(b"JFIF\0\1", b"JFIF\0\7"),
        PLAIN.replace(b"\x00\x3f\x00", bytes(3), 1),
    ],
    ids=["zeros", "twice", "note", "padding", "fill", "junk", "exif", "version", "sos"],
)
def test_what_cameras_add_harms_no_pixel(data: bytes) -> None:
    assert data != PLAIN
    assert np.array_equal(pixels(data), pixels(PLAIN))


def test_flat_pictures_are_not_taken_for_zeros() -> None:
    white = Image.new("RGB", (512, 512), "white")
    white.paste(CELL, (64, 64))
    for options in ({}, {"optimize": True}, {"optimize": True, "subsampling": 0}, {"quality": 20}):
        assert pixels(encoded(white, "JPEG", **options))[0, 0, 0] >= 250


@pytest.mark.parametrize(
    "name", ["exif", "exif behind a profile", "xmp", "xmp behind a profile", "several"]
)
def test_orientation_is_found_wherever_it_stands(name: str) -> None:
    image = Image.new("RGB", (40, 20), "white")
    image.paste((200, 0, 0), (0, 0, 20, 20))
    profile = [segment(0xE2, bytes(65_000))] * 3 if "profile" in name or name == "several" else []
    exif = segment(0xE1, b"Exif\0\0" + sideways().tobytes().removeprefix(b"Exif\0\0"))
    xmp = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP)
    data = with_segments(
        encoded(image, "JPEG", quality=95), *profile, xmp if "xmp" in name else exif
    )
    found = pixels(data)
    assert found.shape == (40, 20, 3)
    assert found[5, 10, 1] < 60
    assert found[35, 10, 1] > 200


def test_the_choice_of_a_picture_or_of_colours_is_noted() -> None:
    assert read(PLAIN).notes == ()
    both = encoded(CELL, "MPO", save_all=True, append_images=[CELL.rotate(180)])
    assert read(both).notes == ("the first of 2 pictures in a camera's file (MPO)",)
    assert np.array_equal(pixels(both), pixels(encoded(CELL, "JPEG")))
    assert "CMYK" in read(KINDS["cmyk"]).notes[0]
    broken = with_segments(PLAIN, segment(0xE1, b"Exif\0\0II*\0damaged"))
    assert read(broken).notes in ((), ("a damaged Exif block: not turned",))
