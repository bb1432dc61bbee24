"""Write a checkpoint at the end of an epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ignite.engine import Engine, Events
from torch import nn

from leukreg.engine.checkpoint import Checkpoints
from leukreg.engine.state import FoldState


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
