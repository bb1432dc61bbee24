from __future__ import annotations

from pathlib import Path
from typing import Any

import engine_fakes as fakes
import pytest
import torch
from torch import Tensor, nn

from leukreg.engine.range_test import HIGH, LOW, RangeTest, range_test
from leukreg.errors import PluginFault
from leukreg.recipe.model import LossSpec, PhaseSpec


def ranged(folder: Path, phase: PhaseSpec | None = None, steps: int = 60, **keys: Any) -> RangeTest:
    phase = phase or fakes.phase(unfreeze="all")
    recipe = fakes.recipe(phase, **keys)
    return range_test(
        recipe, fakes.LABELS, fakes.images(), fakes.fold(), phase, folder, steps=steps
    )


def loss(compute: Any) -> LossSpec:
    class Loss(nn.Module):
        def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
            made: Tensor = compute(logits, targets)
            return made

    return LossSpec(loss=fakes.choice("loss", lambda labels: Loss()))


def test_a_rate_between_too_little_and_too_much_is_suggested(tmp_path: Path) -> None:
    found = ranged(tmp_path)
    assert len(found.rates) == len(found.losses) <= 60
    assert found.rates == tuple(sorted(found.rates))
    assert found.suggestion is not None
    lowest = found.rates[found.losses.index(min(found.losses))]
    assert found.suggestion == pytest.approx(lowest / 10)
    assert 1e-5 < found.suggestion < 1
    assert not list(tmp_path.iterdir())


def test_the_same_recipe_gives_the_same_test_and_leaves_random_states_alone(tmp_path: Path) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first = ranged(tmp_path, fakes.phase())
    assert torch.equal(before, torch.get_rng_state())
    assert ranged(tmp_path, fakes.phase()) == first


def test_a_loss_that_does_not_fall_suggests_nothing(tmp_path: Path) -> None:
    flat = loss(lambda logits, targets: logits.mean() * 0 + 1)
    found = ranged(tmp_path, loss=flat)
    assert found.suggestion is None
    assert len(found.rates) == 60
    assert found.rates[0] < 2 * LOW
    assert found.rates[-1] == pytest.approx(HIGH)


def test_a_loss_that_is_no_number_ends_the_test(tmp_path: Path) -> None:
    def breaking(logits: Tensor, targets: Tensor) -> Tensor:
        value = nn.functional.cross_entropy(logits, targets)
        breaking.calls += 1  # type: ignore[attr-defined]
        return value * (1 if breaking.calls < 30 else float("nan"))  # type: ignore[attr-defined]

    breaking.calls = 0  # type: ignore[attr-defined]
    found = ranged(tmp_path, loss=loss(breaking))
    assert len(found.rates) == 29
    assert all(value == value for value in found.losses)


def test_groups_keep_the_ratios_of_their_rates(tmp_path: Path) -> None:
    seen: list[list[float]] = []

    def slow_backbone(groups: Any) -> torch.optim.Optimizer:
        rates = {"backbone": 1e-4, "head": 1e-3}
        optimizer = torch.optim.SGD([dict(each, lr=rates[each["name"]]) for each in groups])
        optimizer.register_step_pre_hook(
            lambda own, *_: seen.append([each["lr"] for each in own.param_groups])
        )
        return optimizer

    phase = fakes.phase(unfreeze="all", optimizer=fakes.choice("optimizer", slow_backbone))
    found = ranged(tmp_path, phase)
    assert all(head == pytest.approx(10 * backbone) for backbone, head in seen)
    assert max(found.rates) == pytest.approx(max(head for _, head in seen), rel=0.5)


def test_a_broken_loss_names_its_plugin(tmp_path: Path) -> None:
    with pytest.raises(PluginFault, match=r"loss 'fake' .* gives shape \(8,\)"):
        ranged(tmp_path, loss=loss(lambda logits, targets: logits.sum(1)))
