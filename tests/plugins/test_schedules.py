"""Schedules: the learning rates they give, step by step."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from leukreg_plugins.schedules import Constant, Cosine, OneCycle, Plateau


def _optimizer(momentum: float = 0.9) -> torch.optim.Optimizer:
    one, two = torch.nn.Parameter(torch.ones(1)), torch.nn.Parameter(torch.ones(1))
    groups = [{"params": [one]}, {"params": [two], "lr": 0.01}]
    return torch.optim.SGD(groups, lr=0.1, momentum=momentum)


def _rates(plugin: Any, steps: int) -> list[tuple[float, ...]]:
    """Learning rates of both groups at each step, and after the last."""
    optimizer = _optimizer()
    schedule = plugin.build(optimizer, steps)
    rates = []
    for _ in range(steps):
        rates.append(tuple(group["lr"] for group in optimizer.param_groups))
        optimizer.step()
        schedule.step()
    return [*rates, tuple(group["lr"] for group in optimizer.param_groups)]


def test_constant_stays() -> None:
    assert set(_rates(Constant(), 5)) == {(0.1, 0.01)}


def test_cosine_goes_from_the_whole_rate_over_its_half_to_its_end() -> None:
    rates = _rates(Cosine(warmup=0.0, final=0.1), 20)
    assert rates[0] == pytest.approx((0.1, 0.01))
    assert rates[10] == pytest.approx((0.055, 0.0055))
    assert rates[20] == pytest.approx((0.01, 0.001))
    first = [first for first, _ in rates]
    assert first == sorted(first, reverse=True)


def test_cosine_warms_up_in_even_steps() -> None:
    first = [first for first, _ in _rates(Cosine(warmup=0.2), 20)]
    assert first[:5] == pytest.approx([0.02, 0.04, 0.06, 0.08, 0.1])
    assert first[5] == pytest.approx(0.1 * (1 + math.cos(math.pi / 16)) / 2)
    assert first[-1] == pytest.approx(0)


def test_one_cycle_rises_to_each_groups_rate_and_falls() -> None:
    rates = _rates(OneCycle(rise=0.3, start=0.1, final=0.01), 40)
    assert rates[0] == pytest.approx((0.01, 0.001))
    assert max(rates) == pytest.approx((0.1, 0.01))
    assert rates.index(max(rates)) == 11
    assert rates[39] == pytest.approx((0.001, 0.0001))


def test_one_cycle_leaves_an_optimizer_without_momentum_without_it() -> None:
    still, moved = _optimizer(momentum=0.0), _optimizer(momentum=0.9)
    OneCycle().build(still, 10)
    OneCycle().build(moved, 10)
    assert still.param_groups[0]["momentum"] == 0.0
    assert moved.param_groups[0]["momentum"] == 0.95


@settings(max_examples=80, deadline=None)
@given(
    steps=st.integers(1, 60),
    rise=st.floats(0.001, 0.999),
    warmup=st.floats(0, 0.999),
)
def test_every_step_is_taken_at_a_rate_between_nothing_and_the_optimizers(
    steps: int, rise: float, warmup: float
) -> None:
    for plugin in (OneCycle(rise=rise), Cosine(warmup=warmup)):
        for first, second in _rates(plugin, steps)[:-1]:
            assert 0 < first <= 0.1 * (1 + 1e-9)
            assert second == pytest.approx(first / 10)


def test_plateau_lowers_after_patience_and_not_below_its_floor() -> None:
    optimizer = _optimizer()
    schedule = Plateau(factor=0.1, patience=1, min_lr=0.005).build(optimizer, 10)
    rates = []
    for loss in (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0):
        schedule.step(loss)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.005, 0.005, 0.005])
