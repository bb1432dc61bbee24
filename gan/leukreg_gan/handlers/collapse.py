"""Stop when nothing can be learned any more: one side has won, or all images are alike."""

from __future__ import annotations

from typing import Any

from ignite.engine import Engine, Events

from leukreg import Progress
from leukreg_gan.state import State

NOTHING = 0.01
"""A discriminator's loss below which it has nothing left to learn, and so nothing to teach."""
IDLE = 500
"""Steps in a row with such a loss that end a training."""
ALIKE = 0.15
"""Spread of the made images, against that of the real ones, under which they are nearly alike."""
FLAT = 3
"""Snapshots in a row with such a spread that end a training."""


class StopOnCollapse:
    """End the training and say why; the best snapshot so far is kept."""

    def __init__(self, state: State, progress: Progress) -> None:
        self.state = state
        self.progress = progress

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.look_at_loss)

    def look_at_loss(self, engine: Engine) -> None:
        """Count steps in which the discriminator told all images apart without effort."""
        output: Any = engine.state.output
        self.state.idle = self.state.idle + 1 if output.discriminator < NOTHING else 0
        if self.state.idle >= IDLE:
            self._stop(
                engine,
                f"the discriminator's loss was under {NOTHING} for {IDLE} steps: it tells all made "
                "images from real ones, and the generator learns nothing",
            )

    def look_at_spread(self, engine: Engine, spread: float) -> None:
        """Count snapshots whose images are nearly the same picture, in the mean over the classes.

        A collapse of some classes alone is said and logged, not stopped at: the others may still
        learn, and the best snapshot is judged by all.
        """
        self.state.flat = self.state.flat + 1 if spread < ALIKE else 0
        if self.state.flat >= FLAT:
            self._stop(
                engine,
                f"the made images of a class differ {spread:.2f} times as much as real ones (under "
                f"{ALIKE} in {FLAT} snapshots): the generator has collapsed to a few pictures",
            )

    def _stop(self, engine: Engine, why: str) -> None:
        self.state.stopped = why
        kept = f"; the snapshot of step {self.state.best_step} is kept" * bool(self.state.best_step)
        self.progress.say(f"cgan stopped at step {engine.state.iteration}: {why}{kept}")
        engine.terminate()
