"""Features of the frozen front, computed once and used in every epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from leukreg.engine.batches import Augment, Feed
from leukreg.engine.device import Compute, reseed
from leukreg.engine.prefix import Prefix, unpack
from leukreg.engine.rows import Rows
from leukreg.progress import SILENT, Progress
from leukreg.seeds import derive

BUDGET = 4 * 2**30
"""Bytes of features that are kept at most; above it they are computed anew every epoch."""
IN_MEMORY = 256 * 2**20
"""Bytes up to which features stay in memory; larger ones are mapped from a file."""


@dataclass(frozen=True, slots=True)
class Features:
    """Stored features: ``views`` views of every file, view after view."""

    store: Tensor
    file_of: NDArray[np.int64]
    """The number of its file, for each position."""
    files: int
    views: int
    compute: Compute

    def feed(self, seed: int) -> Feed:
        """Feed stored features; each row draws one of its views, by ``seed``."""

        def feed(order: NDArray[np.int64]) -> Callable[[int, int], Tensor]:
            generator = np.random.default_rng(seed)
            views = generator.integers(self.views, size=len(order))
            slots = torch.from_numpy(views * self.files + self.file_of[order])

            def inputs(start: int, end: int) -> Tensor:
                chosen = self.store.index_select(0, slots[start:end])
                return unpack(self.compute.put(chosen), self.compute)

            return inputs

        return feed


def bytes_per_view(prefix: Prefix, rows: Rows) -> int:
    """Bytes that one view of all files of these rows takes."""
    one = prefix.packed(prefix.compute.put(rows.pixels(np.zeros(1, dtype=np.int64))))
    return one.numel() * one.element_size() * len(rows.files()[0])


def compute_features(
    prefix: Prefix,
    rows: Rows,
    views: int = 1,
    augment: Augment | None = None,
    seed: int = 0,
    path: Path | None = None,
    progress: Progress = SILENT,
) -> Features:
    """Run every file through the prefix, once per view.

    A view's augmentation is drawn chunk by chunk from ``seed``. ``path`` is the file that
    features too large for memory are mapped from; the caller removes it.
    """
    first, file_of = rows.files()
    starts = range(0, len(first), prefix.chunk)
    store: Tensor | None = None
    with progress.task("features of the frozen layers", len(first) * views) as advance:
        for view in range(views):
            for start in starts:
                images = prefix.compute.put(rows.pixels(first[start : start + prefix.chunk]))
                if augment is not None:
                    reseed(derive(seed, "view", view, "file", start))
                    images = augment(images.contiguous())
                part = prefix.packed(images).cpu()
                if store is None:
                    store = allocate((views * len(first), *part.shape[1:]), part.dtype, path)
                at = view * len(first) + start
                store[at : at + len(part)] = part
                advance(len(part))
    assert store is not None
    return Features(store, file_of, len(first), views, prefix.compute)


def allocate(shape: Sequence[int], dtype: torch.dtype, path: Path | None) -> Tensor:
    """Room for features: in memory where they are few, else mapped from the file ``path``."""
    count = math.prod(shape)
    if path is None or count * dtype.itemsize <= IN_MEMORY:
        return torch.empty(tuple(shape), dtype=dtype)
    path.unlink(missing_ok=True)
    return torch.from_file(str(path), shared=True, size=count, dtype=dtype).view(*shape)
