"""The checks of class weights, samplers, optimizers and schedules can fail."""

from __future__ import annotations

from concurrent.futures import Future
from functools import partial
from types import SimpleNamespace

import pytest
import torch

from tests.testing.faults import Case, faulty, refused

# mypy: ignore-errors


CASES: list[Case] = []
bad = partial(faulty, CASES)


@bad("class-weights", "tuple of one weight per class")
def _short(self, labels):
    return (1.0,)


@bad("class-weights", "finite float above 0")
def _infinite(self, labels):
    return tuple(1 / count if count else float("inf") for count in labels.counts)


@bad("class-weights", "equal size")
def _uneven(self, labels):
    return (1.0, 2.0, 3.0, 4.0)


@bad("sampler", "draw from the given generator")
def _own_order(self, targets, groups, generator):
    return torch.randperm(len(targets)).tolist()


@bad("sampler", "from 0 to 39")
def _off_by_one(self, targets, groups, generator):
    return range(1, len(targets) + 1)


@bad("sampler", "does not end")
def _endless(self, targets, groups, generator):
    while True:
        yield 0


@bad("sampler", "is empty")
def _empty(self, targets, groups, generator):
    return []


class _Lazy:
    """Workers with one thing wrong."""

    def __init__(self, count=1, raised=True, result=None):
        self.count, self.raised, self.result = count, raised, result

    def submit(self, work, unit):
        future = Future()
        try:
            future.set_result(work(unit) if self.result is None else self.result)
        except ValueError as error:
            if self.raised:
                raise
            future.set_exception(RuntimeError(str(error)))
        return future

    def stop(self):
        return None


@bad("executor", "how many units are done at once")
def _no_workers(self, units, threads):
    return _Lazy(count=0)


@bad("executor", "must be its future's exception")
def _other_exception(self, units, threads):
    return _Lazy(raised=False)


@bad("executor", "came to 1")
def _wrong_result(self, units, threads):
    return _Lazy(result=1)


@bad("optimizer", "steps elsewhere")
def _forgetful(self, groups):
    class Forgetful(torch.optim.SGD):
        def load_state_dict(self, state_dict):
            return None

    return Forgetful(groups, lr=0.01, momentum=0.9)


@bad("optimizer", "leaves some parameters")
def _half(self, groups):
    optimizer = torch.optim.SGD(groups, lr=0.01)
    optimizer.param_groups[1]["params"] = []
    return optimizer


@bad("optimizer", "quadratic bowl")
def _diverging(self, groups):
    return torch.optim.SGD(groups, lr=0.01, maximize=True)


@bad("optimizer", "torch.optim.Optimizer")
def _none(self, groups):
    return None


@bad("schedule", "at a learning rate of 0.0")
def _dead(self, optimizer, steps):
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: float(step > 0))


@bad("schedule", "has no state_dict()")
def _stateless(self, optimizer, steps):
    return SimpleNamespace(step=lambda: None)


@pytest.mark.parametrize(("kind", "sentence", "cls"), CASES)
def test_a_fault_is_named(kind: str, sentence: str, cls: type) -> None:
    refused(kind, sentence, cls)
