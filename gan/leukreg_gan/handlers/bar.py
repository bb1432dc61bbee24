"""Say how far the training is, with losses and the latest quality."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ignite.engine import Engine, Events

from leukreg_gan.state import State

PAUSE = 0.5
"""Seconds between two reports at least."""


class ReportSteps:
    """Advance a progress task by the steps that were done."""

    def __init__(self, advance: Callable[[int, str], None], state: State) -> None:
        self.advance = advance
        self.state = state
        self.steps = 0
        self.said = 0.0

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        self.steps += 1
        now = time.monotonic()
        state: Any = engine.state
        if now - self.said < PAUSE and state.iteration < state.max_epochs * state.epoch_length:
            return
        losses = state.output
        note = f"D {losses.discriminator:.2f}, G {losses.generator:+.2f}{self._quality()}"
        self.advance(self.steps, note)
        self.steps, self.said = 0, now

    def _quality(self) -> str:
        judged = [line for line in self.state.lines if line.kid is not None]
        if not judged:
            return ""
        best = "" if self.state.best is None else f", best {self.state.best:.3f}"
        return f", KID {judged[-1].kid:.3f}{best}"
