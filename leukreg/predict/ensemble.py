"""The folds' models as one: the mean of their probabilities, calibrated as the run is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from leukreg.data.decode import THUMB, counted
from leukreg.engine.checkpoints import MODEL
from leukreg.engine.classifier import Classifier, run
from leukreg.engine.device import Compute, compute_for, reseed, session
from leukreg.engine.inference import load_model, score_pixels
from leukreg.engine.mc_dropout import stochastic
from leukreg.errors import NotAvailable, RunError
from leukreg.evaluate.calibration import entropy, tempered
from leukreg.evaluate.conformal import voted_sets
from leukreg.predict.inputs import Readable, read_batches
from leukreg.prepare import labels_of
from leukreg.progress import SILENT, Progress
from leukreg.recipe.model import EvaluateSpec, Recipe
from leukreg.record import Reading, RunRecord
from leukreg.seeds import derive
from leukreg.types import Fold, Origin, Predictions

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class FoldModel:
    """A fold's trained model, in eval mode on its device."""

    fold: int
    model: Classifier
    compute: Compute

    def see(self, pixels: NDArray[np.uint8]) -> Tensor:
        """Images ``(b, h, w, 3)`` as they are read, ready for the model: ``(b, 3, size, size)``."""
        seen = self.model.preprocessing.change(pixels)
        return self.compute.put(torch.from_numpy(seen).permute(0, 3, 1, 2))


def model_paths(result: RunRecord) -> tuple[Path, ...]:
    """The model file of every fold.

    Raises:
        RunError: The run has no models of its own, or they are gone; all missing files are named.
    """
    came_from = result.evaluated_from
    if came_from is not None:
        raise RunError(
            f"{result.folder}: is the evaluation of another run and holds no model; "
            f"take the run itself: {came_from.folder}"
        )
    paths = tuple(result.folder / f"fold-{fold.index}" / MODEL for fold in result.folds)
    missing = [path for path in paths if not path.is_file()]
    if missing:
        named = "\n  ".join(map(str, missing))
        raise RunError(f"{result.folder}: the trained models are no longer there:\n  {named}")
    return paths


def load_models(result: RunRecord, recipe: Recipe) -> tuple[FoldModel, ...]:
    """Every fold's model.

    Raises:
        RunError: A model is missing, damaged or does not fit the recipe.
        NotAvailable: A part of the model needs something that is not on this machine.
    """
    compute = compute_for(recipe.training)

    def loaded(fold: Fold, path: Path) -> FoldModel:
        labels = labels_of(recipe, result.samples, fold.train)
        try:
            model = load_model(recipe, labels, path, compute)
        except NotAvailable:
            # The weights it began with are not needed: all are in the file that training left.
            untrained = without_weights(recipe)
            if untrained is None:
                raise
            model = load_model(untrained, labels, path, compute)
        return FoldModel(fold.index, model, compute)

    with session(compute):
        return tuple(map(loaded, result.folds, model_paths(result)))


def without_weights(recipe: Recipe) -> Recipe | None:
    """The recipe with a backbone that starts from random weights; None where it has no choice."""
    choice = recipe.model.backbone
    if not hasattr(choice.plugin, "weights") or not dataclasses.is_dataclass(choice.plugin):
        return None
    plugin = replace(choice.plugin, weights="random")  # type: ignore[type-var]
    return replace(recipe, model=replace(recipe.model, backbone=replace(choice, plugin=plugin)))


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What one fold's model makes of ``n`` images; unreadable rows are NaN."""

    fold: int
    probabilities: NDArray[np.float64]
    """Shape ``(n, k)``: the mean over passes and views, not calibrated."""
    uncertainty: NDArray[np.float64]
    mutual_information: NDArray[np.float64]
    features: NDArray[np.float32] | None
    """Shape ``(n, channels)``: the pooled map that the head is given; None where not kept."""
    distance: Floats | None
    """Shape ``(n,)``: of these features to the training data; None where not asked for."""


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


def scan(
    models: Sequence[FoldModel],
    recipe: Recipe,
    classes: int,
    given: Sequence[Readable],
    progress: Progress = SILENT,
    dropout: bool = True,
    marks: bool = True,
    features: bool = True,
    away: Sequence[Callable[[NDArray[np.float32]], Floats]] = (),
) -> Scan:
    """Read and predict the images, batch by batch, while the next ones are decoded.

    Of many images features are what takes most: a float for each image, channel and fold.

    Args:
        models: The folds' models; their mean is taken.
        recipe: Says batch size, image size and passes of MC dropout.
        classes: Number of classes.
        given: The images.
        progress: Told of images done.
        dropout: False leaves MC dropout out, whatever the recipe says.
        marks: Keep digests and thumbnails too, by which copies are told.
        features: Keep what the heads are given.
        away: Of each fold, how far such features lie from its training data.
    """
    spec = recipe.evaluate if dropout else replace(recipe.evaluate, mc_dropout=None)
    n, size, compute = len(given), recipe.read_image.size, models[0].compute
    figures = np.full((len(models), n, classes + 2), np.nan)
    channels = [int(one.model.backbone.channels) for one in models]  # type: ignore[arg-type]
    kept = [np.full((n, width), np.nan, np.float32) if features else None for width in channels]
    distance = [np.full(n, np.nan) if away else None for _ in models]
    unreadable: list[str | None] = [None] * n
    digests, notes = [""] * n, []
    thumbs = np.zeros((n, THUMB, THUMB), np.uint8)
    done, told = 0, 0
    with session(compute), progress.task("Predicting", n) as advance:
        for batch in read_batches(given, size, recipe.training.batch_size, unreadable, marks):
            pixels = batch.pixels(size)
            strange = models[0].model.preprocessing.unfit_notes(pixels)
            for place, one in enumerate(models):
                figures[place, batch.rows], own = _look(one, one.see(pixels), recipe, spec, done)
                if (table := kept[place]) is not None:
                    table[batch.rows] = own
                if (column := distance[place]) is not None:
                    column[batch.rows] = away[place](own)
            for row, read, note in zip(batch.rows.tolist(), batch.read, strange, strict=True):
                digests[row] = read.digest
                notes.append(((*read.notes, *note), read.peak))
                if read.thumb:
                    thumbs[row] = np.frombuffer(read.thumb, np.uint8).reshape(THUMB, THUMB)
            done += len(batch.rows)
            upto = int(batch.rows[-1]) + 1
            advance(upto - told)
            told = upto
        advance(n - told)
    folds = (
        Seen(one.fold, found[:, :-2], found[:, -2], found[:, -1], own, far)
        for one, found, own, far in zip(models, figures, kept, distance, strict=True)
    )
    return Scan(tuple(unreadable), tuple(folds), tuple(digests), thumbs, counted(notes))


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
        return run(one.model.front(), pixels)


def pooled(maps: Tensor) -> Tensor:
    """Means over the map, ``(b, channels)`` in float32."""
    return maps.float().flatten(2).mean(-1)


@dataclass(frozen=True, slots=True, eq=False)
class Together:
    """What the models say together of ``n`` images."""

    probabilities: Floats
    """Shape ``(n, k)``: the mean of the folds' calibrated probabilities."""
    uncertainty: Floats
    mutual_information: Floats
    """Shape ``(n,)``: between the class and which model and pass is asked, before calibration."""
    sets: NDArray[np.bool_] | None
    coverage: float | None


def together(seen: Scan, result: RunRecord) -> Together:
    """Join the folds; calibration and prediction sets are those the run was scored with."""
    heat = result.fitted.temperature_by_fold()
    calibrated = [one.probabilities for one in seen.folds]
    if heat:
        calibrated = [tempered(one.probabilities, heat.get(one.fold, 1.0)) for one in seen.folds]
    mean = np.mean(calibrated, axis=0)
    raw = entropy(np.mean([one.probabilities for one in seen.folds], axis=0))
    expected = [one.uncertainty - one.mutual_information for one in seen.folds]
    # By rounding alone a difference of equals may come out below 0.
    shared = np.maximum(raw - np.mean(expected, axis=0), 0)
    if len(seen.folds) == 1:
        shared = seen.folds[0].mutual_information
    conformal = result.fitted.conformal
    if conformal is None:
        return Together(mean, entropy(mean), shared, None, None)
    n, classes = len(mean), result.samples.classes
    real: Origin = "real"
    parts = [
        Predictions(
            classes=classes,
            row=np.arange(n),
            id=seen.digests,  # an image is known by its pixels, wherever it lies
            path=seen.digests,
            patient=(None,) * n,
            origin=(real,) * n,
            fold=np.full(n, one.fold, dtype=np.int64),
            label=np.zeros(n, dtype=np.int64),
            probabilities=p,
            uncertainty=one.uncertainty,
            mutual_information=one.mutual_information,
        )
        for one, p in zip(seen.folds, calibrated, strict=True)
    ]
    sets = voted_sets(parts, conformal)
    return Together(mean, entropy(mean), shared, sets, conformal.coverage)
