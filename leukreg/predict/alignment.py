"""Where in a picture the cells of a feature map lie.

A map is usually laid over its picture as if each cell stood for its square of pixels. Networks with
even sizes and padded strides see otherwise: in a ResNet each cell looks half a cell further up and
left. The heat would then lie beside the blood cell that caused it, so the shift is measured: where
the gradient of a cell with respect to the pixels has its centre.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from leukreg.engine.classifier import Link, run

DRAWS = 4
"""Noise pictures over which the centre is averaged."""


def shift_of(links: Sequence[Link], size: int, device: str) -> tuple[float, float]:
    """How far the cells lie from their squares, in pixels down and right; (0, 0) where unknown.

    Args:
        links: From normalised pixels to the map.
        size: Side of the pictures; the measure is taken in one twice as large, far from edges.
        device: Where the modules are.
    """
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn((DRAWS, 3, 2 * size, 2 * size), generator=generator).to(device)
    try:
        with torch.enable_grad():
            maps = run(links, noise.requires_grad_())
            down, right = maps.shape[-2] // 2, maps.shape[-1] // 2
            cell = maps[..., down, right]
            weights = torch.randn(cell.shape, generator=generator).to(device)
            (gradient,) = torch.autograd.grad((cell * weights).sum(), noise)
    except RuntimeError:  # a network for one size only
        return 0.0, 0.0
    power = gradient.square().sum((0, 1))
    total = float(power.sum())
    if total <= 0 or 2 * size < maps.shape[-1]:
        return 0.0, 0.0
    places = torch.arange(2 * size, device=device) + 0.5
    y = float((power.sum(1) * places).sum()) / total
    x = float((power.sum(0) * places).sum()) / total
    height, width = 2 * size / maps.shape[-2], 2 * size / maps.shape[-1]
    return y - (down + 0.5) * height, x - (right + 0.5) * width


def laid_over(maps: Tensor, size: int, shift: tuple[float, float]) -> Tensor:
    """Maps ``(b, 1, h, w)`` at ``size`` pixels a side, their cells where they lie."""
    places = torch.arange(size, device=maps.device) + 0.5
    down, right = (2 * (places - by) / size - 1 for by in shift)
    grid = torch.stack(torch.meshgrid(down, right, indexing="ij")[::-1], dim=-1)
    return functional.grid_sample(
        maps,
        grid.expand(len(maps), -1, -1, -1),
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )
