"""One pass over new images: probabilities, uncertainty, features, and what tells copies."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from leukreg.data.decode import THUMB, Reading, counted, guarded
from leukreg.engine.classifier import Classifier, run
from leukreg.engine.device import reseed, session
from leukreg.engine.dropout import stochastic
from leukreg.engine.predict import score_pixels
from leukreg.predict.inputs import Read, Readable, ahead
from leukreg.predict.models import FoldModel
from leukreg.progress import SILENT, Progress
from leukreg.recipe.model import EvaluateSpec, Recipe
from leukreg.seeds import derive

AHEAD = 3
"""Batches that are decoded while one is predicted."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What one fold's model makes of ``n`` images; unreadable rows are NaN."""

    fold: int
    probabilities: NDArray[np.float64]
    """Shape ``(n, k)``: the mean over passes and views, not calibrated."""
    uncertainty: NDArray[np.float64]
    mutual_information: NDArray[np.float64]
    features: NDArray[np.float32]
    """Shape ``(n, channels)``: the pooled map that the head is given."""


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """Everything one pass sees of ``n`` images."""

    unreadable: tuple[str | None, ...]
    folds: tuple[Seen, ...]
    digests: tuple[str, ...]
    """Digest of the pixels at native size; "" for an unreadable image."""
    thumbs: NDArray[np.uint8]
    """Shape ``(n, 64, 64)``, grey; 0 for an unreadable image."""
    readings: tuple[Reading, ...]
    """What was chosen in reading the images."""


@dataclass(slots=True, eq=False)
class _Batch:
    rows: list[int]
    pictures: list[Read]

    def pixels(self, size: int) -> Tensor:
        """uint8 ``(b, 3, size, size)``, channels-last in memory."""
        data = bytearray().join(picture.pixels for picture in self.pictures)
        return torch.frombuffer(data, dtype=torch.uint8).view(-1, size, size, 3).permute(0, 3, 1, 2)


def scan(
    models: Sequence[FoldModel],
    recipe: Recipe,
    classes: int,
    given: Sequence[Readable],
    progress: Progress = SILENT,
    dropout: bool = True,
    marks: bool = True,
) -> Scan:
    """Read and predict the images, batch by batch, while the next ones are decoded.

    Args:
        models: The folds' models; their mean is taken.
        recipe: Says batch size, image size and passes of MC dropout.
        classes: Number of classes.
        given: The images.
        progress: Told of images done.
        dropout: False leaves MC dropout out, whatever the recipe says.
        marks: Keep digests and thumbnails too, by which copies are told.
    """
    found = _Found(len(given), classes, models)
    spec = recipe.evaluate if dropout else replace(recipe.evaluate, mc_dropout=None)
    compute = models[0].compute
    with (
        ThreadPoolExecutor(_threads()) as pool,
        guarded(),
        session(compute),
        progress.task("Predicting", len(given)) as advance,
    ):
        done, told = 0, 0
        for batch in _batches(given, recipe, pool, found, marks):
            pixels = compute.put(batch.pixels(recipe.image.size))
            found.keep(batch, [_look(one, pixels, recipe, spec, done) for one in models])
            done += len(batch.rows)
            advance(batch.rows[-1] + 1 - told)
            told = batch.rows[-1] + 1
        advance(len(given) - told)
    return found.finished()


def _batches(
    given: Sequence[Readable], recipe: Recipe, pool: Executor, found: _Found, marks: bool
) -> Iterator[_Batch]:
    """Full batches of readable images; the reasons of the others go to ``found``."""
    size, count = recipe.image.size, recipe.training.batch_size
    batch = _Batch([], [])
    read = ahead(lambda one: one.read(size, marks), given, pool, AHEAD * count)
    for row, result in enumerate(read):
        if isinstance(result, str):
            found.unreadable[row] = result
            continue
        batch.rows.append(row)
        batch.pictures.append(result)
        if len(batch.rows) == count:
            yield batch
            batch = _Batch([], [])
    if batch.rows:
        yield batch


@torch.no_grad()
def _look(
    one: FoldModel, pixels: Tensor, recipe: Recipe, spec: EvaluateSpec, start: int
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Figures ``(b, k + 2)`` and features of a batch; seeded as training's own predictions are."""
    reseed(derive(recipe.seed, "fold", one.fold, "mc-dropout", start))
    maps: list[Tensor] = []
    hook = one.model.attention.register_forward_hook(lambda *seen: maps.append(seen[-1]))
    try:
        figures = np.column_stack(score_pixels(one.model, pixels, spec, one.compute))
    finally:
        hook.remove()
    # Where dropout lies in front of the head, the map was not that of the whole network.
    noisy = spec.mc_dropout and any(map(stochastic, (one.model.backbone, one.model.attention)))
    return figures, pooled(embed(one, pixels) if noisy else maps[0]).cpu().numpy()


@torch.no_grad()
def embed(one: FoldModel, pixels: Tensor) -> Tensor:
    """The map that the head is given, of uint8 images."""
    with one.compute.autocast():
        return run(front(one.model), pixels)


def front(model: Classifier) -> list[tuple[str, nn.Module]]:
    """Everything before the head."""
    chain = model.chain()
    last = max(i for i, (name, _) in enumerate(chain) if name == "attention")
    return chain[: last + 1]


def pooled(maps: Tensor) -> Tensor:
    """Means over the map, ``(b, channels)`` in float32."""
    return maps.float().flatten(2).mean(-1)


class _Found:
    """The results of a scan while it goes on."""

    def __init__(self, n: int, classes: int, models: Sequence[FoldModel]) -> None:
        self.unreadable: list[str | None] = [None] * n
        self.folds = [one.fold for one in models]
        self.figures = np.full((len(models), n, classes + 2), np.nan)
        self.features = [
            np.full((n, int(one.model.backbone.channels)), np.nan, np.float32)  # type: ignore[arg-type]
            for one in models
        ]
        self.digests = [""] * n
        self.read: list[tuple[tuple[str, ...], int]] = []
        self.thumbs = np.zeros((n, THUMB, THUMB), np.uint8)

    def keep(
        self, batch: _Batch, seen: Sequence[tuple[NDArray[np.float64], NDArray[np.float32]]]
    ) -> None:
        rows = np.array(batch.rows)
        for place, (figures, features) in enumerate(seen):
            self.figures[place, rows] = figures
            self.features[place][rows] = features
        for row, picture in zip(batch.rows, batch.pictures, strict=True):
            self.digests[row] = picture.digest
            self.read.append((picture.notes, picture.peak))
            if picture.thumb:
                self.thumbs[row] = np.frombuffer(picture.thumb, np.uint8).reshape(THUMB, THUMB)

    def finished(self) -> Scan:
        seen = (
            Seen(fold, figures[:, :-2], figures[:, -2], figures[:, -1], features)
            for fold, figures, features in zip(self.folds, self.figures, self.features, strict=True)
        )
        return Scan(
            tuple(self.unreadable),
            tuple(seen),
            tuple(self.digests),
            self.thumbs,
            counted(self.read),
        )


def _threads() -> int:
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1
