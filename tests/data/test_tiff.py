"""A TIFF is read as it says, or refused: no page is picked and no scale guessed in silence."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from tests.data.conftest import picture
from tests.data.encoders import XMP, encoded, pixels, read, reason, tiff

CELL = np.asarray(picture(1, (60, 40)))
PLANES = np.moveaxis(CELL, -1, 0)
GREY = CELL[..., 0]
AS_GREY = np.repeat(GREY[..., None], 3, axis=2)
WIDE = CELL.astype(np.uint16) * 257
RED_GREEN_BLUE = {"Channel": {"Name": ["Red", "Green", "Blue"]}}
BLUE_RED_GREEN = {"Channel": {"Color": [65_535, -16_776_961, 16_711_935]}}


def tables(*colours: int) -> list[np.ndarray]:
    """ImageJ's tables of these colours, by their place in RGB."""
    found = [np.zeros((3, 256), np.uint8) for _ in colours]
    for table, colour in zip(found, colours, strict=True):
        table[colour] = np.arange(256)
    return found


def ij(axes: str, **more: Any) -> dict[str, Any]:
    return {"imagej": True, "metadata": {"axes": axes, **more}}


def ome(axes: str, **more: Any) -> dict[str, Any]:
    return {"ome": True, "photometric": "minisblack", "metadata": {"axes": axes, **more}}


@pytest.mark.parametrize(
    ("values", "options", "expected"),
    [
        (CELL, {"photometric": "rgb"}, CELL),
        (CELL, {"photometric": "rgb", "compression": "lzw", "predictor": True}, CELL),
        (CELL, {"photometric": "rgb", "compression": "deflate", "tile": (16, 16)}, CELL),
        (CELL, {"photometric": "rgb", "compression": "packbits", "bigtiff": True}, CELL),
        (PLANES, {"photometric": "rgb", "planarconfig": "separate"}, CELL),
        (WIDE, {"photometric": "rgb", "byteorder": ">"}, CELL),
        (np.moveaxis(WIDE, -1, 0), {"photometric": "rgb", "planarconfig": "separate"}, CELL),
        (np.moveaxis(WIDE, -1, 0), {"photometric": "rgb", "compression": "lzw"}, CELL),
        (GREY, {}, AS_GREY),
        (GREY, {"photometric": "miniswhite"}, 255 - AS_GREY),
        (WIDE[..., 0], {"photometric": "miniswhite"}, 255 - AS_GREY),
        (GREY > 99, {"photometric": "minisblack"}, 255 * (AS_GREY > 99)),
        (GREY > 99, {"photometric": "miniswhite"}, 255 * (AS_GREY <= 99)),
        (CELL, ij("YXS"), CELL),
        (GREY, ij("YX"), AS_GREY),
        (PLANES, ij("CYX", mode="composite"), CELL),
        (PLANES, ij("CYX", mode="composite", LUTs=tables(0, 1, 2)), CELL),
        (PLANES[::-1], ij("CYX", mode="color", LUTs=tables(2, 1, 0)), CELL),
        (PLANES, ome("CYX", **RED_GREEN_BLUE), CELL),
        (PLANES[[2, 0, 1]], ome("CYX", **BLUE_RED_GREEN), CELL),
        (CELL, {"ome": True, "photometric": "rgb"}, CELL),
    ],
)
def test_pixels_are_those_of_the_file(values: Any, options: Any, expected: Any) -> None:
    assert np.array_equal(pixels(tiff(values, **options)), expected)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"])
@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate"])
def test_every_mode_of_pillow_is_read(mode: str, compression: str | None) -> None:
    image = Image.fromarray(CELL)
    image = image.convert("RGBA").convert("PA") if mode == "PA" else image.convert(mode)
    expected = np.asarray(image.convert("RGB")).astype(int)
    data = encoded(image, "TIFF", compression=compression)
    assert np.abs(pixels(data) - expected).max() <= 1


@pytest.mark.parametrize(
    ("values", "options", "expected"),
    [
        (PLANES, ij("ZYX"), "a z-stack of 3 pictures"),
        (PLANES, ij("TYX"), "a time series of 3 pictures"),
        (np.stack([CELL] * 4), ij("ZYXS"), "a z-stack of 4 pictures"),
        (PLANES, ij("CYX"), "3 channels, and nothing in the file says which is red"),
        (PLANES[:2], ij("CYX", mode="composite"), "2 channels"),
        (PLANES, ome("ZYX"), "a z-stack of 3 pictures"),
        (PLANES, ome("TYX"), "a time series of 3 pictures"),
        (PLANES, ome("CYX"), "3 channels, and nothing"),
        (np.stack([CELL] * 5), {"photometric": "rgb"}, "5 pages, and nothing in the file says"),
        (CELL.astype(np.float32), {"photometric": "rgb"}, "floating-point pixels of unknown scale"),
        (GREY.astype(np.uint32), {}, "32-bit pixels of unknown scale"),
        (GREY.astype(np.int16), {}, "signed 16-bit pixels of unknown scale"),
        (CELL, {"photometric": "cielab"}, "colours of the kind CIELAB"),
        (CELL, {"photometric": "minisblack", "planarconfig": "contig"}, "3 values a pixel"),
    ],
)
def test_what_a_file_leaves_open_is_refused_with_the_reason(
    values: Any, options: Any, expected: str
) -> None:
    assert expected in reason(tiff(values, **options))


def test_a_file_of_a_set_is_refused() -> None:
    data = tiff(PLANES, **ome("CYX", **RED_GREEN_BLUE))
    assert "part of a set of OME files: 4 pages" in reason(data.replace(b'C="3"', b'C="4"'))
    assert "OME metadata are damaged" in reason(data.replace(b"<Image ", b"<Imagf ", 1))


def several(second: np.ndarray, **options: Any) -> bytes:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(CELL, photometric="rgb", metadata=None)
        writer.write(second, photometric="rgb", metadata=None, **options)
    return file.getvalue()


def test_of_several_sizes_the_whole_picture_is_read_where_the_file_says_which() -> None:
    found = read(several(CELL[::2, ::2], subfiletype=1))
    assert np.array_equal(found.image, CELL)
    assert found.notes == ("the whole picture of a file that holds reduced ones too",)
    assert "pictures of different" in reason(several(CELL[::2, ::2]))
    assert "pictures of different" in reason(several(CELL[:30, :7]))


def test_twelve_bits_are_read_where_the_file_tells_of_them() -> None:
    dark = GREY.astype(np.uint16) * 16
    told = read(tiff(dark, ome=True, metadata={"axes": "YX", "SignificantBits": 12}))
    assert np.abs(np.asarray(told.image).astype(int) - AS_GREY).max() <= 1
    assert (told.peak, told.notes) == (0, ())
    untold = read(tiff(dark))
    assert untold.peak == dark.max()
    assert untold.notes == ("16 bits, 65,535 taken for white",)
    wrong = tiff(dark, ome=True, metadata={"axes": "YX", "SignificantBits": 8})
    assert "say 8 bits, but values reach" in reason(wrong)


def test_transparency_is_laid_over_white_and_noted() -> None:
    half = np.full((40, 60, 1), 128, np.uint8)
    for values, kind in ((CELL, "unassalpha"), (CELL // 2, "assocalpha")):
        found = read(tiff(np.dstack([values, half]), photometric="rgb", extrasamples=[kind]))
        assert np.abs(np.asarray(found.image).astype(int) - (CELL / 2 + 127)).max() <= 2
        assert found.notes == ("transparent parts, laid over white",)
    other = read(tiff(np.dstack([CELL, half]), photometric="rgb", extrasamples=["unspecified"]))
    assert np.array_equal(other.image, CELL)
    assert "unknown meaning" in other.notes[0]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_that_of_the_tag(orientation: int) -> None:
    data = encoded(Image.fromarray(CELL), "TIFF", tiffinfo={274: orientation})
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(pixels(data), ImageOps.exif_transpose(image))


def test_orientation_may_stand_in_xmp() -> None:
    data = encoded(Image.fromarray(CELL), "TIFF", tiffinfo={700: XMP})
    assert np.array_equal(pixels(data), np.rot90(CELL, 3))


@pytest.mark.parametrize("compression", [None, "lzw", "deflate", "packbits", "jpeg"])
def test_what_is_missing_is_refused(compression: str | None) -> None:
    data = tiff(CELL, photometric="rgb", compression=compression, rowsperstrip=8)
    for cut in np.linspace(200, len(data) - 1, 12, dtype=int):
        assert reason(data[:cut])


def test_damage_in_a_compressed_jpeg_is_seen() -> None:
    data = bytearray(tiff(CELL, photometric="rgb", compression="jpeg"))
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages.first
        end = page.dataoffsets[0] + page.databytecounts[0]
    data[end - 300 : end - 2] = bytes(298)
    assert reason(bytes(data))


def test_nothing_but_our_own_words_reach_the_terminal() -> None:
    damaged = bytearray(encoded(Image.fromarray(CELL), "TIFF", compression="tiff_lzw"))
    damaged[40:80] = b"\xff" * 40
    script = (
        "import sys\n"
        "from leukreg.data.decode import decode\n"
        "from leukreg.data.raster import Unreadable\n"
        "try: decode(sys.stdin.buffer.read())\n"
        "except Unreadable as error: print(error)\n"
    )
    for data in (bytes(damaged), b"II*\0\x08\0\0\0" + b"\x07" * 90):
        done = subprocess.run(
            [sys.executable, "-c", script], input=data, capture_output=True, check=True
        )
        assert done.stdout
        assert done.stderr == b""
