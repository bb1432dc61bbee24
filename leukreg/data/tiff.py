"""TIFF through tifffile: one picture a file, whatever its pages, bits and colours, or the reason.

A TIFF may hold a stack, a time series, channels, resolutions. The one picture of it is taken where
the file says which that is, and refused where it does not: a page picked in silence is a blank one
sooner or later.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from leukreg.data.raster import (
    BOMB,
    CMYK,
    LAID_OVER,
    MAX_PIXELS,
    ORIENTATION,
    SAVE_ONE,
    SIXTEEN,
    Decoded,
    Unreadable,
    grey,
    over_white,
    turned,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tifffile import TiffFile, TiffPage, TiffPageSeries

    Values = NDArray[Any]
    Notes = tuple[str, ...]

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 1, 2, 3, 5, 6
_SAMPLES = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _PALETTE: 1, _CMYK: 4, _YCBCR: 3}
_JPEG = 7
_ASSOCIATED, _UNASSOCIATED = 1, 2
"""Kinds of transparency: colours that are multiplied by it, and colours that are not."""
_XMP = 700
_IN_XMP = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')
_STACKS = {"Z": "a z-stack", "T": "a time series"}
_COLOURS = {
    "red": 0, "r": 0, "green": 1, "g": 1, "blue": 2, "b": 2,
    (255, 0, 0): 0, (0, 255, 0): 1, (0, 0, 255): 2,
}  # fmt: skip
"""The place in RGB of a channel by its name or colour."""


def read_tiff(data: bytes) -> Decoded:
    """Decode a TIFF to RGB, upright.

    Raises:
        Unreadable: It holds several pictures and does not say which counts, or colours or values
            of unknown meaning, or it is damaged.
    """
    from tifffile import TiffFile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # its remarks would reach the terminal
    # OME's metadata may name other files, which are none of a decoder's business: see _ome.
    with TiffFile(io.BytesIO(data), is_ome=False) as file:
        series, notes = _whole(file)
        page = series.keyframe
        if page.imagewidth * page.imagelength > MAX_PIXELS:
            raise Unreadable(BOMB)
        _refuse_meaningless(page)
        channels, bits = _channels(file, series)
        for each in {id(page): page, **{id(p): p for p in series.pages if p is not None}}.values():
            _refuse_missing(each, page, data)
        values = series.asarray(maxworkers=1)
        decoded = _decoded(page, values, channels, bits)
        upright = turned(decoded.image, _orientation(page))
        return replace(decoded, image=upright, notes=(*notes, *decoded.notes))


def _whole(file: TiffFile) -> tuple[TiffPageSeries, Notes]:
    """The pages that are no reduced copy and no mask of others."""
    every = file.series
    if not every:
        raise Unreadable("damaged or truncated (it holds no page)")
    whole = [one for one in every if not (one.keyframe.is_reduced or one.keyframe.is_mask)]
    if len(whole or every) > 1:
        raise Unreadable(f"{len(whole or every)} pictures of different kinds; {SAVE_ONE}")
    chosen = (whole or every)[0]
    smaller = [level.keyframe for level in chosen.levels[1:]]
    if not all(page.is_reduced or page.is_subifd for page in smaller):
        raise Unreadable(f"{len(smaller) + 1} pictures of different sizes; {SAVE_ONE}")
    if len(every) == 1 and not smaller:
        return chosen, ()
    return chosen, ("the whole picture of a file that holds reduced ones too",)


def _channels(file: TiffFile, series: TiffPageSeries) -> tuple[tuple[int, ...], int]:
    """Which channel is red, green and blue, empty for one picture; and its bits, 0 if not told."""
    page = series.keyframe
    sizes = dict(zip(series.axes, series.shape, strict=True))
    sizes = {axis: size for axis, size in sizes.items() if axis not in "YXS" and size > 1}
    about, bits = file.imagej_metadata or {}, 0
    # Without tables a composite's channels are red, green and blue, in this order.
    colours: list[Any] = ["red", "green", "blue"] if about.get("mode") == "composite" else []
    if tables := about.get("LUTs"):  # the colour that ImageJ shows each channel in
        colours = [tuple(int(value) for value in np.asarray(table)[:, -1]) for table in tables]
    description = file.pages.first.description
    if description.rstrip().endswith("OME>"):
        sizes, colours, bits = _ome(description, sizes)
    if not sizes:
        return (), bits
    places = [_COLOURS.get(colour, -1) for colour in colours]
    if sizes == {"C": 3} and sorted(places) == [0, 1, 2] and page.samplesperpixel == 1:
        return tuple(places.index(place) for place in range(3)), bits
    raise Unreadable(f"{_words(sizes)}; {SAVE_ONE}")


def _words(sizes: Mapping[str, int]) -> str:
    for axis, word in _STACKS.items():
        if axis in sizes:
            return f"{word} of {sizes[axis]:,} pictures"
    total = int(np.prod(list(sizes.values())))
    if [*sizes] == ["C"]:
        return f"{total} channels, and nothing in the file says which is red, green and blue"
    return f"{total:,} pages, and nothing in the file says which one counts"


def _ome(description: str, sizes: dict[str, int]) -> tuple[dict[str, int], list[Any], int]:
    """Sizes by axis, the colours of the channels, and the bits that OME's metadata tell of."""
    try:
        tree = ElementTree.fromstring(description.encode())
    except ElementTree.ParseError as error:
        raise Unreadable(f"its OME metadata are damaged ({error})") from None
    images = tree.findall("{*}Image/{*}Pixels")
    if len(images) != 1:
        raise Unreadable(f"{len(images)} pictures in one OME file; {SAVE_ONE}")
    about = images[0]
    channels = about.findall("{*}Channel")
    # A channel of several samples (RGB) is one page.
    named = {axis: int(about.get(f"Size{axis}", 1)) for axis in "ZTC"}
    samples = max((int(one.get("SamplesPerPixel", 1)) for one in channels), default=1)
    named["C"] = max(1, named["C"] // samples)
    here, told = int(np.prod(list(sizes.values()))), int(np.prod(list(named.values())))
    if here != told:
        raise Unreadable(
            f"part of a set of OME files: {told:,} pages are told of, {here:,} are here; join them"
        )
    colours = [_ome_colour(one) for one in channels]
    bits = int(about.get("SignificantBits") or 0)
    return {axis: size for axis, size in named.items() if size > 1}, colours, bits


def _ome_colour(channel: ElementTree.Element) -> Any:
    name = (channel.get("Name") or "").strip().lower()
    if name in _COLOURS or channel.get("Color") is None:
        return name
    colour = int(channel.get("Color", 0)) & 0xFFFFFFFF
    return colour >> 24, colour >> 16 & 255, colour >> 8 & 255


def _refuse_meaningless(page: TiffPage) -> None:
    """Refuse pixels of which nobody can tell how bright or what colour they are."""
    kind = page.dtype
    if kind is None or kind.kind == "f":
        raise Unreadable("floating-point pixels of unknown scale; convert the image to 8 bit")
    if kind.kind not in "bu" or page.bitspersample > 16:
        sign = "signed " * (kind.kind == "i")
        raise Unreadable(
            f"{sign}{page.bitspersample}-bit pixels of unknown scale; convert the image to 8 bit"
        )
    samples = _SAMPLES.get(int(page.photometric))
    if samples is None:
        name = getattr(page.photometric, "name", str(page.photometric))
        raise Unreadable(f"colours of the kind {name}; convert the image to RGB")
    if page.samplesperpixel not in (samples, samples + 1):
        raise Unreadable(
            f"{page.samplesperpixel} values a pixel, where its colours need {samples}; convert the "
            "image to RGB"
        )
    if page.imagedepth > 1:
        raise Unreadable(f"a volume of {page.imagedepth:,} layers; {SAVE_ONE}")


def _refuse_missing(page: Any, keyframe: TiffPage, data: bytes) -> None:
    """Refuse strips and tiles that are not there, which tifffile would fill with black."""
    places = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    needed = 1 if keyframe.is_contiguous else int(np.prod(keyframe.chunked))
    if len(places) < needed or not all(count for _, count in places):
        raise Unreadable("damaged or truncated (parts of the picture are missing)")
    if any(offset + count > len(data) for offset, count in places):
        raise Unreadable("truncated (parts of the picture lie behind the end of the file)")
    if keyframe.compression == _JPEG:
        from leukreg.data.jpeg import START, strict_pixels

        tables = keyframe.jpegtables or START + b"\xff\xd9"
        for offset, count in places:
            strict_pixels(tables[:-2] + data[offset + 2 : offset + count])


def _decoded(page: TiffPage, values: Values, channels: Sequence[int], bits: int) -> Decoded:
    """Values as colours; ``channels`` are the places of red, green and blue among the pages."""
    height, width = page.imagelength, page.imagewidth
    if channels:
        kind = _RGB
        values = np.moveaxis(values.reshape(-1, height, width)[list(channels)], 0, -1)
    else:
        kind = int(page.photometric)
        separate = page.planarconfig == 2 and page.samplesperpixel > 1
        values = values.reshape((-1, height, width) if separate else (height, width, -1))
        values = np.moveaxis(values, 0, -1) if separate else values
    if kind == _PALETTE:
        return Decoded(Image.fromarray(_coloured(page, values[..., 0])), "TIFF")
    stored = bits or page.bitspersample
    white, peak = 2**stored - 1, int(values.max(initial=0))
    if peak > white:
        raise Unreadable(f"its metadata say {stored} bits, but values reach {peak:,}")
    untold = stored == 16 and not bits
    image, notes = _image(grey(values, white), kind, page)
    return Decoded(image, "TIFF", (SIXTEEN, *notes) if untold else notes, peak if untold else 0)


def _image(values: NDArray[np.uint8], kind: int, page: TiffPage) -> tuple[Image.Image, Notes]:
    """Values of 8 bits ``(h, w, samples)`` as RGB."""
    count = _SAMPLES[kind]
    colours, extra = values[..., :count], values[..., count:]
    if kind == _WHITE_IS_ZERO:
        colours = 255 - colours
    if kind == _CMYK:
        image = Image.fromarray(np.ascontiguousarray(colours), "CMYK").convert("RGB")
        return image, (CMYK,)
    if kind == _YCBCR and page.compression != _JPEG:  # tifffile converts JPEG's, and no other
        image = Image.fromarray(np.ascontiguousarray(colours), "YCbCr").convert("RGB")
        return image, ()
    rgb = np.ascontiguousarray(np.broadcast_to(colours, (*colours.shape[:2], 3)))
    if not extra.shape[2]:
        return Image.fromarray(rgb), ()
    meaning = int(page.extrasamples[0]) if page.extrasamples else 0
    if meaning == _ASSOCIATED:
        white = rgb.astype(np.uint16) + (255 - extra)
        shows = (LAID_OVER,) if (extra < 255).any() else ()
        return Image.fromarray(np.minimum(white, 255).astype(np.uint8)), shows
    if meaning != _UNASSOCIATED:
        return Image.fromarray(rgb), ("a value of unknown meaning beside the colours, left out",)
    return over_white(Image.fromarray(np.concatenate([rgb, extra], axis=2)))


def _coloured(page: TiffPage, values: Values) -> NDArray[np.uint8]:
    table = page.colormap
    if table is None:
        raise Unreadable("damaged (its palette is missing)")
    # Values of 16 bits by the standard; some programs write 8.
    colours = (table >> 8 if table.max(initial=0) > 255 else table).astype(np.uint8)
    return np.ascontiguousarray(colours.T[values])


def _orientation(page: TiffPage) -> int:
    tag = page.tags.get(ORIENTATION)
    if tag is not None:
        return int(tag.value)
    about = page.tags.get(_XMP)
    text = about.value if about is not None else b""
    found = _IN_XMP.search(text if isinstance(text, bytes) else str(text).encode())
    return int(found[1]) if found else 1
