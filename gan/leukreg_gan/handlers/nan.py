"""Stop at the first loss that is no number, and name the step."""

from __future__ import annotations

import math
from typing import Any

from ignite.engine import Engine, Events

from leukreg import TrainingError

WORDS = {
    "discriminator": "discriminator's loss",
    "generator": "generator's loss",
    "real": "discriminator's score of real images",
    "fake": "discriminator's score of made images",
}


class StopOnNan:
    """Raise a TrainingError that names the step and the loss that is not finite."""

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        state: Any = engine.state
        figures = state.output._asdict()
        wrong = next((name for name, x in figures.items() if not math.isfinite(x)), None)
        if wrong is not None:
            raise TrainingError(
                f"cgan, step {state.iteration}: the {WORDS[wrong]} is {figures[wrong]}. Try lower "
                "learning rates (generator_lr, discriminator_lr); the fit folder keeps the last "
                "sample grids"
            )
