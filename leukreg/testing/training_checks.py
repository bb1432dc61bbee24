"""Contract checks of what steers training: weights, order of rows, optimizer, schedule, workers."""

from __future__ import annotations

import copy
import itertools
import math
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leukreg.registry.plugin_call import taken
from leukreg.testing.examples import example_labels
from leukreg.testing.option_checks import instance, of_plugin

if TYPE_CHECKING:
    import torch

__all__ = [
    "check_class_weights",
    "check_executor",
    "check_optimizer",
    "check_sampler",
    "check_schedule",
]


@of_plugin
def check_class_weights(plugin: Any) -> None:
    """One positive finite weight per class, also where a class has no rows."""
    own = instance(plugin)
    for counts in ((40, 30, 20, 10), (1000, 1, 1, 1), (5, 0, 5, 5)):
        weights = own.build(replace(example_labels(4), counts=counts))
        assert isinstance(weights, tuple) and len(weights) == 4, (
            f"must return a tuple of one weight per class, not {weights!r}"
        )
        assert all(
            isinstance(each, float) and math.isfinite(each) and each > 0 for each in weights
        ), f"counts {counts} gave {weights}; every weight must be a finite float above 0"
    even = own.build(replace(example_labels(4), counts=(20, 20, 20, 20)))
    assert max(even) - min(even) < 1e-6 * max(even), (
        f"classes of equal size get different weights {even}"
    )


@of_plugin
def check_sampler(plugin: Any) -> None:
    """Valid positions, a finite epoch, the same under the same generator."""
    import torch

    own = instance(plugin)
    cases = (
        ([0] * 30 + [1] * 9 + [2], [str(row // 4) for row in range(40)]),
        ([0, 1, 1, 2], ["a", "a", "b", "c"]),
        ([0], ["a"]),
    )
    for targets, groups in cases:
        runs = [
            list(
                itertools.islice(
                    own.build(targets, groups, torch.Generator().manual_seed(seed)),
                    20 * len(targets) + 1,
                )
            )
            for seed in (3, 3)
        ]
        assert runs[0], f"an epoch over {len(targets)} rows is empty"
        assert len(runs[0]) <= 20 * len(targets), f"an epoch over {len(targets)} rows does not end"
        assert all(isinstance(row, int) and 0 <= row < len(targets) for row in runs[0]), (
            f"positions must be ints from 0 to {len(targets) - 1}"
        )
        assert runs[0] == runs[1], (
            "the same generator seed gives another order; draw from the given generator"
        )


@of_plugin
def check_optimizer(plugin: Any) -> None:
    """Lowers a simple loss, moves all parameters, and goes on as before from its state_dict."""
    import torch

    own = instance(plugin)
    weights, optimizer = _problem(own)
    first = _loss(weights).item()
    before = [each.detach().clone() for each in weights]
    _step(weights, optimizer)
    moved = [not each.detach().equal(old) for each, old in zip(weights, before, strict=True)]
    assert all(moved), "a step leaves some parameters where they were"
    for _ in range(200):
        _step(weights, optimizer)
    last = _loss(weights).item()
    assert math.isfinite(last) and last < first, (
        f"200 steps on a quadratic bowl took the loss from {first:.4g} to {last:.4g}"
    )
    others, resumed = _problem(own)
    with torch.no_grad():
        for each, other in zip(weights, others, strict=True):
            other.copy_(each)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    _step(weights, optimizer)
    _step(others, resumed)
    assert all(each.equal(other) for each, other in zip(weights, others, strict=True)), (
        "after state_dict and load_state_dict it steps elsewhere, so no run could resume"
    )


def _problem(own: Any) -> tuple[list[torch.nn.Parameter], torch.optim.Optimizer]:
    import torch

    weights = [
        torch.nn.Parameter(torch.full((4,), 2.0)),
        torch.nn.Parameter(torch.full((3,), -3.0)),
    ]
    optimizer = own.build([{"params": [weights[0]]}, {"params": [weights[1]]}])
    assert isinstance(optimizer, torch.optim.Optimizer), "build must return a torch.optim.Optimizer"
    assert len(optimizer.param_groups) == 2 and all(g["lr"] > 0 for g in optimizer.param_groups), (
        "keep the parameter groups as given, each with a learning rate above 0"
    )
    return weights, optimizer


def _loss(weights: list[torch.nn.Parameter]) -> torch.Tensor:
    import torch

    return torch.cat([each.square() for each in weights]).sum()


def _step(weights: list[torch.nn.Parameter], optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    _loss(weights).backward()  # type: ignore[no-untyped-call]
    optimizer.step()


@of_plugin
def check_schedule(plugin: Any) -> None:
    """Learning rates stay finite and above 0 over the steps, also after a resume."""
    own = instance(plugin)
    for steps in (1, 2, 30):
        _rates(own, steps, resume_at=None)
    whole = _rates(own, 30, resume_at=None)
    assert _rates(own, 30, resume_at=13) == whole, (
        "after state_dict and load_state_dict it goes on with other learning rates"
    )


def _rates(own: Any, steps: int, resume_at: int | None) -> list[float]:
    optimizer, schedule = _schedule(own, steps)
    rates = []
    for step in range(steps):
        if step == resume_at:
            saved = copy.deepcopy((optimizer.state_dict(), schedule.state_dict()))
            optimizer, schedule = _schedule(own, steps)
            optimizer.load_state_dict(saved[0])
            schedule.load_state_dict(saved[1])
        rate = float(optimizer.param_groups[0]["lr"])
        assert math.isfinite(rate) and rate > 0, (
            f"step {step + 1} of {steps} is taken at a learning rate of {rate}"
        )
        rates.append(rate)
        optimizer.step()
        _advance(schedule, step)
    return rates


def _schedule(own: Any, steps: int) -> tuple[torch.optim.Optimizer, Any]:
    import torch

    weight = torch.nn.Parameter(torch.ones(2))
    weight.grad = torch.ones(2)
    optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9)
    schedule = own.build(optimizer, steps)
    for name in ("step", "state_dict", "load_state_dict"):
        assert callable(getattr(schedule, name, None)), f"the schedule has no {name}()"
    return optimizer, schedule


def _advance(schedule: Any, step: int) -> None:
    import torch

    if isinstance(schedule, torch.optim.lr_scheduler.ReduceLROnPlateau):
        schedule.step(1.0 if step > 3 else 2.0 - step / 4)
    else:
        schedule.step()


@of_plugin
def check_executor(plugin: Any) -> None:
    """Does units, gives back what each came to or raised, and goes on after one that raised."""
    with tempfile.TemporaryDirectory(prefix="leukreg-check-") as folder:
        build = instance(plugin).build
        _check_workers(build(3, 1, **taken(build, folder=Path(folder))))


def _check_workers(workers: Any) -> None:
    try:
        assert isinstance(workers.count, int) and workers.count > 0, (
            f"count is {workers.count!r}; it must say how many units are done at once"
        )
        for unit in (2, -1, 3):
            future = workers.submit(_root, unit)
            error = future.exception(timeout=60)
            if unit < 0:
                assert isinstance(error, ValueError), (
                    f"what a unit raises must be its future's exception, not {error!r}"
                )
            else:
                assert error is None and future.result() == math.sqrt(unit), (
                    f"a unit that comes to {math.sqrt(unit):.3f} came to {error or future.result()}"
                )
    finally:
        workers.stop()


def _root(unit: float) -> float:
    """What the check has done: it may be imported, as ``work`` may."""
    return math.sqrt(unit)
