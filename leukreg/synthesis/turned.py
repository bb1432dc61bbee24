"""Small pictures, and the eight ways to lay one down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 16
"""Pixels a side of a small picture."""
WAYS = 8
"""Four turns by 90 degrees, each flipped or not."""
BLOCK = 256


def small(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Images of shape ``(n, size, size, 3)`` as pictures ``(n, 16, 16, 3)``, averaged over areas.

    Averaging over areas commutes with every turn and flip, and takes noise away.
    """
    import torch

    out = np.empty((len(pixels), SIDE, SIDE, 3), np.float32)
    for start in range(0, len(pixels), BLOCK):
        part = np.ascontiguousarray(pixels[start : start + BLOCK])
        images = torch.from_numpy(part).permute(0, 3, 1, 2).float()
        shrunk = torch.nn.functional.adaptive_avg_pool2d(images, SIDE)
        out[start : start + BLOCK] = shrunk.permute(0, 2, 3, 1).numpy()
    return out


def turned(pictures: NDArray[np.float32], way: int) -> NDArray[np.float32]:
    """Pictures of shape ``(n, side, side, 3)`` laid down in one of eight ways (0: as they are)."""
    flipped = pictures[:, :, ::-1] if way >= 4 else pictures
    return np.ascontiguousarray(np.rot90(flipped, way % 4, axes=(1, 2)))
