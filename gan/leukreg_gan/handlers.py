"""What happens around the steps of a training."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ignite.engine import Engine, Events

from leukreg import Progress, TrainingError
from leukreg_gan.cgan_training import Parts
from leukreg_gan.checkpoint import Checkpoint, LogLine, State
from leukreg_gan.snapshots import Quality, Snapshots

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

    def _line(self) -> LogLine:
        own = self.state
        means = [total / own.summed for total in own.sums]
        return LogLine(
            step=own.step,
            images=own.step * self.batch,
            seconds=own.seconds,
            discriminator=means[0],
            generator=means[1],
            real=means[2],
            fake=means[3],
        )


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


class TakeSnapshot:
    """Settle, sample, judge and show the averaged generator every so many steps and at the end."""

    def __init__(
        self,
        snapshots: Snapshots,
        state: State,
        keeper: Checkpoint,
        collapse: StopOnCollapse,
        every: int,
        progress: Progress,
    ) -> None:
        self.snapshots = snapshots
        self.state = state
        self.keeper = keeper
        self.collapse = collapse
        self.every = every
        self.progress = progress

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED(every=self.every), self)

    def __call__(self, engine: Engine) -> None:
        quality = self.take()
        self.collapse.look_at_spread(engine, quality.spread)
        self.keeper.written = float("-inf")  # a snapshot is worth a checkpoint

    def take(self) -> Quality:
        """Judge the generator as it stands; remember it where it is the best so far."""
        state = self.state
        weights, quality = self.snapshots.take(state.step)
        if self._better(quality):
            state.best, state.best_step = quality.kid, state.step
            self.keeper.best = weights
        if state.lines and state.lines[-1].step == state.step:
            state.lines[-1] = _with(state.lines[-1], quality)
        self.snapshots.write_log(state.lines)
        self.progress.say(_said(state, quality))
        return quality

    def _better(self, quality: Quality) -> bool:
        """By KID; but what is taken while the learning rates fall beats all from before.

        A young generator first finds what pleases classifiers, such as the one that gives the KID:
        its images can have the lower KID and no red cell that deserves the name.
        """
        state, settings = self.state, self.snapshots.parts.settings
        if not self.keeper.best:
            return True
        first = settings.share(state.step) < 1 and settings.share(state.best_step) == 1
        if first or quality.kid is None:
            return quality.spread >= ALIKE
        return state.best is None or quality.kid < state.best


def _with(line: LogLine, quality: Quality) -> LogLine:
    return replace(
        line,
        kid=quality.kid,
        kid_all=quality.kid_all,
        spread=quality.spread,
        classes=dict(quality.classes),
        spreads=dict(quality.spreads),
    )


def _said(state: State, quality: Quality) -> str:
    text = f"cgan, step {state.step}:"
    if quality.kid is None:
        return f"{text} nothing held out to judge by, spread {quality.spread:.2f}{_alike(quality)}"
    worst = max(quality.classes, key=lambda name: quality.classes[name])
    best = " (best so far)" if state.best_step == state.step else f" (best {state.best:.4f})"
    return (
        f"{text} KID {quality.kid:.4f}{best}, overall {quality.kid_all:.4f}, "
        f"worst {worst} {quality.classes[worst]:.4f}, spread {quality.spread:.2f}{_alike(quality)}"
    )


def _alike(quality: Quality) -> str:
    """The classes that have collapsed; the mean spread may hide them."""
    found = [f"{name} ({x:.2f})" for name, x in quality.spreads.items() if x < ALIKE]
    return f"; nearly alike are the images of {', '.join(found)}" * bool(found)


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
