"""One small batch through everything that a recipe trains with, before anything is trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.optim.lr_scheduler import ReduceLROnPlateau

from leukreg.engine.assembly import Criterion, assemble
from leukreg.engine.batches import Batch, Rows, checked, rows_of, sampled_order
from leukreg.engine.checkpoints import PhasePlan
from leukreg.engine.classifier import Classifier, as_module
from leukreg.engine.device import Compute, compute_for, reseed, session
from leukreg.engine.trainer import evaluate, in_training, parts_of, setup_trainer
from leukreg.engine.training import fold_labels
from leukreg.engine.unfreeze import groups, phase_plans, train_mode, unfreeze
from leukreg.errors import LeukregError, TrainingError
from leukreg.recipe.model import PhaseSpec, Recipe
from leukreg.registry.plugin_call import call
from leukreg.seeds import derive
from leukreg.types import Labels, Samples

MOST = 8
"""Images of the batch."""


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


def rehearse(recipe: Recipe, labels: Labels, samples: Samples) -> tuple[PhasePlan, ...]:
    """Plan the phases, and take the step that trains most with a few rows and noise for pixels.

    Every plugin that training calls is called: sampler, augmentation, model, class weights, loss,
    optimizers, schedules. No image is read, and random states are put back.

    Raises:
        Problems: As :func:`leukreg.engine.unfreeze.plan`.
        PluginFault: A plugin fails or breaks its contract.
        TrainingError: The step fails for another reason.
    """
    compute = compute_for(recipe.training)
    with session(compute):
        rows = rows_of(Noise(samples, recipe.image.size), range(len(samples)), labels)
        labels = fold_labels(recipe, labels, rows)
        model = assemble(recipe, labels)
        plans = phase_plans(recipe, model)
        model.to(compute.device)
        model.set_channels_last(compute.channels_last)
        criterion = Criterion(recipe.loss.loss, labels).to(compute.device)
        batch = _batch(recipe, rows, compute)
        most = max(range(len(plans)), key=lambda index: plans[index].trainable)
        for index, (phase, plan) in enumerate(zip(recipe.phases, plans, strict=True)):
            unfreeze(model, plan.unfrozen)
            _phase(recipe, phase, model, criterion, batch if index == most else None, compute)
    return plans


def _batch(recipe: Recipe, rows: Rows, compute: Compute) -> Batch:
    """A few rows of the order that the sampler gives, augmented."""
    reseed(derive(recipe.seed, "rehearsal"))
    order = sampled_order(recipe.sampler, rows, rows.groups(), recipe.seed)
    spread = np.linspace(0, len(order) - 1, min(len(order), recipe.training.batch_size, MOST))
    positions = order[spread.astype(np.int64)]
    images, choice = compute.put(rows.pixels(positions)), recipe.augmentation
    if choice is not None:
        augment = checked(call(choice, choice.plugin.build, recipe.image), choice)
        images = augment(images.contiguous())
    return Batch(positions, images, compute.put(rows.targets[torch.from_numpy(positions)]))


def _phase(
    recipe: Recipe,
    phase: PhaseSpec,
    model: Classifier,
    criterion: Criterion,
    batch: Batch | None,
    compute: Compute,
) -> None:
    """Build what the phase steps with, and take a step where there is a batch."""
    optimizer = call(phase.optimizer, phase.optimizer.plugin.build, groups(model))
    choice = phase.schedule
    schedule: Any = choice and call(choice, choice.plugin.build, optimizer, phase.epochs)
    if batch is None:
        return
    tail = as_module(model.chain())
    scaler = torch.amp.GradScaler(compute.device) if compute.scaled else None
    train_mode(model)
    trainer = setup_trainer(tail, criterion, optimizer, phase.optimizer, compute, scaler)
    try:
        trainer.run([batch], max_epochs=1)
        if choice is not None and not isinstance(schedule, ReduceLROnPlateau):
            call(choice, schedule.step)
        model.eval()
        evaluate(tail, criterion, [batch], compute)
    except LeukregError:
        raise
    except Exception as error:
        where = f"phase {phase.name!r}, a batch of {len(batch.targets)} images of noise"
        raise in_training(where, error, parts_of(recipe, model, phase)) from error
    state: Any = trainer.state
    if not math.isfinite(state.output.loss):
        raise TrainingError(
            f"phase {phase.name!r}: the loss of a first batch of noise is {state.output.loss}; "
            "look at the loss, or at the weights that the model begins with"
        )
