"""Keep what each epoch did."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import nn

from leukreg.engine.evaluator import Answers, loss_of
from leukreg.engine.state import FoldState
from leukreg.errors import TrainingError
from leukreg.types import EpochLog

Validate = Callable[[], tuple[float, float]]
"""Loss and accuracy on the validation rows."""


class LogEpochs:
    """Append an :class:`EpochLog` to the state after each epoch."""

    def __init__(
        self,
        fold: int,
        phase: str,
        state: FoldState,
        optimizer: torch.optim.Optimizer,
        criterion: nn.Module,
        validate: Validate | None,
    ) -> None:
        self.fold = fold
        self.phase = phase
        self.state = state
        self.optimizer = optimizer
        self.criterion = criterion
        self.validate = validate
        self.seen: list[Answers] = []
        """Every batch's answers as they were before its step: an epoch's loss is that of all."""
        self.began = 0.0

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.EPOCH_STARTED, self._begin)
        engine.add_event_handler(Events.ITERATION_STARTED(once=1), self._first)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._add)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._end)

    def _begin(self, engine: Engine) -> None:
        self.seen, self.began = [], time.monotonic()

    def _first(self, engine: Engine) -> None:
        if self.state.phase is not None:
            self.state.phase.lr_first = max(self._lr())

    def _add(self, engine: Engine) -> None:
        state: Any = engine.state
        self.seen.append(state.output.answers)

    def _end(self, engine: Engine) -> None:
        lr, seen = self._lr(), Answers.joined(self.seen)
        loss, accuracy = (None, None) if self.validate is None else self.validate()
        if loss is not None and not math.isfinite(loss):
            raise TrainingError(
                f"fold {self.fold + 1}, phase {self.phase!r}, epoch {engine.state.epoch}: the "
                f"validation loss is {loss}. Try a lower learning rate or clip_norm = 1.0"
            )
        log = EpochLog(
            fold=self.fold,
            phase=self.phase,
            epoch=engine.state.epoch,
            lr=lr,
            train_loss=loss_of(self.criterion, seen),
            validation_loss=loss,
            validation_accuracy=accuracy,
            seconds=time.monotonic() - self.began,
            images=len(seen.targets),
        )
        self.state.epochs.append(log)

    def _lr(self) -> tuple[float, ...]:
        return tuple(float(group["lr"]) for group in self.optimizer.param_groups)
