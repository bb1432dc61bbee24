"""The images a run was made from, where they are still what they were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from leukreg.data.image_store import ImageStore, open_images
from leukreg.data.near_duplicates import ReadThumbs, Thumbs, near_duplicates_between
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
    position: Mapping[int, int]
    """Row of the run to row of the store, for images that are still the same."""
    lost: int
    """Images that are gone or have changed."""

    def rows(self, rows: tuple[int, ...]) -> list[int]:
        """Rows of the store for these rows of the run, those that are lost left out."""
        return [self.position[row] for row in rows if row in self.position]

    def note(self) -> str:
        """What a reader should know; empty where nothing is lost."""
        if not self.lost:
            return ""
        total = self.lost + len(self.position)
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
    learned, rows = learned_rows(result), result.samples.rows

    def gone(left: int) -> NotAvailable:
        return NotAvailable(
            f"{left} of the run's {len(learned)} training and validation images are still where "
            "they were"
        )

    there = tuple(rows[row] for row in learned if Path(rows[row].path).is_file())
    if not there:
        raise gone(0)
    try:
        samples = replace(result.samples, rows=there, broken=())
        store = open_images(samples, recipe.read_image, "skip", progress)
    except Problems as error:
        raise gone(0) from error
    except DataError as error:  # such as a cache that cannot be written
        raise NotAvailable(str(error)) from error
    same = {
        sample.id: index
        for index, sample in enumerate(store.samples.rows)
        if result.pixels.get(sample.id) in (None, store.facts[sample.id].pixels)
    }
    position = {row: same[rows[row].id] for row in learned if rows[row].id in same}
    if len(position) < ENOUGH * len(learned):
        raise gone(len(position))
    return TrainingImages(store, position, len(learned) - len(position))


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
    images: TrainingImages, thumbs: Thumbs, exact: Ids, progress: Progress = SILENT
) -> Ids:
    """For each thumbnail, the id of the training image it most nearly copies.

    Exact copies are left out, and so are blank ones (unreadable images). Mirrored, turned and
    rescaled copies are not found (see :mod:`leukreg.data.near_duplicates`).
    """
    rows = sorted(set(images.position.values()))
    asked = [i for i, same in enumerate(exact) if same is None and thumbs[i].any()]
    best: dict[int, tuple[float, int]] = {}
    known = ReadThumbs(images.store.thumbs, np.array(rows, dtype=np.int64))
    new = ReadThumbs(lambda at: thumbs[at], np.array(asked, dtype=np.int64))
    for place, other, score in near_duplicates_between(new, known, progress):
        best[asked[place]] = max(best.get(asked[place], (0.0, 0)), (score, rows[other]))
    samples = images.store.samples.rows
    return tuple(samples[best[i][1]].id if i in best else None for i in range(len(exact)))
