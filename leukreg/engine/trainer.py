"""The trainer: an ignite engine whose step updates the trained part of the model."""

from __future__ import annotations

import logging
from typing import NamedTuple

import torch
from ignite.engine import Engine
from torch import nn

from leukreg.engine.batches import Batch
from leukreg.engine.device import Compute
from leukreg.engine.evaluator import Answers
from leukreg.registry.plugin_call import Choice, blamed

_QUIET = logging.getLogger("leukreg.engine")
_QUIET.setLevel(logging.CRITICAL + 1)


class Step(NamedTuple):
    """What a training step came to."""

    loss: float
    answers: Answers
    """Before the step."""


def setup_trainer(
    tail: nn.Module,
    criterion: nn.Module,
    optimizer: torch.optim.Optimizer,
    chosen: Choice,
    compute: Compute,
    scaler: torch.amp.GradScaler | None = None,
) -> Engine:
    """An engine whose output is a :class:`Step`.

    Args:
        tail: The part of the model that trains.
        chosen: The plugin that built ``optimizer``.
    """

    def step(engine: Engine, batch: Batch) -> Step:
        optimizer.zero_grad(set_to_none=True)
        with compute.autocast():
            logits = tail(batch.inputs)
            loss = criterion(logits, batch.targets)
        if scaler is None:
            loss.backward()
            with blamed(chosen, "failed in step"):
                optimizer.step()
        else:
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            with blamed(chosen, "failed in step"):
                scaler.step(optimizer)
            scaler.update()
        return Step(float(loss.item()), Answers(logits.detach().float(), batch.targets))

    return quiet(Engine(step))


def quiet(engine: Engine) -> Engine:
    """Keep ignite from printing what the caller will say better."""
    engine.logger = _QUIET
    return engine
