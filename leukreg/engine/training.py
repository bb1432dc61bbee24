"""Train a fold: its phases one after the other, from wherever a kill left it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from leukreg.engine.checkpoints import Checkpoints, FoldOutcome, read_outcome, remove_checkpoints
from leukreg.engine.device import compute_for, reseed, session
from leukreg.engine.distributed import from_first, leads
from leukreg.engine.fold_job import EpochWatch, FoldJob, setup_fold
from leukreg.engine.mc_dropout import changes_buffers, mc_probabilities, stochastic
from leukreg.engine.phases import run_phase
from leukreg.engine.preprocessing import fitted, keep_pairs
from leukreg.errors import DataError
from leukreg.patient_results import patient_labels_of
from leukreg.progress import SILENT, Progress
from leukreg.recipe.model import PhaseSpec, Recipe
from leukreg.record import FoldTraining
from leukreg.registry.kinds import Images
from leukreg.registry.plugin_call import Choice
from leukreg.seeds import derive
from leukreg.types import Fold, Labels

LOOKED_AT = 64
"""Training images whose range is measured."""
PASSED = 8
"""Training images that passes of MC dropout are tried on: batch norm in train mode would show."""
AT_ONCE = 64
"""Images whose pixels are read at once."""


def train_fold(
    recipe: Recipe,
    labels: Labels,
    images: Images,
    fold: Fold,
    folder: Path,
    progress: Progress = SILENT,
    watch: EpochWatch | None = None,
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
        if leads():
            remove_checkpoints(folder)
        return done
    folder.mkdir(parents=True, exist_ok=True)
    compute = compute_for(recipe.training)
    with session(compute):
        job = setup_fold(recipe, labels, images, fold, compute, folder, progress)
        job = replace(job, watch=watch)
        keeper = Checkpoints(folder, fingerprint, job.model)
        # All have read what an earlier stretch left, before the first of them writes there.
        from_first(job.model)
        seen = fitted(job.model.preprocessing, images, fold, progress)
        facts = _seen(job, compute.noted(keeper.state.facts))
        keeper.state.facts = replace(facts, preprocessing=seen)
        if seen and fold.index == 0 and leads():
            keep_pairs(job.model.preprocessing, images, fold, folder)
        for index in range(len(keeper.state.phases), len(recipe.phases)):
            run_phase(job, index, keeper)
        job.model.aggregator = None  # [patients] learns its own, on features that move no more
        keeper.state.facts = _measured(job, keeper.state.facts)
    return keeper.conclude(labels.names)


def _seen(job: FoldJob, facts: FoldTraining) -> FoldTraining:
    """What the network takes to be the 0 to 1 scale, as seen on some training images."""
    seen = job.model.normaliser.rescale(job.train.pixels(job.train.spread(LOOKED_AT)))
    return replace(facts, input_range=(float(seen.min()), float(seen.max()), 0.0, 1.0))


def _measured(job: FoldJob, facts: FoldTraining) -> FoldTraining:
    """What is measured on the trained model."""
    facts = replace(facts, parameters=sum(p.numel() for p in job.model.parameters()))
    mc = job.recipe.evaluate.mc_dropout
    if mc is None:
        return facts
    images = job.compute.put(job.train.pixels(job.train.spread(PASSED)))
    reseed(derive(job.recipe.seed, "fold", job.fold, "mc-dropout"))
    changed = changes_buffers(
        job.model, lambda: mc_probabilities(job.model, images, mc.passes, job.compute)
    )
    return replace(facts, bn_changed_by_mc=changed, mc_dropout_layers=len(stochastic(job.model)))


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
        *(_told(choice) for choice in (*recipe.preprocessing, recipe.augmentation, recipe.sampler)),
        (training.batch_size, training.accumulate, training.feature_views),
        *(["synchronised"] if training.sync_batchnorm else []),
        *(_told_phase(phase) for phase in recipe.phases),
        *([images.samples.rows[row].id for row in side] for side in (fold.train, fold.validation)),
        *_made(images, (*fold.train, *fold.validation)),
        *_of_patients(recipe, images, (*fold.train, *fold.validation)),
    ]
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def _made(images: Images, rows: Sequence[int]) -> list[str]:
    """Digest of synthetic pixels: other images may have been made under the same ids."""
    made = [row for row in rows if images.samples.rows[row].origin == "synthetic"]
    digest = hashlib.blake2b(digest_size=16)
    for start in range(0, len(made), AT_ONCE):
        digest.update(images.pixels(made[start : start + AT_ONCE]).tobytes())
    return [digest.hexdigest()] if made else []


def _of_patients(recipe: Recipe, images: Images, rows: Sequence[int]) -> list[object]:
    """What phases that learn from patients learn: whose cells are whose, and their labels."""
    if recipe.patients is None or all(phase.bags is None for phase in recipe.phases):
        return []
    known = patient_labels_of(images.samples)
    whose = [images.samples.rows[row].patient for row in rows]
    labels = [known.labels.get(str(patient)) for patient in whose]
    return [_told(recipe.patients.aggregator), known.classes, whose, labels]


def _told(choice: Choice | None) -> object:
    return None if choice is None else (choice.name, sorted(choice.options.items()))


def _told_phase(phase: PhaseSpec) -> object:
    plain = {name: value for name, value in vars(phase).items() if not isinstance(value, Choice)}
    return sorted(plain.items()), _told(phase.optimizer), _told(phase.schedule)
