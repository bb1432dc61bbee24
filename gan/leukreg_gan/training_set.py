"""The training set in memory: pixels, conditions, classes; and which tenth is held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from leukreg import derive

if TYPE_CHECKING:
    from numpy.typing import NDArray


SHARE = 10
"""One row in so many is held out, about."""
FEWEST = 50
"""Rows that a class must have for some of them to be held out; below, every image is needed."""


class RealBatch(NamedTuple):
    """Real images between -1 and 1, and the condition that each was seen under."""

    images: Tensor
    conditions: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSet:
    """Rows to train on. ``pixels`` are uint8 ``(n, 3, size, size)``, channels-last in memory."""

    pixels: Tensor
    conditions: Tensor
    """``(n, d)``, float32."""
    order: Tensor
    """Rows sorted by class; within a class in their order."""
    starts: Tensor
    """Where each class that has rows begins in ``order``."""
    counts: Tensor

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, size: int, balance: str) -> RealBatch:
        """Draw a batch from torch's global generator, flipped and turned at random."""
        rows = self.rows(size, balance)
        images = turned(self.pixels[rows])
        scaled = images.float().mul_(2 / 255).sub_(1)
        return RealBatch(
            scaled.contiguous(memory_format=torch.channels_last), self.conditions[rows]
        )

    def rows(self, n: int, balance: str) -> Tensor:
        """``n`` rows, with replacement, those of a class one after the other.

        With balance "class" all classes equally often, or as nearly as ``n`` allows.
        """
        if balance == "data":
            return self.order[torch.randint(len(self), (n,)).sort().values]
        classes = len(self.counts)
        which = ((torch.arange(n) + torch.randint(classes, (1,))) % classes).sort().values
        places = (torch.rand(n, dtype=torch.float64) * self.counts[which]).long()
        return self.order[self.starts[which] + places]


def training_set(
    pixels: NDArray[np.uint8], conditions: NDArray[np.float32], labels: NDArray[np.int64]
) -> TrainingSet:
    """Rows with pixels ``(n, size, size, 3)``, conditions ``(n, d)`` and class indices ``(n,)``."""
    order = np.argsort(labels, kind="stable")
    _, starts, counts = np.unique(labels[order], return_index=True, return_counts=True)
    own = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2)
    figures = (
        torch.from_numpy(np.ascontiguousarray(a)) for a in (conditions, order, starts, counts)
    )
    return TrainingSet(own, *figures)


def turned(images: Tensor) -> Tensor:
    """Each image in one of the eight positions of a square, drawn at random."""
    draws = torch.rand(3, len(images), 1, 1, 1) < 0.5
    images = torch.where(draws[0], images.flip(3), images)
    images = torch.where(draws[1], images.flip(2), images)
    return torch.where(draws[2], images.transpose(2, 3), images)


def held_out(labels: Sequence[int], groups: Sequence[str], seed: int) -> NDArray[np.int64]:
    """About a tenth of the rows of each class that has at least :data:`FEWEST`, in rising order.

    Rows of one group, a patient or copies of one picture, are held out together or not at all,
    whatever their classes; no more than a tenth of any class, so perhaps none where the groups are
    large.

    Args:
        labels: Class index of each row.
        groups: Name of each row's group.
    """
    classes = np.asarray(labels, dtype=np.int64)
    rng = np.random.default_rng(derive(seed, "held-out"))
    counts = np.bincount(classes)
    left = np.where(counts >= FEWEST, counts // SHARE, 0)
    members: dict[str, list[int]] = {}
    for row, name in enumerate(groups):
        members.setdefault(name, []).append(row)
    every = [np.array(rows, np.int64) for rows in members.values()]
    chosen = [np.zeros(0, np.int64)]
    for place in rng.permutation(len(every)):
        needed = np.bincount(classes[every[place]], minlength=len(left))
        if (needed <= left).all():
            chosen.append(every[place])
            left -= needed
    return np.sort(np.concatenate(chosen))
