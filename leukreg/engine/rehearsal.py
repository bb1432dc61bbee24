"""One small batch through everything that a recipe trains with, before anything is trained."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.optim.lr_scheduler import ReduceLROnPlateau

from leukreg.engine.aggregation import try_aggregator
from leukreg.engine.batches import Batch, sampled_order
from leukreg.engine.classifier import as_module
from leukreg.engine.device import compute_for, reseed, session
from leukreg.engine.fold_job import FoldJob, setup_fold
from leukreg.engine.phases import stepping_parts
from leukreg.engine.trainer import evaluate, setup_trainer, training_errors
from leukreg.engine.unfreeze import PhasePlan, train_mode, unfreeze
from leukreg.errors import TrainingError
from leukreg.progress import SILENT
from leukreg.recipe.model import PhaseSpec, Recipe
from leukreg.registry.plugin_call import call
from leukreg.seeds import derive
from leukreg.types import Fold, Labels, Samples

MOST = 8
"""Images of the batch, and of those that preprocessing is fitted on."""


@dataclass(frozen=True, slots=True)
class Noise:
    """Samples with noise for pixels: what is wrong with a plugin seldom needs real ones."""

    samples: Samples
    size: int

    def __len__(self) -> int:
        return len(self.samples)

    def pixels(self, rows: Sequence[int]) -> NDArray[np.uint8]:
        """Noise, shape ``(len(rows), size, size, 3)``."""
        shape = (len(rows), self.size, self.size, 3)
        return np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What trying a recipe told."""

    phases: tuple[PhasePlan, ...]
    """What each phase would train."""
    seconds: float
    """Per image, of the slowest step: a first one, slower than those to come."""


def rehearse(recipe: Recipe, labels: Labels, samples: Samples) -> Rehearsal:
    """Plan the phases, and take the step that trains most with a few rows and noise for pixels.

    Every plugin that training calls is called: sampler, augmentation, model, class weights, loss,
    optimizers, schedules, aggregator. No image is read, and random states are put back.

    Raises:
        Problems: As :func:`leukreg.engine.unfreeze.plan`.
        PluginFault: A plugin fails or breaks its contract.
        TrainingError: The step fails for another reason.
    """
    seconds = 0.0
    compute, noise = compute_for(recipe.training), Noise(samples, recipe.read_image.size)
    everything = Fold(index=0, train=tuple(range(len(samples))), validation=(), test=())
    with session(compute):
        job = setup_fold(recipe, labels, noise, everything, compute, Path(), SILENT, MOST)
        batch = _batch(job)
        # Of the phases that learn from cells and of those that learn from patients one each.
        kinds = [[p for p in job.plans if (p.bags is None) == cells] for cells in (True, False)]
        most = [max(own, key=lambda plan: plan.trainable) for own in kinds if own]
        for phase, plan in zip(recipe.phases, job.plans, strict=True):
            unfreeze(job.model, plan.unfrozen, phase.bags is not None)
            parts = stepping_parts(job, phase, phase.epochs)
            if plan in most:
                began = time.perf_counter()
                _step(job, phase, parts, batch)
                seconds = max(seconds, (time.perf_counter() - began) / len(batch.targets))
        if recipe.patients is not None:
            try_aggregator(recipe, labels, samples, job.model)
    return Rehearsal(phases=job.plans, seconds=seconds)


def _batch(job: FoldJob) -> Batch:
    """A few rows of the order that the sampler gives, augmented."""
    recipe, rows = job.recipe, job.train
    reseed(derive(recipe.seed, "rehearsal"))
    order = sampled_order(recipe.sampler, rows, recipe.seed)
    spread = np.linspace(0, len(order) - 1, min(len(order), recipe.training.batch_size, MOST))
    positions = order[spread.astype(np.int64)]
    images = job.compute.put(rows.pixels(positions))
    if job.augment is not None:
        images = job.augment(images.contiguous())
    return Batch(positions, images, job.compute.put(rows.targets[torch.from_numpy(positions)]))


def _step(job: FoldJob, phase: PhaseSpec, parts: dict[str, Any], batch: Batch) -> None:
    tail, choice, schedule = as_module(job.chain(phase)), phase.schedule, parts.get("schedule")
    criterion = job.criterion_of(phase)
    train_mode(job.model, phase.bags is not None)
    trainer = setup_trainer(
        tail, criterion, parts["optimizer"], phase.optimizer, job.compute, parts.get("scaler")
    )
    where = f"phase {phase.name!r}, a batch of {len(batch.targets)} images of noise"
    if job.train_bags is not None and phase.bags is not None:
        batch = batch._replace(targets=job.compute.put(job.train_bags.targets[:1]))
    with training_errors(lambda: where, job.recipe, job.model, phase):
        trainer.run([(batch,)], max_epochs=1)
        if choice is not None and not isinstance(schedule, ReduceLROnPlateau):
            call(choice, schedule.step)  # type: ignore[union-attr]
        job.model.eval()
        evaluate(tail, criterion, [batch], job.compute)
    state: Any = trainer.state
    if not math.isfinite(state.output.loss):
        raise TrainingError(
            f"phase {phase.name!r}: the loss of a first batch of noise is {state.output.loss}; "
            "look at the loss, or at the weights that the model begins with"
        )
