"""Stop at the first loss that is no number, and name the batch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ignite.engine import Engine, Events

from leukreg.engine.batches import Batch
from leukreg.errors import TrainingError

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
