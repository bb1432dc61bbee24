"""Keep what the losses were."""

from __future__ import annotations

import time
from typing import Any

from ignite.engine import Engine, Events

from leukreg_gan.state import Line, State

EVERY = 50
"""Steps that one line of the log stands for; at a snapshot, and at the end, there is one more."""


class LogLosses:
    """Append a :class:`Line` with the mean losses to the state every so many steps."""

    def __init__(self, state: State, batch: int, snapshot_every: int) -> None:
        self.state = state
        self.batch = batch
        self.snapshot_every = snapshot_every
        self.began = 0.0

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.ITERATION_STARTED, self._begin)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._end)
        engine.add_event_handler(Events.TERMINATE, self._close)

    def _begin(self, engine: Engine) -> None:
        self.began = time.monotonic()

    def _end(self, engine: Engine) -> None:
        state: Any = engine.state
        own = self.state
        own.seconds += time.monotonic() - self.began
        own.step = state.iteration
        own.sums = [total + new for total, new in zip(own.sums, state.output, strict=True)]
        own.summed += 1
        last = own.step == state.epoch_length
        if last or own.step % EVERY == 0 or own.step % self.snapshot_every == 0:
            self._close()

    def _close(self) -> None:
        own = self.state
        if own.summed:
            own.lines.append(self._line())
            own.sums, own.summed = [0.0] * len(own.sums), 0

    def _line(self) -> Line:
        own = self.state
        means = [total / own.summed for total in own.sums]
        return Line(
            step=own.step,
            images=own.step * self.batch,
            seconds=own.seconds,
            discriminator=means[0],
            generator=means[1],
            real=means[2],
            fake=means[3],
        )
