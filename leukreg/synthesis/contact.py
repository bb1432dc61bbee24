"""A contact sheet: synthetic images at a glance, what they are to be compared with below them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
