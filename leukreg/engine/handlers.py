"""What happens around a training step, a handler for each concern."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from ignite.engine import Engine, Events
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from leukreg.engine.batches import Batch
from leukreg.engine.checkpoints import Checkpoints, FoldState, copied, touched_weights
from leukreg.engine.trainer import Answers, loss_of
from leukreg.errors import TrainingError
from leukreg.progress import Advance
from leukreg.types import EpochLog


class StepSchedule:
    """Step a plateau schedule after each epoch, any other after each optimizer step."""

    def __init__(self, schedule: Any, epochs: Sequence[EpochLog]) -> None:
        self.schedule = schedule
        self.epochs = epochs

    def attach(self, engine: Engine) -> None:
        if isinstance(self.schedule, ReduceLROnPlateau):
            engine.add_event_handler(Events.EPOCH_COMPLETED, self._after_epoch)
        else:
            engine.add_event_handler(Events.ITERATION_COMPLETED, self._after_step)

    def _after_step(self, engine: Engine) -> None:
        self.schedule.step()

    def _after_epoch(self, engine: Engine) -> None:
        log = self.epochs[-1]
        loss = log.train_loss if log.validation_loss is None else log.validation_loss
        self.schedule.step(loss)


class ClipGradients:
    """Scale the gradients down so that their norm over all parameters is at most ``norm``."""

    def __init__(self, norm: float) -> None:
        self.norm = norm

    def attach(self, optimizer: torch.optim.Optimizer) -> None:
        optimizer.register_step_pre_hook(self)

    def __call__(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(parameters, self.norm)


NAMED = 8


class StopOnNan:
    """Raise a TrainingError that names the images of the batch whose loss is not finite."""

    def __init__(self, where: str, paths: Callable[[Batch], list[str]]) -> None:
        self.where = where
        self.paths = paths

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        state: Any = engine.state
        if math.isfinite(state.output.loss):
            return
        paths = self.paths(state.batch)
        shown = "".join(f"\n  {path}" for path in paths[:NAMED])
        rest = f"\n  and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
        number = (state.iteration - 1) % state.epoch_length + 1
        raise TrainingError(
            f"{self.where}, epoch {state.epoch}, batch {number}: the loss is "
            f"{state.output.loss}. Try a lower learning rate or clip_norm = 1.0, or look at "
            f"the batch's images:{shown}{rest}"
        )


Validate = Callable[[], tuple[float, float]]
"""Loss and accuracy on the validation rows."""


class LogEpochs:
    """Append an :class:`EpochLog` to the state after each epoch."""

    def __init__(
        self,
        fold: int,
        phase: str,
        state: FoldState,
        optimizer: torch.optim.Optimizer,
        criterion: nn.Module,
        validate: Validate | None,
    ) -> None:
        self.fold = fold
        self.phase = phase
        self.state = state
        self.optimizer = optimizer
        self.criterion = criterion
        self.validate = validate
        self.seen: list[Answers] = []
        """Every batch's answers as they were before its step: an epoch's loss is that of all."""
        self.began = 0.0

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.EPOCH_STARTED, self._begin)
        engine.add_event_handler(Events.ITERATION_STARTED(once=1), self._first)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._add)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._end)

    def _begin(self, engine: Engine) -> None:
        self.seen, self.began = [], time.monotonic()

    def _first(self, engine: Engine) -> None:
        if self.state.phase is not None:
            self.state.phase.lr_first = max(self._lr())

    def _add(self, engine: Engine) -> None:
        state: Any = engine.state
        self.seen.append(state.output.answers)

    def _end(self, engine: Engine) -> None:
        lr, seen = self._lr(), Answers.joined(self.seen)
        loss, accuracy = (None, None) if self.validate is None else self.validate()
        if loss is not None and not math.isfinite(loss):
            raise TrainingError(
                f"fold {self.fold + 1}, phase {self.phase!r}, epoch {engine.state.epoch}: the "
                f"validation loss is {loss}. Try a lower learning rate or clip_norm = 1.0"
            )
        log = EpochLog(
            fold=self.fold,
            phase=self.phase,
            epoch=engine.state.epoch,
            lr=lr,
            train_loss=loss_of(self.criterion, seen),
            validation_loss=loss,
            validation_accuracy=accuracy,
            seconds=time.monotonic() - self.began,
            images=len(seen.targets),
        )
        self.state.epochs.append(log)

    def _lr(self) -> tuple[float, ...]:
        return tuple(float(group["lr"]) for group in self.optimizer.param_groups)


Monitor = Literal["validation_loss", "validation_accuracy", "train_loss"]


class BestEpoch:
    """Keep the weights of the epoch with the best monitored figure; stop out of patience."""

    def __init__(
        self,
        monitor: Monitor,
        patience: int | None,
        model: nn.Module,
        state: FoldState,
        keeper: Checkpoints,
    ) -> None:
        self.monitor = monitor
        self.patience = patience
        self.model = model
        self.state = state
        self.keeper = keeper

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        phase = self.state.phase
        assert phase is not None
        figure = monitored(self.state.epochs[-1], self.monitor)
        phase.epoch = engine.state.epoch
        if phase.best is None or figure < phase.best:
            phase.best, phase.best_epoch, phase.stale = figure, engine.state.epoch, 0
            self.keeper.keep_best(copied(touched_weights(self.model, self.state)))
        else:
            phase.stale += 1
        if self.patience is not None and phase.stale >= self.patience:
            plural = "" if self.patience == 1 else "s"
            phase.stopped = f"no improvement for {self.patience} epoch{plural}"
            engine.terminate()


def monitored(log: EpochLog, monitor: Monitor) -> float:
    """The monitored figure, turned so that lower is better."""
    figure = getattr(log, monitor)
    return -float(figure) if monitor == "validation_accuracy" else float(figure)


class KeepCheckpoint:
    """Write the last epoch's state, from which training goes on after a kill."""

    def __init__(
        self, keeper: Checkpoints, model: nn.Module, state: FoldState, parts: Mapping[str, Any]
    ) -> None:
        self.keeper = keeper
        self.model = model
        self.state = state
        self.parts = parts

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        self.keeper.write(self.model, self.state, self.parts)


PAUSE = 0.1
"""Seconds between two reports at least: a bar that is redrawn for each batch slows training."""


class ReportSteps:
    """Advance a progress task by the steps that were done, with the loss beside it."""

    def __init__(self, advance: Advance, epochs: list[EpochLog]) -> None:
        self.advance = advance
        self.epochs = epochs
        self.steps = 0
        self.said = 0.0

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._step)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._epoch)

    def _step(self, engine: Engine) -> None:
        self.steps += 1
        now = time.monotonic()
        if now - self.said >= PAUSE:
            state: Any = engine.state
            self._say(engine, f"loss {state.output.loss:.3f}", now)

    def _epoch(self, engine: Engine) -> None:
        now = time.monotonic()
        if engine.state.epoch == engine.state.max_epochs or now - self.said >= PAUSE:
            self._say(engine, summary(self.epochs[-1]), now)

    def _say(self, engine: Engine, note: str, now: float) -> None:
        epoch = f"epoch {engine.state.epoch}/{engine.state.max_epochs}"
        self.advance(self.steps, f"{epoch} {note}")
        self.steps, self.said = 0, now


def summary(log: EpochLog) -> str:
    """An epoch's figures in a few words."""
    text = f"training loss {log.train_loss:.3f}"
    if log.validation_loss is not None and log.validation_accuracy is not None:
        text += f", validation loss {log.validation_loss:.3f}"
        text += f", validation accuracy {log.validation_accuracy:.3f}"
    return text
