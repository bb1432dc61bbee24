"""A picture of what the generator makes: one line for each class."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLUMNS = 10
GAP = 2
SHOWN = 64
"""Images are enlarged to at least this side, by whole factors."""


def grid(made: Mapping[str, NDArray[np.uint8]]) -> bytes:
    """A PNG whose rows are the classes in their order, each with its first ten images."""
    from PIL import Image

    rows = [pixels[:COLUMNS] for pixels in made.values()]
    side = rows[0].shape[1]
    factor = max(1, -(-SHOWN // side))
    cell = side * factor + GAP
    sheet = Image.new("RGB", (COLUMNS * cell + GAP, len(rows) * cell + GAP), "white")
    for y, pixels in enumerate(rows):
        for x, picture in enumerate(pixels):
            large = picture.repeat(factor, axis=0).repeat(factor, axis=1)
            sheet.paste(Image.fromarray(large), (GAP + x * cell, GAP + y * cell))
    data = io.BytesIO()
    sheet.save(data, "PNG")
    return data.getvalue()
