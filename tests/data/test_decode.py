"""Every kind of image is read as a viewer shows it, or refused with the reason."""

from __future__ import annotations

import contextlib
import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from leukreg.cli.main import main
from leukreg.data.decode import Facts, decode, guarded, readings, squash
from leukreg.data.listing import list_folder
from leukreg.data.raster import SIXTEEN, Unreadable
from leukreg.data.survey import survey
from tests.data.conftest import picture
from tests.data.encoders import XMP, encoded, pixels, read, reason, sideways


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "GIF"])
def test_lossless_kinds_come_back_exactly(kind: str) -> None:
    image = picture(1).quantize(200).convert("RGB")
    data = encoded(image, kind)
    assert np.array_equal(pixels(data), np.asarray(image))


def test_the_fast_path_agrees_with_pillow() -> None:
    data = encoded(picture(2), "JPEG", quality=90)
    with guarded():
        assert decode(data).format == "JPEG"
    difference = np.abs(pixels(data) - np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
    assert difference.max() <= 2


@pytest.mark.parametrize("options", [{"progressive": True}, {"subsampling": 0}, {"quality": 5}])
def test_all_manner_of_jpeg(options: dict[str, object]) -> None:
    assert pixels(encoded(picture(3), "JPEG", **options)).shape == (96, 96, 3)


def test_grey_jpeg_and_grey_with_alpha() -> None:
    grey = pixels(encoded(picture(3).convert("L"), "JPEG"))
    assert (grey[..., 0] == grey[..., 2]).all()
    assert pixels(encoded(picture(3).convert("LA"), "PNG")).shape == (96, 96, 3)


def test_cmyk_has_the_colours_of_its_rgb() -> None:
    image = Image.new("RGB", (32, 32), (200, 60, 120))
    for kind in ("JPEG", "TIFF"):
        found = pixels(encoded(image.convert("CMYK"), kind)).mean((0, 1))
        assert np.abs(found - (200, 60, 120)).max() < 12


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    ramp = np.linspace(0, 65_535, 256).astype(np.uint16).reshape(16, 16)
    for kind in ("PNG", "TIFF"):
        found = pixels(encoded(Image.fromarray(ramp), kind))
        assert np.abs(found[..., 0].ravel() - np.arange(256)).max() <= 1


def test_sixteen_bit_colour_png() -> None:
    rows = b"".join(b"\0" + struct.pack(">3H", 65_535, 32_768, 0) * 4 for _ in range(4))

    def chunk(name: bytes, data: bytes) -> bytes:
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    data += chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    assert np.abs(pixels(data)[0, 0] - (255, 128, 0)).max() <= 1


def test_palettes_with_and_without_transparency() -> None:
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, 10, 200, 30] + [0] * 750)
    assert pixels(encoded(image, "PNG"))[0, 0].tolist() == [10, 200, 30]
    assert pixels(encoded(image, "PNG", transparency=1))[0, 0].tolist() == [255, 255, 255]


def test_alpha_is_laid_over_white() -> None:
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    image.putpixel((1, 0), (100, 0, 0, 255))
    image.putpixel((2, 0), (0, 0, 0, 128))
    found = pixels(encoded(image, "PNG"))
    assert found[0, 0].tolist() == [255, 255, 255]
    assert found[0, 1].tolist() == [100, 0, 0]
    assert abs(found[0, 2, 0] - 127) <= 1


def test_rotated_by_exif_is_upright() -> None:
    image = Image.new("RGB", (40, 20), "white")
    image.paste((200, 0, 0), (0, 0, 20, 20))
    exif = Image.Exif()
    exif[274] = 6  # to be turned by 90 degrees clockwise
    found = pixels(encoded(image, "JPEG", exif=exif, quality=95))
    assert found.shape == (40, 20, 3)
    assert found[5, 10, 1] < 60
    assert found[35, 10, 1] > 200


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "AVIF", "TIFF"])
def test_of_several_frames_none_is_picked(kind: str) -> None:
    frames = [picture(1), picture(2)]
    whole = encoded(frames[0], kind, save_all=True)
    assert read(whole).notes == ()
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    assert "save the one that counts as a file of its own" in reason(data)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("how", ["exif", "xmp"])
def test_orientation_is_found_in_every_kind(kind: str, how: str) -> None:
    image = Image.new("RGB", (40, 20), "white")
    image.paste((200, 0, 0), (0, 0, 20, 20))
    about = PngInfo()
    about.add_itxt("XML:com.adobe.xmp", XMP.decode())
    xmp = {"pnginfo": about} if kind == "PNG" else {"xmp": XMP}
    found = pixels(encoded(image, kind, **({"exif": sideways()} if how == "exif" else xmp)))
    assert found.shape == (40, 20, 3)
    assert found[5, 10, 1] < 60


def test_choices_are_noted() -> None:
    clear = Image.new("RGBA", (8, 8), (9, 9, 9, 9))
    assert read(encoded(clear, "PNG")).notes == ("transparent parts, laid over white",)
    assert read(encoded(Image.new("RGBA", (8, 8), "red"), "PNG")).notes == ()
    dark = read(encoded(Image.fromarray(np.full((4, 4), 4000, np.uint16)), "PNG"))
    assert (dark.notes, dark.peak) == (("16 bits, 65,535 taken for white",), 4000)


def test_pgm_says_which_value_is_white() -> None:
    data = b"P5 4 1 4095\n" + np.array([0, 1000, 2000, 4095], ">u2").tobytes()
    assert pixels(data)[0, :, 0].tolist() == [0, 62, 125, 255]


KINDS = ["AVIF", "BMP", "GIF", "JPEG2000", "PCX", "PNG", "PPM", "SGI", "TGA", "TIFF", "WEBP"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_file_of_any_kind_is_refused(kind: str) -> None:
    data = encoded(picture(5).convert("P" if kind == "GIF" else "RGB"), kind)
    assert read(data).format == kind
    for cut in np.linspace(60, len(data) - 64, 12, dtype=int):
        assert reason(data[:cut])


def test_run_lengths_that_end_early_are_refused() -> None:
    lines = b"".join(bytes([8, 100 + y]) + b"\0\0" for y in range(8)) + b"\0\1"
    assert pixels(run_lengths(lines))[0, 0, 0] == 107
    assert reason(run_lengths(lines[:16]))
    assert reason(run_lengths(lines[:16] + b"\0\1"))


def run_lengths(lines: bytes) -> bytes:
    """An 8 x 8 BMP of grey, compressed."""
    table = b"".join(bytes([i, i, i, 0]) for i in range(256))
    start = 14 + 40 + len(table)
    head = b"BM" + struct.pack("<IHHI", start + len(lines), 0, 0, start)
    about = struct.pack("<IiiHHIIiiII", 40, 8, 8, 1, 8, 1, len(lines), 0, 0, 256, 0)
    return head + about + table + lines


@settings(deadline=None, max_examples=40)
@given(st.integers(8, 10_000), st.integers(0, 7))
def test_no_flipped_bit_of_a_png_passes(at: int, bit: int) -> None:
    damaged = bytearray(PNG)
    damaged[at % (len(PNG) - 12)] ^= 1 << bit
    assert reason(bytes(damaged))


def test_no_other_program_is_run() -> None:
    assert "not an image" in reason(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")


JPEG = encoded(picture(4, (256, 256)), "JPEG")
PNG = encoded(picture(4), "PNG")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "empty"),
        (JPEG[: len(JPEG) // 2], "truncated"),
        (JPEG[: len(JPEG) // 2] + b"\xff\xd9", "truncated"),
        (JPEG[:30], "truncated"),
        (PNG[: len(PNG) // 2], "truncated"),
        (PNG[:20], "truncated"),
        (b"Hello, this is a text.\nReally.", "a text that begins 'Hello, this is a text.'"),
        ("Größe in µm\n".encode() * 100, "a text"),
        (b"\x00\x01\x02\x03" * 99, "not an image"),
        (encoded(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"), "unknown scale"),
    ],
)
def test_what_cannot_be_read_says_why(data: bytes, expected: str) -> None:
    assert expected in reason(data)


def test_a_decompression_bomb_is_refused_before_it_is_decoded() -> None:
    for side in (10_000, 60_000):
        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        body = b"IHDR" + header
        data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body
        data += struct.pack(">I", zlib.crc32(body)) + PNG[33:]
        assert "decompression bomb" in reason(data)


@settings(deadline=None)
@given(
    st.sampled_from([JPEG, PNG, encoded(picture(4), "TIFF"), encoded(picture(4), "GIF")]),
    st.data(),
)
def test_no_damage_escapes(data: bytes, draw: st.DataObject) -> None:
    damaged = bytearray(data)
    for _ in range(draw.draw(st.integers(1, 8))):
        damaged[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    with guarded(), contextlib.suppress(Unreadable):
        assert decode(bytes(damaged[: draw.draw(st.integers(0, len(data)))])).image.mode == "RGB"


def test_guarding_leaves_the_warning_filters_alone() -> None:
    before = list(warnings.filters)
    with guarded():
        pass
    assert list(warnings.filters) == before


@pytest.mark.parametrize("size", [(96, 96), (200, 150), (20, 30)])
def test_squashing_keeps_the_whole_picture(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, "white")
    image.paste((0, 0, 0), (0, 0, size[0] // 2, size[1]))
    small = np.asarray(squash(image, 48)).astype(int)
    assert small.shape == (48, 48, 3)
    assert abs(small.mean() - 127.5) < 4
    assert small[:, 0].max() == 0
    assert small[:, -1].min() == 255


def facts(number: int, *notes: str, peak: int = 0) -> Facts:
    return Facts(str(number), str(number), "PNG", 9, 9, 9, (0.0,) * 9, notes, peak)


def test_choices_are_counted_by_content() -> None:
    found = readings([facts(1, "one"), facts(1, "one"), facts(2, "one", "two"), facts(3)])
    assert [str(each) for each in found] == ["2 files: one", "1 file: two"]
    assert readings([facts(1)]) == ()


@pytest.mark.parametrize(
    ("peaks", "bits"),
    [
        ((4095, 900), 12),
        ((1023, 700), 10),
        ((16_000, 16_383), 14),
        ((4095, 65_535), 0),
        ((900,), 0),
        ((0, 0), 0),  # pictures without any light
    ],
)
def test_a_set_whose_values_stay_low_is_pointed_out(peaks: tuple[int, ...], bits: int) -> None:
    [found] = readings([facts(at, SIXTEEN, peak=peak) for at, peak in enumerate(peaks)])
    assert found.doubtful == bool(bits)
    assert (f"they probably hold {bits} bits" in found.what) == bool(bits)


@pytest.fixture
def twelve_bits(tmp_path: Path) -> Path:
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for seed in range(3):
            values = np.asarray(picture(seed).convert("L")).astype(np.uint16) * 16
            Image.fromarray(values).save(tmp_path / label / f"{label}{seed}.png")
    return tmp_path


def test_data_says_it(twelve_bits: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [found] = survey(list_folder(twelve_bits)).readings
    assert (found.files, found.doubtful) == (3, True)
    main(["data", str(twelve_bits)])
    shown = " ".join(capsys.readouterr().out.split())
    assert "3 files: 16 bits, 65,535 taken for white, but no value is above 4,095" in shown
    assert "to 8 bits: value * 255 / 4,095" in shown
