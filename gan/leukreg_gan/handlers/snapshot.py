"""Look at what the generator makes, and remember its best state."""

from __future__ import annotations

from dataclasses import replace

from ignite.engine import Engine, Events

from leukreg import Progress
from leukreg_gan.checkpoint import Checkpoint
from leukreg_gan.handlers.collapse import ALIKE, StopOnCollapse
from leukreg_gan.judge import Quality
from leukreg_gan.snapshots import Snapshots
from leukreg_gan.state import Line, State


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


def _with(line: Line, quality: Quality) -> Line:
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
