"""Write a checkpoint now and then."""

from __future__ import annotations

from ignite.engine import Engine, Events

from leukreg_gan.checkpoint import Checkpoint
from leukreg_gan.parts import Parts
from leukreg_gan.state import State


class KeepCheckpoint:
    """Write the state from which training goes on after a kill."""

    def __init__(self, keeper: Checkpoint, parts: Parts, state: State) -> None:
        self.keeper = keeper
        self.parts = parts
        self.state = state

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        self.keeper.save(self.parts, self.state)
