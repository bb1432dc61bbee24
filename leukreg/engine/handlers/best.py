"""Remember the best epoch, and stop when none better comes."""

from __future__ import annotations

from typing import Literal

from ignite.engine import Engine, Events
from torch import nn

from leukreg.engine.checkpoint import Checkpoints, copied, touched_weights
from leukreg.engine.state import FoldState
from leukreg.types import EpochLog

Monitor = Literal["validation_loss", "validation_accuracy", "train_loss"]


class BestEpoch:
    """Keep the weights of the epoch with the best monitored figure; stop out of patience."""

    def __init__(
        self,
        monitor: Monitor,
        patience: int | None,
        model: nn.Module,
        state: FoldState,
        keeper: Checkpoints,
    ) -> None:
        self.monitor = monitor
        self.patience = patience
        self.model = model
        self.state = state
        self.keeper = keeper

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        phase = self.state.phase
        assert phase is not None
        figure = monitored(self.state.epochs[-1], self.monitor)
        phase.epoch = engine.state.epoch
        if phase.best is None or figure < phase.best:
            phase.best, phase.best_epoch, phase.stale = figure, engine.state.epoch, 0
            self.keeper.keep_best(copied(touched_weights(self.model, self.state)))
        else:
            phase.stale += 1
        if self.patience is not None and phase.stale >= self.patience:
            plural = "" if self.patience == 1 else "s"
            phase.stopped = f"no improvement for {self.patience} epoch{plural}"
            engine.terminate()


def monitored(log: EpochLog, monitor: Monitor) -> float:
    """The monitored figure, turned so that lower is better."""
    figure = getattr(log, monitor)
    return -float(figure) if monitor == "validation_accuracy" else float(figure)
