"""The evaluator: an ignite engine that measures loss and accuracy on the validation rows."""

from __future__ import annotations

import torch
from ignite.engine import Engine
from ignite.metrics import Accuracy, Loss
from torch import Tensor, nn

from leukreg.engine.batches import Batch
from leukreg.engine.device import Compute
from leukreg.engine.trainer import quiet


def setup_evaluator(tail: nn.Module, criterion: nn.Module, compute: Compute) -> Engine:
    """An engine with the metrics "loss" and "accuracy" over all rows it is run on."""

    @torch.no_grad()
    def step(engine: Engine, batch: Batch) -> tuple[Tensor, Tensor]:
        with compute.autocast():
            logits = tail(batch.inputs)
        return logits.float(), batch.targets

    engine = quiet(Engine(step))
    Loss(criterion).attach(engine, "loss")
    Accuracy().attach(engine, "accuracy")
    return engine
