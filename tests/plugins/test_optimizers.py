"""Optimizers: options that arrive, and legacy Adam's clipping."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from leukreg_plugins import plugins_in
from leukreg_plugins.optimizers import Adam, AdamW, LegacyAdam, RAdam, Sgd


def _weights(*values: list[float]) -> list[torch.nn.Parameter]:
    return [torch.nn.Parameter(torch.tensor(value)) for value in values]


@pytest.mark.parametrize("plugin", plugins_in("optimizers"))
def test_groups_keep_their_own_learning_rate(plugin: Any) -> None:
    one, two = _weights([1.0], [2.0])
    optimizer = plugin(lr=0.5).build([{"params": [one]}, {"params": [two], "lr": 0.25}])
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.25]


def test_options_arrive() -> None:
    groups = [{"params": _weights([1.0])}]
    adam = Adam(lr=0.1, beta1=0.8, beta2=0.9, eps=1e-3, weight_decay=0.2).build(groups)
    assert adam.defaults["betas"] == (0.8, 0.9)
    assert adam.defaults["eps"] == 1e-3
    assert adam.defaults["weight_decay"] == 0.2
    assert AdamW(weight_decay=2e-5).build(groups).defaults["weight_decay"] == 2e-5
    assert RAdam().build(groups).defaults["decoupled_weight_decay"] is True
    sgd = Sgd(momentum=0.5, nesterov=True).build(groups)
    assert (sgd.defaults["momentum"], sgd.defaults["nesterov"]) == (0.5, True)
    assert Sgd(momentum=0.0, nesterov=True).build(groups).defaults["nesterov"] is False


def test_legacy_adam_clips_every_tensor_by_itself() -> None:
    long, short = _weights([0.0, 0.0], [0.0, 0.0])
    optimizer = LegacyAdam(clipnorm=1.0).build([{"params": [long, short]}])
    long.grad, short.grad = torch.tensor([30.0, 40.0]), torch.tensor([0.3, 0.4])
    optimizer.step()
    assert long.grad.tolist() == pytest.approx([0.6, 0.8])
    assert short.grad.tolist() == pytest.approx([0.3, 0.4])


def test_legacy_adam_is_adam_on_clipped_gradients() -> None:
    ours, theirs = _weights([1.0, -2.0]), _weights([1.0, -2.0])
    legacy = LegacyAdam(lr=0.1, clipnorm=1.0).build([{"params": ours}])
    adam = torch.optim.Adam(theirs, lr=0.1, eps=1e-7)
    for scale in (100.0, 0.01, 3.0):
        ours[0].grad = torch.tensor([3.0, 4.0]) * scale
        theirs[0].grad = torch.tensor([0.6, 0.8]) * min(1.0, 5 * scale)
        legacy.step()
        adam.step()
    torch.testing.assert_close(ours[0], theirs[0])


def test_legacy_adam_without_clipping_and_with_zero_or_missing_gradients() -> None:
    one, two, three = _weights([1.0], [1.0], [1.0])
    optimizer = LegacyAdam(clipnorm=None).build([{"params": [one]}])
    one.grad = torch.tensor([50.0])
    optimizer.step()
    assert one.grad.item() == 50.0
    optimizer = LegacyAdam().build([{"params": [two, three]}])
    two.grad = torch.tensor([0.0])
    optimizer.step()
    assert two.item() == 1.0
    assert three.item() == 1.0


def test_legacy_adam_keeps_clipping_after_a_copy_a_resume_and_for_new_groups() -> None:
    first = _weights([1.0])
    optimizer = LegacyAdam(clipnorm=2.0).build([{"params": first}])
    second, third = _weights([1.0], [1.0])
    optimizer.add_param_group({"params": [second]})
    fresh = LegacyAdam(clipnorm=9.0).build([{"params": [third]}, {"params": _weights([1.0])}])
    fresh.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for each in (copy.deepcopy(optimizer), fresh):
        for group in each.param_groups:
            group["params"][0].grad = torch.tensor([50.0])
        each.step()
        assert [group["params"][0].grad.item() for group in each.param_groups] == [2.0, 2.0]


def test_a_closure_is_called_before_clipping() -> None:
    (weight,) = _weights([0.0])

    def closure() -> float:
        weight.grad = torch.tensor([7.0])
        return 3.0

    assert LegacyAdam().build([{"params": [weight]}]).step(closure) == 3.0
    assert weight.grad is not None
    assert weight.grad.item() == pytest.approx(1.0)
