"""New images that show a picture the model was trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from leukreg.data.near_duplicates import near_duplicates_between
from leukreg.predict.own import Own, learned_rows
from leukreg.progress import SILENT, Progress
from leukreg.types import RunResult

Ids = tuple[str | None, ...]


def exact_copies(result: RunResult, digests: Sequence[str]) -> Ids:
    """For each digest of pixels, the id of a training image with the same ones."""
    known: dict[str, str] = {}
    for row in learned_rows(result):
        name = result.samples.rows[row].id
        if name in result.pixels:
            known.setdefault(result.pixels[name], name)
    return tuple(known.get(digest) for digest in digests)


def near_copies(
    own: Own,
    thumbs: NDArray[np.uint8],
    exact: Ids,
    progress: Progress = SILENT,
) -> Ids:
    """For each thumbnail, the id of the training image it most nearly copies.

    Exact copies are left out, and so are blank ones (unreadable images). Mirrored, turned and
    rescaled copies are not found (see :mod:`leukreg.data.near_duplicates`).
    """
    rows = sorted(set(own.place.values()))
    asked = [i for i, same in enumerate(exact) if same is None and thumbs[i].any()]
    best: dict[int, tuple[float, int]] = {}
    for new, known, score in near_duplicates_between(
        thumbs[asked], own.store.thumbs(rows), progress
    ):
        best[asked[new]] = max(best.get(asked[new], (0.0, 0)), (score, rows[known]))
    samples = own.store.samples.rows
    return tuple(samples[best[i][1]].id if i in best else None for i in range(len(exact)))
