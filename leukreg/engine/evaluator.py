"""Loss and accuracy over a set of rows, whatever batches they came in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from leukreg.engine.batches import Batch
from leukreg.engine.device import Compute


class Answers(NamedTuple):
    """Logits ``(n, k)`` in float32 and targets ``(n,)`` of some rows."""

    logits: Tensor
    targets: Tensor

    @classmethod
    def joined(cls, parts: Iterable[Answers]) -> Answers:
        """The answers of several batches as one set."""
        logits, targets = zip(*parts, strict=True)
        return cls(torch.cat(logits), torch.cat(targets))


@torch.no_grad()
def loss_of(criterion: nn.Module, answers: Answers) -> float:
    """The loss of the rows as one set.

    A mean of batches' losses would be another figure: a loss with class weights divides each batch
    by the weights of its own rows. So the criterion is asked once about all rows, in eval mode.
    """
    training = criterion.training
    criterion.eval()
    try:
        return float(criterion(*answers))
    finally:
        criterion.train(training)


@torch.no_grad()
def evaluate(
    tail: nn.Module, criterion: nn.Module, batches: Iterable[Batch], compute: Compute
) -> tuple[float, float]:
    """Loss and accuracy (0 to 1) over all rows of the batches; ``tail`` is in eval mode."""
    parts = []
    for batch in batches:
        with compute.autocast():
            logits = tail(batch.inputs)
        parts.append(Answers(logits.float(), batch.targets))
    answers = Answers.joined(parts)
    right = answers.logits.argmax(dim=1) == answers.targets
    return loss_of(criterion, answers), float(right.double().mean())
