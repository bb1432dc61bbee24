"""Say how far a phase is."""

from __future__ import annotations

import time
from typing import Any

from ignite.engine import Engine, Events

from leukreg.progress import Advance
from leukreg.types import EpochLog

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
