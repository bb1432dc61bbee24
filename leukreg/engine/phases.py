"""Train one phase, from where it stands to its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events
from torch import nn

from leukreg.engine.batches import EpochBatches, epoch_batches, sampled_order
from leukreg.engine.checkpoints import Checkpoints, FoldState, PhasePlan, PhaseState, digests
from leukreg.engine.classifier import Classifier
from leukreg.engine.device import reseed
from leukreg.engine.frozen_features import Feeds, Material, setup_feeds
from leukreg.engine.handlers import (
    BestEpoch,
    ClipGradients,
    KeepCheckpoint,
    LogEpochs,
    Monitor,
    ReportSteps,
    StepSchedule,
    StopOnNan,
    Validate,
    summary,
)
from leukreg.engine.trainer import evaluate, in_training, parts_of, setup_trainer
from leukreg.engine.unfreeze import groups, touched, train_mode, unfreeze
from leukreg.errors import DataError, LeukregError
from leukreg.progress import Progress
from leukreg.recipe.model import PhaseSpec, Recipe
from leukreg.registry.plugin_call import breach, call
from leukreg.seeds import derive
from leukreg.types import PhaseLog


@dataclass(frozen=True, slots=True)
class FoldJob:
    """Everything that the phases of a fold share."""

    recipe: Recipe
    fold: int
    model: Classifier
    criterion: nn.Module
    material: Material
    keeper: Checkpoints
    progress: Progress

    def where(self, phase: PhaseSpec) -> str:
        """Fold and phase as people read them: folds are counted from 1, in files from 0."""
        return f"fold {self.fold + 1}, phase {phase.name!r}"

    def epoch_seed(self, phase: PhaseSpec, epoch: int) -> int:
        return derive(self.recipe.seed, "fold", self.fold, "phase", phase.name, "epoch", epoch)

    def epoch_batches(self, phase: PhaseSpec, feeds: Feeds, epoch: int) -> EpochBatches:
        """The training batches of an epoch: the same ones whenever they are asked for."""
        seed = self.epoch_seed(phase, epoch)
        rows, training = self.material.train, self.recipe.training
        sampler = self.recipe.sampler
        order = sampled_order(sampler, rows, rows.groups(), derive(seed, "sampler"))
        feed = feeds.train(derive(seed, "views"))
        return epoch_batches(order, rows, feed, training.batch_size, self.material.compute)


def run_phase(
    job: FoldJob, phase: PhaseSpec, plan: PhasePlan, state: FoldState, parts: Mapping[str, Any]
) -> None:
    """Train the phase to its end and append its log to ``state``.

    ``parts`` are the states of optimizer and schedule, where the phase is under way already.
    """
    monitor = monitor_of(phase, job)
    unfreeze(job.model, plan.unfrozen)
    train_mode(job.model)
    state.touched.update(touched(job.model))
    if state.phase is None:
        state.phase = PhaseState(start=digests(job.model))
    if state.phase.epoch < phase.epochs and not state.phase.stopped:
        _train(job, phase, monitor, state, parts)
    _finish(job, phase, plan, state)


def monitor_of(phase: PhaseSpec, job: FoldJob) -> Monitor:
    """The figure that decides the best epoch.

    Raises:
        DataError: A validation figure is asked for and there are no validation rows.
    """
    if job.material.validation is not None:
        return phase.monitor or "validation_loss"
    if phase.monitor not in (None, "train_loss"):
        raise DataError(
            f"{job.where(phase)}: monitor = {phase.monitor!r} needs validation rows and this fold "
            "has none; set data.folds.validation, or monitor 'train_loss'"
        )
    return "train_loss"


def _train(
    job: FoldJob, phase: PhaseSpec, monitor: Monitor, state: FoldState, saved: Mapping[str, Any]
) -> None:
    material, training = job.material, job.recipe.training
    feature_seed = derive(job.recipe.seed, "fold", job.fold, "phase", phase.name, "features")
    material = replace(material, seed=feature_seed)
    with setup_feeds(job.model, material, training, phase, job.progress) as feeds:
        state.facts.setdefault("features", {})[phase.name] = feeds.facts
        batches = len(job.epoch_batches(phase, feeds, 1))
        parts = _parts(job, phase, batches * phase.epochs)
        for name, content in saved.items():
            parts[name].load_state_dict(content)
        trainer = setup_trainer(
            feeds.tail,
            job.criterion,
            parts["optimizer"],
            phase.optimizer,
            material.compute,
            parts.get("scaler"),
        )
        with job.progress.task(job.where(phase), phase.epochs * batches) as advance:
            assert state.phase is not None
            advance(state.phase.epoch * batches)
            _attach_data(trainer, job, phase, feeds)
            StopOnNan(job.where(phase), lambda b: material.train.paths(b.positions)).attach(trainer)
            if "schedule" in parts:
                schedule = StepSchedule(parts["schedule"], state.epochs)
            validate = _validation(job, feeds)
            log = LogEpochs(
                job.fold, phase.name, state, parts["optimizer"], job.criterion, validate
            )
            log.attach(trainer)
            if "schedule" in parts:
                schedule.attach(trainer)
            BestEpoch(monitor, phase.patience, job.model, state, job.keeper).attach(trainer)
            KeepCheckpoint(job.keeper, job.model, state, parts).attach(trainer)
            ReportSteps(advance, state.epochs).attach(trainer)
            _run(trainer, job, phase, state.phase.epoch, batches)


def _parts(job: FoldJob, phase: PhaseSpec, steps: int) -> dict[str, Any]:
    """Optimizer, schedule and gradient scaler: what has a state of its own."""
    optimizer = call(phase.optimizer, phase.optimizer.plugin.build, groups(job.model))
    parts: dict[str, Any] = {"optimizer": optimizer}
    choice = phase.schedule
    if choice is not None:
        parts["schedule"] = call(choice, choice.plugin.build, optimizer, steps)
    if job.material.compute.scaled:
        parts["scaler"] = torch.amp.GradScaler(job.material.compute.device)
    if phase.clip_norm is not None:
        ClipGradients(phase.clip_norm).attach(optimizer)
    return parts


def _attach_data(trainer: Engine, job: FoldJob, phase: PhaseSpec, feeds: Feeds) -> None:
    """Every epoch starts from a seed of its own, so that it can be repeated without the others."""

    @trainer.on(Events.EPOCH_STARTED)
    def begin(engine: Engine) -> None:
        epoch = engine.state.epoch
        batches = job.epoch_batches(phase, feeds, epoch)
        if len(batches) != engine.state.epoch_length:
            raise breach(
                job.recipe.sampler,
                f" makes {engine.state.epoch_length} batches in epoch 1 and {len(batches)} in "
                f"epoch {epoch}; it must make as many every epoch",
            )
        reseed(job.epoch_seed(phase, epoch))
        train_mode(job.model)
        engine.set_data(batches)


def _validation(job: FoldJob, feeds: Feeds) -> Validate | None:
    rows = job.material.validation
    if rows is None or feeds.validation is None:
        return None
    order = np.arange(len(rows), dtype=np.int64)
    size = job.recipe.training.batch_size
    batches = epoch_batches(order, rows, feeds.validation, size, job.material.compute)

    def validate() -> tuple[float, float]:
        job.model.eval()
        return evaluate(feeds.tail, job.criterion, batches, job.material.compute)

    return validate


def _run(trainer: Engine, job: FoldJob, phase: PhaseSpec, done: int, batches: int) -> None:
    if done:
        trainer.load_state_dict(
            {"epoch": done, "max_epochs": phase.epochs, "epoch_length": batches}
        )
    try:
        # The data of each epoch are set when it starts; these stand for them until then.
        trainer.run([None], max_epochs=phase.epochs, epoch_length=batches)
    except LeukregError:
        raise
    except Exception as error:
        where = f"{job.where(phase)}, epoch {trainer.state.epoch}"
        raise in_training(where, error, parts_of(job.recipe, job.model, phase)) from error


def _finish(job: FoldJob, phase: PhaseSpec, plan: PhasePlan, state: FoldState) -> None:
    now = state.phase
    assert now is not None
    if phase.restore_best and now.best_epoch != now.epoch:
        job.model.load_state_dict(job.keeper.best, strict=False)
    after = digests(job.model)
    log = PhaseLog(
        fold=job.fold,
        phase=phase.name,
        trainable=plan.trainable,
        unfrozen=plan.unfrozen,
        changed=sum(after[name] != digest for name, digest in now.start.items()),
        epochs=now.epoch,
        best_epoch=now.best_epoch,
        stopped=now.stopped or "all epochs done",
        lr_first=now.lr_first,
        lr_asked=plan.lr if plan.lr is not None else now.lr_first,
    )
    state.phases.append(log)
    state.phase = None
    job.keeper.write(job.model, state, {}, force=True)
    job.progress.say(f"{job.where(phase)}: {log.stopped}, {summary(state.epochs[-1])}")
