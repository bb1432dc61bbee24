"""Train a fold: its phases one after the other, from wherever a kill left it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukreg.engine.assembly import Criterion, assemble
from leukreg.engine.batches import Augment, Rows, checked, rows_of
from leukreg.engine.checkpoints import (
    MODEL,
    Checkpoints,
    FoldOutcome,
    FoldState,
    digests,
    read_outcome,
    save,
    write_outcome,
)
from leukreg.engine.device import Compute, compute_for, reseed, session
from leukreg.engine.frozen_features import Material
from leukreg.engine.mc_dropout import changes_buffers, mc_probabilities, stochastic
from leukreg.engine.phases import FoldJob, run_phase
from leukreg.engine.unfreeze import phase_plans
from leukreg.errors import DataError
from leukreg.progress import SILENT, Progress
from leukreg.recipe.model import PhaseSpec, Recipe
from leukreg.registry.kinds import Images
from leukreg.registry.plugin_call import Choice, breach, call
from leukreg.seeds import derive
from leukreg.types import Fold, Labels

LOOKED_AT = 64
"""Training images whose range is measured."""


def train_fold(
    recipe: Recipe,
    labels: Labels,
    images: Images,
    fold: Fold,
    folder: Path,
    progress: Progress = SILENT,
) -> FoldOutcome:
    """Train the recipe's model on a fold; the trained weights and the checkpoints go to ``folder``.

    Called again after a kill it goes on from the last checkpoint, on a CPU to the same last bit;
    called after completion it returns at once. Class counts, and class weights where the recipe
    has them, are taken from the fold's training rows, whatever ``labels`` says.

    Raises:
        DataError: There are no training rows.
        PluginFault: A plugin fails or breaks its contract.
        Problems: A phase unfreezes nothing new.
        RunError: ``folder`` belongs to another recipe or fold.
        TrainingError: The loss is no number.
    """
    if not fold.train:
        raise DataError(f"fold {fold.index + 1} has no training rows")
    fingerprint = fingerprint_of(recipe, labels, images, fold)
    done = read_outcome(folder, fingerprint)
    if done is not None:
        Checkpoints(folder, fingerprint).remove()
        return done
    folder.mkdir(parents=True, exist_ok=True)
    compute = compute_for(recipe.training)
    with session(compute):
        labels = fold_labels(recipe, labels, rows_of(images, fold.train, labels))
        job, state = _train(recipe, labels, images, fold, folder, compute, fingerprint, progress)
        state.facts |= _facts(job)
    return _keep(job, state, labels, fingerprint)


def fold_labels(recipe: Recipe, labels: Labels, train: Rows) -> Labels:
    """The labels with counts and class weights of these training rows."""
    counts = np.bincount(train.targets.numpy(), minlength=len(labels))
    labels = replace(labels, counts=tuple(int(count) for count in counts))
    choice = recipe.loss.class_weights
    if choice is None:
        return labels
    weights = call(choice, lambda: tuple(float(w) for w in choice.plugin.build(labels)))
    if len(weights) != len(labels) or not all(0 < w < float("inf") for w in weights):
        raise breach(
            choice,
            f" gives weights {weights} for {len(labels)} classes; "
            "it must give one positive figure per class",
        )
    return replace(labels, weights=weights)


def _train(
    recipe: Recipe,
    labels: Labels,
    images: Images,
    fold: Fold,
    folder: Path,
    compute: Compute,
    fingerprint: str,
    progress: Progress,
) -> tuple[FoldJob, FoldState]:
    model = assemble(recipe, labels)
    plans = phase_plans(recipe, model)
    model.set_channels_last(compute.channels_last)
    keeper = Checkpoints(folder, fingerprint)
    state, parts = keeper.resume(model, digests(model))
    model.to(compute.device)
    job = FoldJob(
        recipe=recipe,
        fold=fold.index,
        model=model,
        criterion=Criterion(recipe.loss.loss, labels).to(compute.device),
        material=material_of(recipe, labels, images, fold, folder, compute),
        keeper=keeper,
        progress=progress,
    )
    state.facts |= compute.facts() | _input_range(job)
    for index in range(len(state.phases), len(recipe.phases)):
        run_phase(job, recipe.phases[index], plans[index], state, parts)
        parts = {}
    return job, state


def material_of(
    recipe: Recipe, labels: Labels, images: Images, fold: Fold, folder: Path, compute: Compute
) -> Material:
    """The rows of the fold, and the recipe's augmentation of them."""
    choice = recipe.augmentation
    augment: Augment | None = None
    if choice is not None:
        augment = checked(call(choice, choice.plugin.build, recipe.image), choice)
    return Material(
        train=rows_of(images, fold.train, labels),
        validation=rows_of(images, fold.validation, labels) if fold.validation else None,
        augment=augment,
        compute=compute,
        folder=folder,
    )


def _some(rows: Rows, n: int) -> NDArray[np.int64]:
    return np.linspace(0, len(rows) - 1, min(len(rows), n)).astype(np.int64)


def _input_range(job: FoldJob) -> dict[str, Any]:
    """What the network takes to be the 0 to 1 scale, as seen on some training images."""
    rows = job.material.train
    seen = job.model.normaliser.rescale(rows.pixels(_some(rows, LOOKED_AT)))
    return {"input_range": [float(seen.min()), float(seen.max()), 0.0, 1.0]}


def _facts(job: FoldJob) -> dict[str, Any]:
    """What is measured on the trained model."""
    facts: dict[str, Any] = {"parameters": sum(p.numel() for p in job.model.parameters())}
    mc = job.recipe.evaluate.mc_dropout
    if mc is None:
        return facts
    rows, compute = job.material.train, job.material.compute
    images = compute.put(rows.pixels(_some(rows, job.recipe.training.batch_size)))
    reseed(derive(job.recipe.seed, "fold", job.fold, "mc-dropout"))
    changed = changes_buffers(
        job.model, lambda: mc_probabilities(job.model, images, mc.passes, compute)
    )
    return facts | {"bn_changed_by_mc": changed, "mc_dropout_layers": len(stochastic(job.model))}


def _keep(job: FoldJob, state: FoldState, labels: Labels, fingerprint: str) -> FoldOutcome:
    """Write the model, then the outcome, then let the checkpoints go."""
    folder = job.material.folder
    weights = {name: value.cpu() for name, value in job.model.state_dict().items()}
    model = {"fingerprint": fingerprint, "classes": list(labels.names), "weights": weights}
    save(folder / MODEL, model)
    outcome = FoldOutcome(
        epochs=tuple(state.epochs),
        phases=tuple(state.phases),
        facts=state.facts,
        model_path=folder / MODEL,
    )
    write_outcome(outcome, folder, fingerprint)
    job.keeper.remove()
    return outcome


AT_ONCE = 64
"""Images whose pixels are read at once."""


def fingerprint_of(recipe: Recipe, labels: Labels, images: Images, fold: Fold) -> str:
    """Digest of everything that decides the trained weights, the machine apart."""
    model, training = recipe.model, recipe.training
    parts = [
        recipe.seed,
        recipe.image.size,
        labels.names,
        model.input,
        *(_told(choice) for choice in (model.backbone, model.attention, model.head)),
        *(_told(choice) for choice in (recipe.loss.loss, recipe.loss.class_weights)),
        *(_told(choice) for choice in (recipe.augmentation, recipe.sampler)),
        (training.batch_size, training.feature_views),
        *(_told_phase(phase) for phase in recipe.phases),
        *([images.samples.rows[row].id for row in side] for side in (fold.train, fold.validation)),
        *_made(images, (*fold.train, *fold.validation)),
    ]
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def _made(images: Images, rows: Sequence[int]) -> list[str]:
    """Digest of synthetic pixels: other images may have been made under the same ids."""
    made = [row for row in rows if images.samples.rows[row].origin == "synthetic"]
    digest = hashlib.blake2b(digest_size=16)
    for start in range(0, len(made), AT_ONCE):
        digest.update(images.pixels(made[start : start + AT_ONCE]).tobytes())
    return [digest.hexdigest()] if made else []


def _told(choice: Choice | None) -> object:
    return None if choice is None else (choice.name, sorted(choice.options.items()))


def _told_phase(phase: PhaseSpec) -> object:
    plain = {name: value for name, value in vars(phase).items() if not isinstance(value, Choice)}
    return sorted(plain.items()), _told(phase.optimizer), _told(phase.schedule)
