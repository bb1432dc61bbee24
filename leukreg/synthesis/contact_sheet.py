"""Sheets of pictures: synthetic images, and below them what they are to be compared with."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import ImageDraw


SIDE = 112
LINE = 20


def contact_sheet(strips: Sequence[tuple[str, NDArray[np.uint8]]]) -> bytes:
    """A PNG with one strip of images below the other.

    Args:
        strips: What a strip shows, and its images (shape ``(n, h, w, 3)``).
    """
    from PIL import Image, ImageDraw

    wide = max(len(pictures) for _, pictures in strips)
    sheet = Image.new(
        "RGB", (max(wide * (SIDE + 4) + 4, 260), len(strips) * (SIDE + LINE + 4) + 4), "white"
    )
    draw = ImageDraw.Draw(sheet)
    for row, (text, pictures) in enumerate(strips):
        top = 4 + row * (SIDE + LINE + 4)
        draw.text((6, top), _plain(text), fill="black")
        for column, picture in enumerate(pictures):
            small = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            sheet.paste(small, (4 + column * (SIDE + 4), top + LINE))
    data = io.BytesIO()
    sheet.save(data, "PNG")
    return data.getvalue()


def _plain(text: str) -> str:
    # Pillow without FreeType has a Latin-1 font only.
    return text.encode("latin-1", "replace").decode("latin-1")


SHOWN = 10
"""Fakes of a class on a sheet, the nearest to a training image first."""
GAP = 4
COPY = "#c00000"
MARK = "leukreg fidelity"
"""In the file's "Software" field, so that our own sheets are told from other pictures."""


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """Some fakes of a class and what is nearest to them, as many of each."""

    label: str
    fakes: NDArray[np.uint8]
    """Shape ``(n, size, size, 3)``."""
    nearest: NDArray[np.uint8]
    closeness: Sequence[float]
    copies: Sequence[bool]


def neighbour_sheet(strips: Sequence[Strip]) -> bytes:
    """A PNG: per class a row of fakes, below it their nearest training images; copies in red."""
    from PIL import Image, ImageDraw
    from PIL.PngImagePlugin import PngInfo

    wide = max((len(strip.fakes) for strip in strips), default=1)
    tall = 2 * SIDE + 2 * LINE + 3 * GAP
    size = (max(wide * (SIDE + GAP) + GAP, 320), max(1, len(strips)) * tall + GAP)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for number, strip in enumerate(strips):
        _lay(sheet, draw, strip, GAP + number * tall)
    info = PngInfo()
    info.add_text("Software", MARK)
    data = io.BytesIO()
    sheet.save(data, "PNG", pnginfo=info)
    return data.getvalue()


def _lay(sheet: object, draw: ImageDraw.ImageDraw, strip: Strip, top: int) -> None:
    copied = sum(strip.copies)
    said = f", {copied} of these copies (red)" if copied else ""
    name = strip.label.encode("latin-1", "replace").decode("latin-1")  # all that a bare Pillow has
    draw.text((GAP + 2, top), f"{name}: fakes above their nearest training images{said}", "black")
    low = top + LINE + SIDE + GAP
    for column in range(len(strip.fakes)):
        left = GAP + column * (SIDE + GAP)
        _paste(sheet, strip.fakes[column], left, top + LINE)
        _paste(sheet, strip.nearest[column], left, low)
        draw.text((left + 2, low + SIDE), f"{strip.closeness[column]:.2f}", "black")
        if strip.copies[column]:
            frame = (
                left - 2,
                top + LINE - 2,
                left + SIDE + 1,
                low + SIDE + 1,
            )
            draw.rectangle(frame, outline=COPY, width=2)


def _paste(sheet: object, picture: NDArray[np.uint8], left: int, top: int) -> None:
    from PIL import Image

    assert isinstance(sheet, Image.Image)
    small = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    sheet.paste(small, (left, top))
