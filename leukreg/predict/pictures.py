"""An explanation as a picture: the image, the same with its heat map, and what was answered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from leukreg.data.decode import decode
from leukreg.paths import read_regular

HEIGHT = 320
"""Pixels of the image's longer side."""
MARGIN = 12
COLOURS = "viridis"
"""From dark blue to yellow: even in lightness, told apart by colour-blind people, and no colour of
a Romanowsky stain at its bright end."""
STRENGTH = 0.75
"""How much of the picture the hottest place hides."""


def side_by_side(path: Path, heat: NDArray[np.float32], lines: tuple[str, ...]) -> Image.Image:
    """The picture of a file beside itself with the heat map, ``lines`` of text above.

    Args:
        path: A readable image file.
        heat: Shape ``(size, size)``, 0 to 1, of the picture squashed to a square.
        lines: Text, one line each.
    """
    original = _fitted(decode(read_regular(path)).image)
    warm = overlay(original, heat)
    font = _font(15)
    text = MARGIN + 20 * len(lines)
    # Narrow pictures leave room for the words above them.
    words = max((int(font.getlength(line)) for line in lines), default=0)
    inner = max(2 * original.width + 2 * MARGIN + 14, words)
    sheet = Image.new("RGB", (inner + 2 * MARGIN, text + original.height + 2 * MARGIN), "white")
    draw = ImageDraw.Draw(sheet)
    for number, line in enumerate(lines):
        draw.text((MARGIN, MARGIN + 20 * number), line, fill="black", font=font)
    top = text + MARGIN
    sheet.paste(original, (MARGIN, top))
    sheet.paste(warm, (2 * MARGIN + original.width, top))
    sheet.paste(_scale(original.height), (3 * MARGIN + 2 * original.width, top))
    return sheet


def overlay(image: Image.Image, heat: NDArray[np.float32]) -> Image.Image:
    """The image, hidden where it is hot by the colours of the heat."""
    layer = Image.fromarray(heat.astype(np.float32)).resize(image.size, Image.Resampling.BILINEAR)
    values = np.clip(np.asarray(layer), 0, 1)
    alpha = STRENGTH * values[..., None]
    mixed = (1 - alpha) * np.asarray(image, np.float32) + alpha * _colours(values)
    return Image.fromarray(mixed.round().astype(np.uint8))


def _colours(values: NDArray[np.float32]) -> NDArray[np.float32]:
    from matplotlib import colormaps

    return np.asarray(colormaps[COLOURS](values)[..., :3] * 255, dtype=np.float32)


def _scale(height: int) -> Image.Image:
    """A strip of the colours, the highest on top."""
    values = np.linspace(1, 0, height, dtype=np.float32)[:, None].repeat(14, axis=1)
    return overlay(Image.new("RGB", (14, height), "white"), values)


def _fitted(image: Image.Image) -> Image.Image:
    factor = HEIGHT / max(image.size)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.BICUBIC)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    from matplotlib import get_data_path

    # matplotlib's own copy of DejaVu, which has far more scripts than Pillow's default.
    return ImageFont.truetype(str(Path(get_data_path()) / "fonts/ttf/DejaVuSans.ttf"), size)
