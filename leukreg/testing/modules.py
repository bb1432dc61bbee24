"""What every torch module of a plugin must survive: gradients, copies, saving, seeds."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from leukreg.testing.common import require

if TYPE_CHECKING:
    from torch import Tensor, nn


def check_module(who: str, build: Callable[[], nn.Module], *inputs: Tensor) -> None:
    """Gradients reach every parameter; seeds, deepcopy and state_dict keep the numbers.

    Raises:
        AssertionError: With a sentence that says what to mend.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        module, other = _pair(who, build)
        _check_gradients(who, module, *inputs)
        _check_copies(who, module, other, *inputs)


def forward(module: nn.Module, *inputs: Tensor) -> Tensor:
    """One pass in eval mode without gradients, the mode put back."""
    import torch

    training = module.training
    module.eval()
    with torch.no_grad():
        result = module(*inputs)
    module.train(training)
    assert isinstance(result, torch.Tensor)
    return result


def _pair(who: str, build: Callable[[], nn.Module]) -> tuple[nn.Module, nn.Module]:
    """Two modules, built from one seed."""
    import torch

    pair = []
    for _ in range(2):
        torch.manual_seed(0)
        pair.append(build())
        require(isinstance(pair[-1], torch.nn.Module), f"{who}: build must return an nn.Module")
    require(
        _equal(pair[0].state_dict(), pair[1].state_dict()),
        f"{who}: two builds from the same torch seed differ; draw initial weights from torch's "
        "global generator only",
    )
    return pair[0], pair[1]


def _equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(first[name].equal(second[name]) for name in first)


def _check_gradients(who: str, module: nn.Module, *inputs: Tensor) -> None:
    import torch

    module.train()
    module.zero_grad()
    result = module(*inputs)
    require(isinstance(result, torch.Tensor), f"{who}: forward must return one tensor")
    require(result.isfinite().all(), f"{who}: forward gives values that are not finite")
    trainable = {name: each for name, each in module.named_parameters() if each.requires_grad}
    if not trainable:
        return
    require(
        result.requires_grad,
        f"{who}: no gradient reaches {', '.join(trainable)}; is the result detached?",
    )
    # A fixed random direction, so that no symmetry (a softmax sums to 1) cancels the gradient.
    weight = torch.linspace(-1, 1, max(2, result.numel()))[: result.numel()].reshape(result.shape)
    (result.float() * weight).sum().backward()
    missing = [name for name, each in trainable.items() if each.grad is None]
    require(
        not missing,
        f"{who}: no gradient reaches {', '.join(missing)}; is it unused or detached?",
    )
    gradients = [each.grad for each in trainable.values() if each.grad is not None]
    require(
        all(gradient.isfinite().all() for gradient in gradients),
        f"{who}: some gradients are not finite",
    )
    require(
        any(gradient.count_nonzero() for gradient in gradients),
        f"{who}: every gradient is zero, so it cannot learn",
    )


def _check_copies(who: str, module: nn.Module, other: nn.Module, *inputs: Tensor) -> None:
    import torch

    with torch.no_grad():
        for parameter in module.parameters():  # as training would, away from the initial weights
            parameter.mul_(1.01).add_(0.001)
    expected = forward(module, *inputs)
    require(
        forward(module, *inputs).equal(expected),
        f"{who}: two passes in eval mode differ; random steps belong to train mode",
    )
    require(
        forward(copy.deepcopy(module), *inputs).equal(expected),
        f"{who}: a deepcopy computes something else",
    )
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    try:
        other.load_state_dict(torch.load(file, weights_only=True))
    except Exception as error:
        raise AssertionError(
            f"{who}: its state_dict cannot be saved and loaded safely: {error}"
        ) from error
    require(
        forward(other, *inputs).equal(expected),
        f"{who}: after state_dict and load_state_dict it computes something else; "
        "keep what it computes with in parameters or buffers",
    )
