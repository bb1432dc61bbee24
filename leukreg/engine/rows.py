"""Rows of the data as the engine needs them: targets, groups, files, pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from leukreg.errors import DataError
from leukreg.registry.kinds import Images
from leukreg.types import Labels


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of the data; everything else speaks of positions within them."""

    images: Images
    rows: NDArray[np.int64]
    targets: Tensor
    """Class indices, int64."""

    def __len__(self) -> int:
        return len(self.rows)

    def pixels(self, positions: NDArray[np.int64]) -> Tensor:
        """uint8 images ``(n, 3, size, size)``, channels-last in memory."""
        pixels = self.images.pixels(self.rows[positions].tolist())
        return torch.from_numpy(np.require(pixels, requirements=["C", "W"])).permute(0, 3, 1, 2)

    def paths(self, positions: NDArray[np.int64]) -> list[str]:
        """The image files at these positions."""
        return [self.images.samples.rows[row].path for row in self.rows[positions].tolist()]

    def groups(self) -> list[str]:
        """Patient ids, or row ids where a patient is unknown."""
        samples = self.images.samples.rows
        return [samples[row].patient or f"row {row}" for row in self.rows.tolist()]

    def origins(self) -> list[str]:
        """Where each row comes from: "real" or "synthetic"."""
        samples = self.images.samples.rows
        return [samples[row].origin for row in self.rows.tolist()]

    def files(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """One position per file, and for each position the number of its file.

        Several rows of one file share its features.
        """
        ids = [self.images.samples.rows[row].id for row in self.rows.tolist()]
        slots = {name: slot for slot, name in enumerate(dict.fromkeys(ids))}
        file_of = np.array([slots[name] for name in ids], dtype=np.int64)
        _, first = np.unique(file_of, return_index=True)
        return first.astype(np.int64), file_of


def rows_of(images: Images, rows: Sequence[int], labels: Labels) -> Rows:
    """These rows with their class indices.

    Raises:
        DataError: A row has a label that is not among the task's classes.
    """
    index = {name: i for i, name in enumerate(labels.names)}
    samples = images.samples.rows
    strange = [samples[row] for row in rows if samples[row].label not in index]
    if strange:
        raise DataError(
            f"{strange[0].path}: label {strange[0].label!r} is not a class of this task "
            f"({', '.join(labels.names)}); {len(strange)} such rows"
        )
    targets = torch.tensor([index[samples[row].label] for row in rows], dtype=torch.int64)
    return Rows(images, np.asarray(rows, dtype=np.int64).reshape(-1), targets)
