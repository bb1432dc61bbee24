"""A contact sheet: synthetic images at a glance, their parents below them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Strip = tuple[str, NDArray[np.uint8], NDArray[np.uint8] | None]

SIDE = 112
LINE = 20


def contact_sheet(strips: Sequence[Strip], generator: str) -> bytes:
    """A PNG with one strip per class: its label, the made images, the parents where known.

    Args:
        strips: Label, images (shape ``(n, h, w, 3)``) and as many parents, or None.
    """
    from PIL import Image, ImageDraw

    lines = []
    for label, made, parents in strips:
        lines.append((f"{label}: made by {generator}", made))
        if parents is not None:
            lines.append(("made from", parents))
    wide = max(len(pictures) for _, pictures in lines)
    sheet = Image.new(
        "RGB", (max(wide * (SIDE + 4) + 4, 260), len(lines) * (SIDE + LINE + 4) + 4), "white"
    )
    draw = ImageDraw.Draw(sheet)
    for row, (text, pictures) in enumerate(lines):
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
