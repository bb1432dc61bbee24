"""The loss of a set of rows is one figure, however the rows came in batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import engine_fakes as fakes
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from leukreg.engine.batches import Batch
from leukreg.engine.checkpoints import FoldOutcome
from leukreg.engine.device import Compute
from leukreg.engine.trainer import evaluate
from leukreg.engine.training import train_fold
from leukreg.recipe.model import LossSpec

CPU = Compute(device="cpu")
WEIGHTS = (0.2, 1.0, 5.0)


class Hard(nn.Module):
    """A stranger's loss that divides by what is left of the batch: the worse half of the rows."""

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        each = nn.functional.cross_entropy(logits, targets, reduction="none")
        return each.topk((len(each) + 1) // 2).values.mean()


LOSSES = {
    "weighted": nn.CrossEntropyLoss(weight=torch.tensor(WEIGHTS)),
    "smoothed": nn.CrossEntropyLoss(weight=torch.tensor(WEIGHTS), label_smoothing=0.1),
    "plain": nn.CrossEntropyLoss(),
    "a stranger's": Hard(),
}


def cut(logits: Tensor, targets: Tensor, size: int) -> list[Batch]:
    parts = torch.split(torch.arange(len(targets)), size)
    return [Batch(p.numpy(), logits[p], targets[p]) for p in parts]


@pytest.mark.parametrize("name", LOSSES)
@given(size=st.integers(1, 40), n=st.integers(2, 40), seed=st.integers(0, 99))
def test_batches_do_not_change_the_loss(name: str, size: int, n: int, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(n, 3, generator=draw)
    targets = torch.randint(3, (n,), generator=draw).sort().values  # as folds are: by class
    loss, accuracy = evaluate(nn.Identity(), LOSSES[name], cut(logits, targets, size), CPU)
    assert loss == pytest.approx(float(LOSSES[name](logits, targets)), rel=1e-6)
    assert accuracy == float((logits.argmax(1) == targets).double().mean())


def test_a_loss_is_asked_in_eval_mode_and_goes_back_to_training() -> None:
    class Noisy(nn.Module):
        def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
            return logits.mean() * 0 + (100.0 if self.training else 1.0)

    criterion = Noisy()
    batches = cut(torch.randn(6, 3), torch.arange(6) % 3, 2)
    assert evaluate(nn.Identity(), criterion, batches, CPU)[0] == 1
    assert criterion.training


def untaught(folder: Path, size: int, loss: Any = fakes.loss) -> FoldOutcome:
    """A fold whose model never changes: every epoch measures the same network."""
    head = fakes.choice(
        "head",
        lambda channels, labels: nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, len(labels))
        ),
    )
    weights = fakes.choice("class-weights", lambda labels: WEIGHTS)
    recipe = fakes.recipe(
        fakes.phase(optimizer=fakes.adam(0.0)),
        model=fakes.model(head=head),
        loss=LossSpec(loss=fakes.choice("loss", loss), class_weights=weights),
    )
    recipe = fakes.training(recipe, batch_size=size)
    return train_fold(recipe, fakes.LABELS, fakes.images(), fakes.fold(), folder)


def test_a_frozen_model_has_one_loss_at_every_batch_size(tmp_path: Path) -> None:
    logs = [untaught(tmp_path / str(size), size).epochs[-1] for size in (2, 3, 8, 64)]
    for figure in ("validation_loss", "train_loss", "validation_accuracy"):
        found = [getattr(log, figure) for log in logs]
        assert found == pytest.approx([found[-1]] * 4, rel=1e-5), figure
    assert {log.images for log in logs} == {25}


def test_the_loss_is_the_sum_of_weight_times_loss_over_the_sum_of_weights(tmp_path: Path) -> None:
    seen: list[tuple[Tensor, Tensor]] = []

    class Kept(nn.CrossEntropyLoss):
        def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
            if not self.training:
                seen.append((logits, targets))
            return super().forward(logits, targets)

    log = untaught(tmp_path, 4, lambda labels: Kept(weight=torch.tensor(labels.weights))).epochs[0]
    assert [len(targets) for _, targets in seen[:2]] == [8, 25]
    for (logits, targets), loss in zip(
        seen[:2], (log.validation_loss, log.train_loss), strict=True
    ):
        each = -logits.double().log_softmax(1).gather(1, targets[:, None])[:, 0]
        weight = torch.tensor(WEIGHTS).double()[targets]
        assert loss == pytest.approx(float((weight * each).sum() / weight.sum()), rel=1e-6)
