"""The images a run was made from, where they are still what they were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leukreg.data.image_store import ImageStore, open_images
from leukreg.data.near_duplicates import near_duplicates_between
from leukreg.errors import DataError, NotAvailable, Problems
from leukreg.progress import SILENT, Progress
from leukreg.recipe.model import Recipe
from leukreg.record import RunRecord

ENOUGH = 0.5
"""Share of the run's training and validation images that must still be there."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainingImages:
    """A run's training and validation images, opened again."""

    store: ImageStore
    place: Mapping[int, int]
    """Row of the run to row of the store, for images that are still the same."""
    lost: int
    """Images that are gone or have changed."""

    def rows(self, rows: tuple[int, ...]) -> list[int]:
        """Rows of the store for these rows of the run, those that are lost left out."""
        return [self.place[row] for row in rows if row in self.place]

    def note(self) -> str:
        """What a reader should know; empty where nothing is lost."""
        if not self.lost:
            return ""
        total = self.lost + len(self.place)
        return (
            f"{self.lost} of the run's {total} training and validation images are gone or changed"
        )


def learned_rows(result: RunRecord) -> tuple[int, ...]:
    """Rows that a model of this run, or its generator, was trained on, or that stopped it."""
    sides = (side for fold in result.folds for side in (fold.learned, fold.validation))
    return tuple(sorted({row for side in sides for row in side}))


def open_training_images(
    result: RunRecord, recipe: Recipe, progress: Progress = SILENT
) -> TrainingImages:
    """Open the run's training and validation images again.

    Raises:
        NotAvailable: Too few of them are still there, unchanged; the message says how many.
    """
    wanted = learned_rows(result)
    chosen = tuple(result.samples.rows[row] for row in wanted)
    there = tuple(row for row in chosen if Path(row.path).is_file())
    numbers: dict[str, list[int]] = {}
    for row, sample in zip(wanted, chosen, strict=True):
        numbers.setdefault(sample.id, []).append(row)
    place: dict[int, int] = {}
    if not there:
        raise NotAvailable(_gone(0, len(chosen)))
    try:
        samples = replace(result.samples, rows=there, broken=())
        store = open_images(samples, recipe.image, "skip", progress)
    except Problems as error:
        raise NotAvailable(_gone(0, len(chosen))) from error
    except DataError as error:  # such as a cache that cannot be written
        raise NotAvailable(str(error)) from error
    for index, sample in enumerate(store.samples.rows):
        if result.pixels.get(sample.id) in (None, store.facts[sample.id].pixels):
            place |= dict.fromkeys(numbers[sample.id], index)
    if len(place) < ENOUGH * len(chosen):
        raise NotAvailable(_gone(len(place), len(chosen)))
    return TrainingImages(store, place, len(chosen) - len(place))


def _gone(left: int, of: int) -> str:
    return f"{left} of the run's {of} training and validation images are still where they were"


Ids = tuple[str | None, ...]


def exact_duplicates(result: RunRecord, digests: Sequence[str]) -> Ids:
    """For each digest of pixels, the id of a training image with the same ones."""
    known: dict[str, str] = {}
    for row in learned_rows(result):
        name = result.samples.rows[row].id
        if name in result.pixels:
            known.setdefault(result.pixels[name], name)
    return tuple(known.get(digest) for digest in digests)


def near_duplicates(
    own: TrainingImages,
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
