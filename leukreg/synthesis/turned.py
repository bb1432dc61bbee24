"""Small pictures, laid beside each other in eight ways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Ints = NDArray[np.int64]

SIDE = 16
"""Pixels a side at which distances are measured."""
COARSE = 8
"""Pixels a side at which the nearest are searched, which is four times as fast."""
WAYS = 8
"""Four turns by 90 degrees, each flipped or not."""
BLOCK = 256


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Images as small pictures."""

    fine: Floats
    """Shape ``(n, 16, 16, 3)``, 0 to 255."""
    coarse: Floats
    """Shape ``(n, 8, 8, 3)``."""

    def __len__(self) -> int:
        return len(self.fine)

    def only(self, rows: Ints) -> Pictures:
        return Pictures(self.fine[rows], self.coarse[rows])

    def first_of_doubles(self) -> Ints:
        """Positions of the pictures, each one that stands here again left out."""
        first: dict[bytes, int] = {}
        for place, picture in enumerate(self.fine):
            first.setdefault(picture.tobytes(), place)
        return np.array(list(first.values()), dtype=np.int64)

    def nearest(
        self, others: Pictures, count: int = 1, itself: Ints | None = None
    ) -> tuple[Ints, Floats]:
        """The nearest of the others in any of eight ways, and their distances.

        Args:
            count: How many, at most as many as there are others.
            itself: Where each picture stands among the others: it is not counted.

        Returns:
            Positions and distances (root of the mean squared difference, 0 to 255) of shape
            ``(n, count)``, in no order.
        """
        likeness = self._likeness(others)
        if itself is not None:
            likeness[np.arange(len(self)), itself] = -np.inf
        found = np.argpartition(likeness, -count, axis=1)[:, -count:]
        apart = [self.apart(others.only(found[:, k])) for k in range(count)]
        return found, np.stack(apart, axis=1)

    def apart(self, others: Pictures) -> Floats:
        """Distances pair by pair, in the best of eight ways, shape ``(n,)``."""
        ways = [_distance(turned(self.fine, way), others.fine) for way in range(WAYS)]
        nearest: Floats = np.min(ways, axis=0)
        return nearest

    def _likeness(self, others: Pictures) -> Floats:
        """What falls as the coarse distance in the best way rises, shape ``(n, m)``."""
        flat = others.coarse.reshape(len(others), -1)
        best = np.full((len(self), len(others)), -np.inf, np.float32)
        for way in range(WAYS):
            across = turned(self.coarse, way).reshape(len(self), -1) @ flat.T
            np.maximum(best, across, out=best)
        best -= (flat**2).sum(1) / 2
        return best


def pictures(pixels: NDArray[np.uint8]) -> Pictures:
    """Images of shape ``(n, size, size, 3)`` as small pictures, averaged over areas.

    Averaging over areas commutes with every turn and flip, and takes noise away.
    """
    import torch

    sizes = (SIDE, COARSE)
    out = [np.empty((len(pixels), size, size, 3), np.float32) for size in sizes]
    for start in range(0, len(pixels), BLOCK):
        part = np.ascontiguousarray(pixels[start : start + BLOCK])
        images = torch.from_numpy(part).permute(0, 3, 1, 2).float()
        for size, target in zip(sizes, out, strict=True):
            images = torch.nn.functional.adaptive_avg_pool2d(images, size)
            target[start : start + BLOCK] = images.permute(0, 2, 3, 1).numpy()
    return Pictures(*out)


def turned(small: Floats, way: int) -> Floats:
    """Pictures of shape ``(n, side, side, 3)`` laid down in one of eight ways (0: as they are)."""
    flipped = small[:, :, ::-1] if way >= 4 else small
    return np.ascontiguousarray(np.rot90(flipped, way % 4, axes=(1, 2)))


def _distance(first: Floats, second: Floats) -> Floats:
    apart: Floats = np.sqrt(((first - second) ** 2).mean((1, 2, 3), dtype=np.float32))
    return apart
