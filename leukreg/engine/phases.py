"""Train one phase, from where it stands to its end."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events

from leukreg.engine import handlers
from leukreg.engine.batches import EpochBatches, Mixing, in_batches, sampled_order
from leukreg.engine.checkpoints import Checkpoints, PhaseState, digests
from leukreg.engine.device import reseed
from leukreg.engine.distributed import mean_statistics
from leukreg.engine.fold_job import FoldJob
from leukreg.engine.frozen_features import Feeds, setup_feeds
from leukreg.engine.moving_average import Average
from leukreg.engine.trainer import evaluate, setup_trainer, training_errors
from leukreg.engine.unfreeze import groups, touched, train_mode, unfreeze
from leukreg.errors import DataError
from leukreg.recipe.model import PhaseSpec
from leukreg.registry.plugin_call import breach, call
from leukreg.seeds import derive
from leukreg.types import PhaseLog


def run_phase(job: FoldJob, index: int, keeper: Checkpoints) -> None:
    """Train a phase to its end, from the keeper's state, and append its log to it."""
    phase, plan, state = job.recipe.phases[index], job.plans[index], keeper.state
    monitor = monitor_of(job, phase)
    unfreeze(job.model, plan.unfrozen, phase.bags is not None)
    train_mode(job.model, phase.bags is not None)
    state.touched |= touched(job.model)
    now = state.phase = state.phase or PhaseState(start=digests(job.model, state.touched))
    if now.epoch < phase.epochs and not now.stopped:
        with setup_feeds(job, phase) as feeds:
            features = {**state.facts.features, phase.name: feeds.facts}
            state.facts = replace(state.facts, features=features)
            _train(job, phase, monitor, keeper, feeds)
    if phase.ema is not None or (phase.restore_best and now.best_epoch != now.epoch):
        job.model.load_state_dict(keeper.best, strict=False)
    after = digests(job.model, now.start.keys())
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
    state.phase, keeper.parts = None, {}
    keeper.write({}, force=True)
    last = handlers.summary(state.epochs[-1])
    job.progress.say(f"{job.where(phase)}: {log.stopped}, {last}")


def monitor_of(job: FoldJob, phase: PhaseSpec) -> handlers.Monitor:
    """The figure that decides the best epoch.

    Raises:
        DataError: A validation figure is asked for and there are no validation rows.
    """
    if job.validation is not None:
        return phase.monitor or "validation_loss"
    if phase.monitor not in (None, "train_loss"):
        raise DataError(
            f"{job.where(phase)}: monitor = {phase.monitor!r} needs validation rows and this fold "
            "has none; set data.folds.validation, or monitor 'train_loss'"
        )
    return "train_loss"


def _train(
    job: FoldJob, phase: PhaseSpec, monitor: handlers.Monitor, keeper: Checkpoints, feeds: Feeds
) -> None:
    state, now = keeper.state, keeper.state.phase
    assert now is not None
    accumulate = job.recipe.training.accumulate
    steps = math.ceil(len(epoch_batches(job, phase, feeds, 1)) / accumulate)
    parts = stepping_parts(job, phase, steps * phase.epochs)
    average = None
    if phase.ema is not None:
        average = parts["average"] = Average(job.chain(phase)[feeds.begun :], phase.ema)
    for name, content in keeper.parts.items():
        parts[name].load_state_dict(content)
    optimizer, scaler = parts["optimizer"], parts.get("scaler")
    trainer = setup_trainer(
        feeds.tail, job.criterion_of(phase), optimizer, phase.optimizer, job.compute, scaler
    )
    with job.progress.task(job.where(phase), phase.epochs * steps) as advance:
        advance(now.epoch * steps)
        # Handlers of one event run in this order: a plateau schedule reads the log that was kept,
        # and a checkpoint holds what all the others did.
        _set_data(trainer, job, phase, feeds)
        handlers.stop_on_nan(trainer, job, phase)
        if average is not None:
            handlers.average_weights(trainer, average)
        of_average = average.module if average else None
        trainer.add_event_handler(
            Events.EPOCH_COMPLETED, lambda: mean_statistics(job.model, of_average)
        )
        validate = _validation(job, phase, feeds, average)
        handlers.log_epochs(trainer, job, phase, keeper, optimizer, validate)
        if "schedule" in parts:
            handlers.step_schedule(trainer, parts["schedule"], state.epochs)
        handlers.best_epoch(trainer, monitor, phase, keeper, average)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: keeper.write(parts))
        handlers.report_steps(trainer, advance, state.epochs)
        if now.epoch:
            begun = {"epoch": now.epoch, "max_epochs": phase.epochs, "epoch_length": steps}
            trainer.load_state_dict(begun)
        where = f"{job.where(phase)}, epoch "
        with training_errors(lambda: f"{where}{trainer.state.epoch}", job.recipe, job.model, phase):
            # The data of each epoch are set when it starts; these stand for them until then.
            trainer.run([None], max_epochs=phase.epochs, epoch_length=steps)


def stepping_parts(job: FoldJob, phase: PhaseSpec, steps: int) -> dict[str, Any]:
    """Optimizer, schedule and gradient scaler: what moves the weights and has a state of its own.

    Args:
        steps: Optimizer steps of the whole phase.
    """
    optimizer = optimizer_of(job, phase)
    parts: dict[str, Any] = {"optimizer": optimizer}
    choice = phase.schedule
    if choice is not None:
        parts["schedule"] = call(choice, choice.plugin.build, optimizer, steps)
    if job.compute.scaled:
        parts["scaler"] = torch.amp.GradScaler(job.compute.device)
    if phase.clip_norm is not None:
        handlers.clip_gradients(optimizer, phase.clip_norm)
    return parts


def optimizer_of(job: FoldJob, phase: PhaseSpec) -> torch.optim.Optimizer:
    """The optimizer over what trains, each group at its learning rate.

    Raises:
        PluginFault: It fails, or mixes up the groups that ``layer_decay`` sets apart.
    """
    choice, given = phase.optimizer, groups(job.model, phase.layer_decay)
    optimizer: torch.optim.Optimizer = call(choice, choice.plugin.build, given)
    if phase.layer_decay is not None:
        for group in optimizer.param_groups:
            if "scale" not in group:
                raise breach(choice, " drops keys of its parameter groups; layer_decay needs them")
            group["lr"] *= group["scale"]
    return optimizer


def epoch_batches(job: FoldJob, phase: PhaseSpec, feeds: Feeds, epoch: int) -> EpochBatches:
    """The training batches of an epoch: the same ones whenever they are asked for."""
    seed = job.seed(phase, "epoch", epoch)
    feed = feeds.train(derive(seed, "views"))
    if phase.bags is not None:
        assert job.train_bags is not None
        parts = job.train_bags.drawn(phase.bags, derive(seed, "bags"))
        return EpochBatches(parts, feed, job.compute, front=feeds.front)
    order = sampled_order(job.recipe.sampler, job.train, derive(seed, "sampler"))
    parts = in_batches(order, job.train, job.recipe.training.batch_size)
    mixing = Mixing(phase.mixup, phase.cutmix) if phase.mixes else None
    return EpochBatches(parts, feed, job.compute, mixing, feeds.front)


def _set_data(trainer: Engine, job: FoldJob, phase: PhaseSpec, feeds: Feeds) -> None:
    """Every epoch starts from a seed of its own, so that it can be repeated without the others."""
    accumulate = job.recipe.training.accumulate

    @trainer.on(Events.EPOCH_STARTED)
    def begin(engine: Engine) -> None:
        epoch, first = engine.state.epoch, engine.state.epoch_length
        batches = epoch_batches(job, phase, feeds, epoch)
        steps = math.ceil(len(batches) / accumulate)
        if steps != first:
            raise breach(
                job.recipe.sampler,
                f" makes {first} batches in epoch 1 and {steps} in epoch {epoch}; it must "
                "make as many every epoch",
            )
        reseed(job.seed(phase, "epoch", epoch))
        train_mode(job.model, phase.bags is not None)
        engine.set_data(batches.steps(accumulate))


def _validation(
    job: FoldJob, phase: PhaseSpec, feeds: Feeds, average: Average | None
) -> Callable[[], tuple[float, float]] | None:
    """Loss and accuracy over all validation rows; with bags over the first cells of patients."""
    if job.validation is None or feeds.validation is None:
        return None
    if phase.bags is not None:
        assert job.validation_bags is not None
        parts = job.validation_bags.first(phase.bags)
    else:
        order = np.arange(len(job.validation), dtype=np.int64)
        parts = in_batches(order, job.validation, job.recipe.training.batch_size)
    batches = EpochBatches(parts, feeds.validation, job.compute, front=feeds.front, whole=True)

    def validate() -> tuple[float, float]:
        job.model.eval()
        tail = feeds.tail if average is None else average.module
        return evaluate(tail, job.criterion_of(phase), batches, job.compute)

    return validate
