"""What happens around a training step: schedule, gradients, losses, logs, best epoch, progress."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import torch
from ignite.engine import Engine, Events
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from leukreg.engine.checkpoints import Checkpoints
from leukreg.engine.fold_job import FoldJob
from leukreg.engine.moving_average import Average
from leukreg.engine.trainer import Answers, Step, loss_of
from leukreg.errors import TrainingError
from leukreg.progress import Advance
from leukreg.recipe.model import PhaseSpec
from leukreg.types import EpochLog

Monitor = Literal["validation_loss", "validation_accuracy", "train_loss"]
NAMED = 8
"""Images of a batch that an error names."""
PAUSE = 0.1
"""Seconds between two reports at least: a bar that is redrawn for each batch slows training."""


def step_schedule(trainer: Engine, schedule: Any, epochs: Sequence[EpochLog]) -> None:
    """Move the learning rate: a plateau schedule after each epoch, any other after each step."""
    if not isinstance(schedule, ReduceLROnPlateau):
        trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda: schedule.step())
        return

    @trainer.on(Events.EPOCH_COMPLETED)
    def after_epoch() -> None:
        log = epochs[-1]
        schedule.step(log.train_loss if log.validation_loss is None else log.validation_loss)


def clip_gradients(optimizer: torch.optim.Optimizer, norm: float) -> None:
    """Scale gradients down, just before a step, to a norm over all parameters of ``norm``."""

    def clip(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(parameters, norm)

    optimizer.register_step_pre_hook(clip)


def stop_on_nan(trainer: Engine, job: FoldJob, phase: PhaseSpec) -> None:
    """Stop at the first loss that is no number, and name the images of its batch."""

    @trainer.on(Events.ITERATION_COMPLETED)
    def check(engine: Engine) -> None:
        state: Any = engine.state
        if math.isfinite(state.output.loss):
            return
        paths = job.train.paths(np.concatenate([batch.positions for batch in state.batch]))
        shown = "".join(f"\n  {path}" for path in paths[:NAMED])
        rest = f"\n  and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
        number = (state.iteration - 1) % state.epoch_length + 1
        step = "batch" if len(state.batch) == 1 else f"step of {len(state.batch)} batches"
        raise TrainingError(
            f"{job.where(phase)}, epoch {state.epoch}, {step} {number}: the loss is "
            f"{state.output.loss}. Try a lower learning rate or clip_norm = 1.0, or look at "
            f"its images:{shown}{rest}"
        )


def log_epochs(
    trainer: Engine,
    job: FoldJob,
    phase: PhaseSpec,
    keeper: Checkpoints,
    optimizer: torch.optim.Optimizer,
    validate: Callable[[], tuple[float, float]] | None,
) -> None:
    """Append an :class:`EpochLog` to the fold's state after each epoch.

    Args:
        validate: Gives loss and accuracy on the validation rows, where there are any.
    """
    state, criterion = keeper.state, job.criterion_of(phase)
    # Every batch's answers as they were before its step: an epoch's loss is that of all.
    seen: list[Step] = []
    began, images = 0.0, 0

    def rates() -> tuple[float, ...]:
        return tuple(float(group["lr"]) for group in optimizer.param_groups)

    @trainer.on(Events.EPOCH_STARTED)
    def begin() -> None:
        nonlocal began, images
        seen.clear()
        began, images = time.monotonic(), 0

    @trainer.on(Events.ITERATION_STARTED(once=1))
    def first() -> None:
        if state.phase is not None:
            state.phase.lr_first = max(rates())

    @trainer.on(Events.ITERATION_COMPLETED)
    def add(engine: Engine) -> None:
        nonlocal images
        state: Any = engine.state
        seen.append(state.output)
        images += sum(len(batch.positions) for batch in state.batch)

    @trainer.on(Events.EPOCH_COMPLETED)
    def end(engine: Engine) -> None:
        lr, epoch = rates(), engine.state.epoch
        answers = Answers.of_all((step.answers for step in seen), job.compute)
        loss, accuracy = (None, None) if validate is None else validate()
        if loss is not None and not math.isfinite(loss):
            raise TrainingError(
                f"{job.where(phase)}, epoch {epoch}: the validation loss is {loss}. "
                "Try a lower learning rate or clip_norm = 1.0"
            )
        log = EpochLog(
            fold=job.fold,
            phase=phase.name,
            epoch=epoch,
            lr=lr,
            # The loss of mixed images is not that of their answers to one target.
            train_loss=_mean_loss(seen) if phase.mixes else loss_of(criterion, answers),
            validation_loss=loss,
            validation_accuracy=accuracy,
            seconds=time.monotonic() - began,
            images=images,
            learned_from="images" if phase.bags is None else "patients",
        )
        state.epochs.append(log)
        if job.watch is not None:  # before the epoch is kept, so that it is told again if need be
            job.watch(state.epochs)


def _mean_loss(steps: Sequence[Step]) -> float:
    return sum(step.loss * step.weight for step in steps) / sum(step.weight for step in steps)


def average_weights(trainer: Engine, average: Average) -> None:
    """Let the moving average follow the weights, step by step."""
    trainer.add_event_handler(Events.ITERATION_COMPLETED, average.follow)


def best_epoch(
    trainer: Engine,
    monitor: Monitor,
    phase: PhaseSpec,
    keeper: Checkpoints,
    average: Average | None = None,
) -> None:
    """Keep the weights of the epoch with the best monitored figure; stop out of patience.

    With an average its weights are kept, those of the last epoch where the best is not wanted.
    """
    patience = phase.patience

    @trainer.on(Events.EPOCH_COMPLETED)
    def compare(engine: Engine) -> None:
        now = keeper.state.phase
        assert now is not None
        figure = float(getattr(keeper.state.epochs[-1], monitor))
        if monitor == "validation_accuracy":
            figure = -figure  # lower is better, as with losses
        now.epoch = engine.state.epoch
        better = now.best is None or figure < now.best
        if better:
            now.best, now.best_epoch, now.stale = figure, now.epoch, 0
        else:
            now.stale += 1
        if better or (average is not None and not phase.restore_best):
            keeper.keep_best(None if average is None else average.weights())
        if patience is not None and now.stale >= patience:
            now.stopped = f"no improvement for {patience} epoch{'' if patience == 1 else 's'}"
            engine.terminate()


def report_steps(trainer: Engine, advance: Advance, epochs: Sequence[EpochLog]) -> None:
    """Advance a progress task by the steps that were done, with the loss beside it."""
    steps, said = 0, 0.0

    def say(engine: Engine, note: str, now: float) -> None:
        nonlocal steps, said
        advance(steps, f"epoch {engine.state.epoch}/{engine.state.max_epochs} {note}")
        steps, said = 0, now

    @trainer.on(Events.ITERATION_COMPLETED)
    def step(engine: Engine) -> None:
        nonlocal steps
        steps += 1
        now = time.monotonic()
        if now - said >= PAUSE:
            output: Any = engine.state.output
            say(engine, f"loss {output.loss:.3f}", now)

    @trainer.on(Events.EPOCH_COMPLETED)
    def epoch(engine: Engine) -> None:
        now = time.monotonic()
        if engine.state.epoch == engine.state.max_epochs or now - said >= PAUSE:
            say(engine, summary(epochs[-1]), now)


def summary(log: EpochLog) -> str:
    """An epoch's figures in a few words."""
    text = f"training loss {log.train_loss:.3f}"
    if log.validation_loss is not None and log.validation_accuracy is not None:
        text += f", validation loss {log.validation_loss:.3f}"
        text += f", validation accuracy {log.validation_accuracy:.3f}"
    return f"{text} (of patients)" if log.of_patients else text
