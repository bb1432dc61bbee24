"""Sheets of pictures: synthetic images, and below them what they are to be compared with."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

SHOWN = 10
"""Images in a strip at most."""
SIDE = 112
LINE = 20
GAP = 4
COPY = "#c00000"
MARK = "leukreg fidelity"
"""In the "Software" field of sheets of neighbours, so that they are told from other pictures."""


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """What is nearest to each image of a strip, as many images."""

    pixels: NDArray[np.uint8]
    closeness: Sequence[float]
    copies: Sequence[bool]


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """Some images, and what they show; their neighbours below them."""

    text: str
    pixels: NDArray[np.uint8]
    """Shape ``(n, h, w, 3)``."""
    neighbours: Neighbours | None = None

    @property
    def tall(self) -> int:
        return LINE + SIDE + GAP + (SIDE + LINE + 2 * GAP if self.neighbours else 0)


def contact_sheet(strips: Sequence[Strip], mark: str = "") -> bytes:
    """A PNG with one strip of images below the other; copies in red."""
    from PIL import Image, ImageDraw
    from PIL.PngImagePlugin import PngInfo

    wide = max((len(strip.pixels) for strip in strips), default=1)
    least = 320 if mark else 260
    tall = sum(strip.tall for strip in strips) or SIDE
    sheet = Image.new("RGB", (max(wide * (SIDE + GAP) + GAP, least), tall + GAP), "white")
    draw, top = ImageDraw.Draw(sheet), GAP
    for strip in strips:
        # Pillow without FreeType has a Latin-1 font only.
        text = strip.text.encode("latin-1", "replace").decode("latin-1")
        draw.text((GAP + 2, top), text, "black")
        _paste(sheet, strip.pixels, top + LINE)
        if below := strip.neighbours:
            low = top + LINE + SIDE + GAP
            _paste(sheet, below.pixels, low)
            for column, (near, copy) in enumerate(zip(below.closeness, below.copies, strict=True)):
                left = GAP + column * (SIDE + GAP)
                draw.text((left + 2, low + SIDE), f"{near:.2f}", "black")
                if copy:
                    frame = (left - 2, top + LINE - 2, left + SIDE + 1, low + SIDE + 1)
                    draw.rectangle(frame, outline=COPY, width=2)
        top += strip.tall
    info = PngInfo()
    if mark:
        info.add_text("Software", mark)
    data = io.BytesIO()
    sheet.save(data, "PNG", pnginfo=info)
    return data.getvalue()


def _paste(sheet: Image.Image, pixels: NDArray[np.uint8], top: int) -> None:
    from PIL import Image

    for column, picture in enumerate(pixels):
        small = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        sheet.paste(small, (GAP + column * (SIDE + GAP), top))
