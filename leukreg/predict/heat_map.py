"""A feature map laid over its picture: where its cells lie, and how it is drawn.

A map is usually laid over its picture as if each cell stood for its square of pixels. Networks with
even sizes and padded strides see otherwise: in a ResNet each cell looks half a cell further up and
left. The heat would then lie beside the blood cell that caused it, so the shift is measured: where
the gradient of a cell with respect to the pixels has its centre.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn import functional

from leukreg.data.decode import decode
from leukreg.engine.classifier import Link
from leukreg.paths import read_regular

DRAWS = 4
"""Noise pictures over which the centre is averaged."""


def shift_of(links: Sequence[Link], size: int, device: str) -> tuple[float, float]:
    """How far the cells lie from their squares, in pixels down and right; (0, 0) where unknown.

    Patches of a Vision Transformer lie where they lie: each cell sees the whole picture, whose
    middle would draw the centre to itself.

    Args:
        links: From normalised pixels to the map.
        size: Side of the pictures; the measure is taken in one twice as large, far from edges.
        device: Where the modules are.
    """
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn((DRAWS, 3, 2 * size, 2 * size), generator=generator).to(device)
    try:
        with torch.enable_grad():
            maps = noise.requires_grad_()
            for _, module in links:
                maps = module(maps)
                if maps.ndim != 4:
                    return 0.0, 0.0
            down, right = maps.shape[-2] // 2, maps.shape[-1] // 2
            cell = maps[..., down, right]
            weights = torch.randn(cell.shape, generator=generator).to(device)
            (gradient,) = torch.autograd.grad((cell * weights).sum(), noise)
    except (RuntimeError, AssertionError):  # a network for one size only
        return 0.0, 0.0
    power = gradient.square().sum((0, 1))
    total = float(power.sum())
    if total <= 0 or 2 * size < maps.shape[-1]:
        return 0.0, 0.0
    centres = torch.arange(2 * size, device=device) + 0.5
    y = float((power.sum(1) * centres).sum()) / total
    x = float((power.sum(0) * centres).sum()) / total
    height, width = 2 * size / maps.shape[-2], 2 * size / maps.shape[-1]
    return y - (down + 0.5) * height, x - (right + 0.5) * width


def laid_over(maps: Tensor, size: int, shift: tuple[float, float]) -> Tensor:
    """Maps ``(b, 1, h, w)`` at ``size`` pixels a side, their cells where they lie."""
    centres = torch.arange(size, device=maps.device) + 0.5
    down, right = (2 * (centres - by) / size - 1 for by in shift)
    grid = torch.stack(torch.meshgrid(down, right, indexing="ij")[::-1], dim=-1)
    return functional.grid_sample(
        maps,
        grid.expand(len(maps), -1, -1, -1),
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )


HEIGHT = 320
"""Pixels of the image's longer side."""
MARGIN = 12
COLOURS = "viridis"
"""From dark blue to yellow: even in lightness, told apart by colour-blind people, and no colour of
a Romanowsky stain at its bright end."""
STRENGTH = 0.75
"""How much of the picture the hottest place hides."""


def side_by_side(
    path: Path,
    heat: NDArray[np.float32],
    lines: tuple[str, ...],
    seen: NDArray[np.uint8] | None = None,
) -> Image.Image:
    """The picture of a file beside itself with the heat map, ``lines`` of text above.

    Args:
        path: A readable image file.
        heat: Shape ``(size, size)``, 0 to 1, of the picture squashed to a square.
        lines: Text, one line each.
        seen: What preprocessing makes of it, ``(size, size, 3)``; it stands between the two, and
            the map lies over it.
    """
    from matplotlib import get_data_path

    whole = decode(read_regular(path)).image
    factor = HEIGHT / max(whole.size)
    width, height = (max(1, round(side * factor)) for side in whole.size)
    original = whole.resize((width, height), Image.Resampling.BICUBIC)
    shown = [original]
    if seen is not None:
        square = Image.fromarray(seen)
        shown.append(square.resize((height, height), Image.Resampling.BICUBIC))
    shown.append(overlay(shown[-1], heat))
    # matplotlib's own copy of DejaVu, which has far more scripts than Pillow's default.
    font = ImageFont.truetype(str(Path(get_data_path()) / "fonts/ttf/DejaVuSans.ttf"), 15)
    text = MARGIN + 20 * len(lines)
    # Narrow pictures leave room for the words above them.
    words = max((int(font.getlength(line)) for line in lines), default=0)
    inner = max(sum(one.width + MARGIN for one in shown) + 14, words)
    sheet = Image.new("RGB", (inner + 2 * MARGIN, text + original.height + 2 * MARGIN), "white")
    draw = ImageDraw.Draw(sheet)
    for number, line in enumerate(lines):
        draw.text((MARGIN, MARGIN + 20 * number), line, fill="black", font=font)
    top = text + MARGIN
    left = MARGIN
    for one in (*shown, _scale(height)):
        sheet.paste(one, (left, top))
        left += one.width + MARGIN
    return sheet


def overlay(image: Image.Image, heat: NDArray[np.float32]) -> Image.Image:
    """The image, hidden where it is hot by the colours of the heat."""
    from matplotlib import colormaps

    layer = Image.fromarray(heat.astype(np.float32)).resize(image.size, Image.Resampling.BILINEAR)
    values = np.clip(np.asarray(layer), 0, 1)
    colours = np.asarray(colormaps[COLOURS](values)[..., :3] * 255, dtype=np.float32)
    alpha = STRENGTH * values[..., None]
    mixed = (1 - alpha) * np.asarray(image, np.float32) + alpha * colours
    return Image.fromarray(mixed.round().astype(np.uint8))


def _scale(height: int) -> Image.Image:
    """A strip of the colours, the highest on top."""
    values = np.linspace(1, 0, height, dtype=np.float32)[:, None].repeat(14, axis=1)
    return overlay(Image.new("RGB", (14, height), "white"), values)
