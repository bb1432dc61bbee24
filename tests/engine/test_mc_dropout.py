from __future__ import annotations

from typing import Any

import engine_fakes as fakes
import pytest
import torch
from torch import nn

from leukreg.engine import mc_dropout as dropout_module
from leukreg.engine.assembly import assemble
from leukreg.engine.classifier import Classifier
from leukreg.engine.device import compute_for
from leukreg.engine.mc_dropout import (
    changes_buffers,
    dropout_on,
    entropy,
    mc_probabilities,
    stochastic,
)
from leukreg.recipe.model import TrainingSpec

CPU = compute_for(TrainingSpec(device="cpu", threads=1))


class DropPath(nn.Module):
    """As timm has it."""

    def __init__(self, drop_prob: float) -> None:
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return x
        kept = torch.rand(len(x), 1, 1, 1) >= self.drop_prob
        return x * kept / (1 - self.drop_prob)


def model_of(where: str) -> Classifier:
    parts: dict[str, Any] = {}
    if where == "backbone":
        build = lambda: fakes.Backbone((8, 8), DropPath(0.3), nn.Dropout2d(0.2))  # noqa: E731
        parts["backbone"] = fakes.choice("backbone", build)
    if where == "attention":
        build_attention = lambda channels: nn.Sequential(nn.Dropout(0.4))  # noqa: E731
        parts["attention"] = fakes.choice("attention", build_attention)
    if where == "nowhere":
        build_head = lambda channels, labels: fakes.head(channels, labels, 0.0)  # noqa: E731
        parts["head"] = fakes.choice("head", build_head)
    model = assemble(fakes.recipe(model=fakes.model(**parts)), fakes.LABELS)
    torch.manual_seed(0)
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(norm.running_mean, 0, 0.1)
            nn.init.normal_(norm.weight, 1, 0.5)
    with torch.no_grad():
        model.head[-1].weight.mul_(4)
    return model.eval()


def pixels(n: int = 4) -> torch.Tensor:
    return torch.from_numpy(fakes.images().array[:n]).permute(0, 3, 1, 2)


@pytest.mark.parametrize("where", ["head", "attention", "backbone"])
def test_fast_passes_have_the_distribution_of_naive_ones(where: str) -> None:
    model, images, passes = model_of(where), pixels(), 600
    torch.manual_seed(1)
    fast = mc_probabilities(model, images, 6000, CPU)
    with dropout_on(model), torch.no_grad():
        naive = torch.stack([model(images).double().softmax(-1) for _ in range(passes)])
    assert fast.shape == (6000, 4, 3)
    deviation = naive.std(0)
    assert deviation.min() > 0.01
    # Five standard errors of a difference of means; deviations agree within a sixth.
    assert (
        (fast.mean(0) - naive.mean(0)).abs() < 5 * deviation * (1 / passes + 1 / 6000) ** 0.5
    ).all()
    assert (fast.std(0) / deviation - 1).abs().max() < 1 / 6


def test_passes_and_rows_are_drawn_one_by_one() -> None:
    torch.manual_seed(1)
    fast = mc_probabilities(model_of("head"), pixels(1).expand(3, -1, -1, -1), 50, CPU)
    # Sixteen outcomes are possible here, so that a draw repeats now and then.
    assert (fast[:, 0] != fast[:, 1]).any(-1).double().mean() > 0.5
    assert (fast[1:] != fast[:-1]).any(-1).double().mean() > 0.5


@pytest.mark.parametrize("together", [1, 100, 10**9])
def test_passes_in_parts_are_as_many(monkeypatch: pytest.MonkeyPatch, together: int) -> None:
    monkeypatch.setattr(dropout_module, "TOGETHER", together)
    result = mc_probabilities(model_of("head"), pixels(), 7, CPU)
    assert result.shape == (7, 4, 3)
    assert torch.allclose(result.sum(-1), torch.ones(7, 4, dtype=torch.float64))


def test_what_lies_before_the_first_dropout_runs_once() -> None:
    model = model_of("head")
    calls: list[int] = []
    for module in (model.stages[0], model.head[2], model.head[6]):
        module.register_forward_hook(lambda module, args, out: calls.append(len(args[0])))
    mc_probabilities(model, pixels(), 30, CPU)
    assert calls == [4, 4, 120]


def test_batch_norm_is_left_alone_and_modes_return() -> None:
    model = model_of("backbone")
    with dropout_on(model):
        on = [module for module in model.modules() if module.training]
        assert on == stochastic(model)
        assert len(on) == 3
    assert not any(module.training for module in model.modules())
    assert not changes_buffers(model, lambda: mc_probabilities(model, pixels(), 5, CPU))


def test_a_change_of_buffers_would_be_seen() -> None:
    model = model_of("head")
    assert changes_buffers(model, lambda: model.train()(pixels()))


def test_without_dropout_all_passes_are_one() -> None:
    result = mc_probabilities(model_of("nowhere"), pixels(), 6, CPU)
    assert result.shape == (6, 4, 3)
    assert (result == result[0]).all()


def test_entropy_is_in_nats_and_defined_at_zero() -> None:
    certain, even = torch.tensor([[1.0, 0.0], [0.5, 0.5]]).double()
    assert entropy(certain) == 0
    assert entropy(even).item() == pytest.approx(0.6931471805599453)
