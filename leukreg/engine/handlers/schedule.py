"""Move the learning rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ignite.engine import Engine, Events
from torch.optim.lr_scheduler import ReduceLROnPlateau

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
