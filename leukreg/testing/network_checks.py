"""Contract checks of what a network is made of."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from leukreg.testing.examples import example_images, example_labels
from leukreg.testing.option_checks import instance, of_plugin
from leukreg.types import ImageSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "check_aggregator",
    "check_attention",
    "check_augmentation",
    "check_backbone",
    "check_head",
    "check_loss",
]


@of_plugin
def check_augmentation(plugin: Any, size: int = 32) -> None:
    """uint8 in and out, same shape, input untouched, repeatable, one draw for each image."""
    import torch

    own = instance(plugin)
    change = own.build(ImageSpec(size=size))
    pixels = torch.from_numpy(example_images(size=size).pixels(range(8)))
    batch = pixels.permute(0, 3, 1, 2).contiguous()
    before = batch.clone()
    with torch.random.fork_rng(devices=[]):
        result = change(batch)
        assert isinstance(result, torch.Tensor) and result.dtype == torch.uint8, (
            "takes and returns uint8 batches"
        )
        assert result.shape == batch.shape, (
            f"{tuple(batch.shape)} became {tuple(result.shape)}; keep the shape"
        )
        assert batch.equal(before), "changes its input in place; work on a copy"
        one = change(batch[:1])
        assert one.shape == batch[:1].shape, "fails to keep the shape of a single image"
    _check_draws(change, batch)


def _check_draws(change: Any, batch: Tensor) -> None:
    """The same under torch's seed, and another draw for each image of a batch."""
    import torch

    def drawn(seed: int, images: Tensor) -> Tensor:
        torch.manual_seed(seed)
        result: Tensor = change(images)
        return result

    same = batch[:1].repeat(32, 1, 1, 1)
    with torch.random.fork_rng(devices=[]):
        assert drawn(7, batch).equal(drawn(7, batch)), (
            "two calls from the same torch seed differ; draw from torch's global generator"
        )
        results = [drawn(seed, same) for seed in range(8)]
    random = any(not result.equal(results[0]) for result in results)
    alike = all(result.equal(result[:1].expand_as(result)) for result in results)
    assert not (random and alike), (
        "every image of a batch gets the same draw; draw once for each image"
    )


@of_plugin
def check_backbone(plugin: Any, size: int = 64) -> None:
    """Feature maps ``(b, channels, h, w)`` from stages in order, with an input contract."""
    import torch

    own = instance(plugin)
    model = own.build()
    for name in ("channels", "stages", "contract"):
        assert hasattr(model, name), f"the module has no attribute {name!r}"
    assert isinstance(model.stages, torch.nn.Sequential) and len(model.stages), (
        "stages must be an nn.Sequential of at least one stage"
    )
    _check_contract(model.contract)
    images = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    features = forward(model, images)
    assert features.ndim == 4 and features.shape[:2] == (2, model.channels), (
        f"features have shape {tuple(features.shape)}, not (2, {model.channels}, h, w)"
    )
    assert torch.allclose(forward(model.eval().stages, images), features, atol=1e-5), (
        "running the stages one after the other is not the forward pass"
    )
    inside = {id(each) for each in model.stages.parameters()}
    outside = [name for name, each in model.named_parameters() if id(each) not in inside]
    assert not outside, (
        f"{', '.join(outside[:3])} lies outside the stages, so no phase can unfreeze it"
    )
    assert all(each.requires_grad for each in model.parameters()), (
        "some parameters are frozen; the recipe's phases decide what trains"
    )
    check_module(own.build, images)


def _check_contract(contract: Any) -> None:
    for name in ("mean", "std"):
        values = tuple(getattr(contract, name, ()))
        assert len(values) == 3 and all(isinstance(value, float) for value in values), (
            f"contract.{name} must be three floats, for R, G and B on the 0 to 1 scale"
        )
    assert all(-1 <= value <= 2 for value in contract.mean) and all(
        0 < v <= 2 for v in contract.std
    ), "contract.mean and contract.std are meant for pixels from 0 to 1, not 0 to 255"


@of_plugin
def check_attention(plugin: Any) -> None:
    """Keeps the shape of feature maps and passes gradients on, for several widths and sizes."""
    import torch

    own = instance(plugin)
    draw = torch.Generator().manual_seed(0)
    for channels, side in ((16, 4), (48, 7), (24, 1)):
        features = torch.randn(3, channels, side, side, generator=draw)
        result = forward(own.build(channels), features)
        assert result.shape == features.shape, (
            f"{tuple(features.shape)} became {tuple(result.shape)}; keep the shape"
        )
    features = torch.randn(3, 32, 5, 5, generator=draw, requires_grad=True)
    own.build(32)(features).square().sum().backward()
    assert features.grad is not None and features.grad.count_nonzero(), (
        "no gradient reaches the features, so the backbone could not train"
    )
    check_module(lambda: own.build(32), features.detach())


@of_plugin
def check_head(plugin: Any) -> None:
    """Logits ``(b, k)`` from feature maps of several sizes, for two to four classes."""
    import torch

    own = instance(plugin)
    draw = torch.Generator().manual_seed(0)
    for classes in (2, 3, 4):
        for side in (1, 2, 7):
            features = torch.randn(5, 24, side, side, generator=draw)
            logits = forward(own.build(24, example_labels(classes)), features)
            assert logits.shape == (5, classes), (
                f"{classes} classes need logits (5, {classes}), not {tuple(logits.shape)}"
            )
            assert not torch.allclose(logits.sum(1), torch.ones(5), atol=1e-5), (
                "its rows sum to 1; return logits, the softmax is the loss's business"
            )
    features = torch.randn(5, 24, 3, 3, generator=draw)
    check_module(lambda: own.build(24, example_labels(3)), features)
    alone = forward(own.build(24, example_labels(3)), features[:1])
    assert alone.shape == (1, 3), "a single image must give logits (1, 3)"


@of_plugin
def check_aggregator(plugin: Any) -> None:
    """Logits ``(k,)`` of any number of cells in any order, and weights that sum to 1."""
    import torch

    own = instance(plugin)
    reads = getattr(own, "reads", "")
    assert reads in ("probabilities", "features"), 'reads must be "probabilities" or "features"'
    draw = torch.Generator().manual_seed(0)
    for classes in (2, 4):
        width = classes if reads == "probabilities" else 24
        module = own.build(width, example_labels(classes))
        for n in (1, 2, 301):
            cells = torch.randn(n, width, generator=draw)
            cells = cells.double().softmax(1) if reads == "probabilities" else cells
            _check_answer(module, cells, classes)
    check_module(lambda: own.build(width, example_labels(4)), cells)


def _check_answer(module: nn.Module, cells: Tensor, classes: int) -> None:
    import torch

    logits, weights = forward(module, cells), module.eval().weights(cells)  # type: ignore[operator]
    p = logits.double().softmax(-1)
    assert p.shape == (classes,) and p.isfinite().all(), (
        f"{len(cells)} cells give logits {tuple(logits.shape)}; it must be ({classes},), and their"
        " softmax finite"
    )
    good = weights.shape == (len(cells),) and (weights >= 0).all() and abs(weights.sum() - 1) < 1e-4
    assert good, f"weights of {len(cells)} cells must be ({len(cells)},), from 0, of sum 1"
    turned = forward(module, cells.flip(0)).double().softmax(-1)
    assert torch.allclose(turned, p, atol=1e-5), "the order of the cells changes the answer"


@of_plugin
def check_loss(plugin: Any) -> None:
    """A finite scalar mean that falls when the answer gets better, with and without weights."""
    own = instance(plugin)
    for classes in (2, 3, 4):
        for weighted in (False, True):
            _check_loss(own.build(example_labels(classes, weighted=weighted)), classes)
    import torch

    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    targets = torch.arange(6) % 3
    check_module(lambda: own.build(example_labels(3, weighted=True)), logits, targets)


def _check_loss(loss: nn.Module, classes: int) -> None:
    import torch

    targets = torch.arange(8) % classes
    logits = torch.randn(8, classes, generator=torch.Generator().manual_seed(0), requires_grad=True)
    value = loss(logits, targets)
    assert isinstance(value, torch.Tensor) and value.ndim == 0 and value.isfinite(), (
        "must return one finite number, a tensor without dimensions"
    )
    value.backward()  # type: ignore[no-untyped-call]
    assert (
        logits.grad is not None and logits.grad.isfinite().all() and logits.grad.count_nonzero()
    ), "the gradient of the logits must be finite and not all zero"
    right = 6 * torch.nn.functional.one_hot(targets, classes).float()
    assert loss(right, targets) < loss(-right, targets), (
        "right answers cost no less than wrong ones"
    )
    _check_set(loss, logits.detach(), targets)
    twice = loss(logits.repeat(2, 1), targets.repeat(2))
    assert torch.allclose(twice, value, rtol=1e-4, atol=1e-6), (
        f"the same batch twice over costs {twice.item():.4g}, not {value.item():.4g}; "
        "return the mean over the batch"
    )
    for extreme in (1e4, -1e4):
        assert loss(extreme * right, targets).isfinite(), (
            "is not finite for very large logits; use log_softmax, not log of softmax"
        )
    assert loss(logits[:1], targets[:1]).isfinite(), "fails on a batch of one image"


def _check_set(loss: nn.Module, logits: Tensor, targets: Tensor) -> None:
    """In eval mode a set of rows has one loss, which is how leukreg asks for a validation loss."""
    import torch

    whole = forward(loss, logits, targets)
    for start in range(0, len(targets), 3):
        forward(loss, logits[start : start + 3], targets[start : start + 3])
    again = forward(loss, logits, targets)
    assert again.equal(whole), (
        f"asked again after other batches, the same rows cost {again.item():.4g}, not "
        f"{whole.item():.4g}; in eval mode a loss must not depend on earlier batches"
    )
    turned = forward(loss, logits.flip(0), targets.flip(0))
    assert torch.allclose(turned, whole, rtol=1e-4, atol=1e-6), (
        f"the same rows in another order cost {turned.item():.4g}, not {whole.item():.4g}; "
        "in eval mode the order must not matter"
    )


def check_module(build: Callable[[], nn.Module], *inputs: Tensor) -> None:
    """Gradients reach every parameter; seeds, deepcopy and state_dict keep the numbers.

    Raises:
        AssertionError: With a sentence that says what to mend.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        module, other = _pair(build)
        _check_gradients(module, *inputs)
        _check_copies(module, other, *inputs)


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


def _pair(build: Callable[[], nn.Module]) -> tuple[nn.Module, nn.Module]:
    """Two modules, built from one seed."""
    import torch

    pair = []
    for _ in range(2):
        torch.manual_seed(0)
        pair.append(build())
        assert isinstance(pair[-1], torch.nn.Module), "build must return an nn.Module"
    assert _equal(pair[0].state_dict(), pair[1].state_dict()), (
        "two builds from the same torch seed differ; draw initial weights from torch's "
        "global generator only"
    )
    return pair[0], pair[1]


def _equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(first[name].equal(second[name]) for name in first)


def _check_gradients(module: nn.Module, *inputs: Tensor) -> None:
    import torch

    module.train()
    module.zero_grad()
    result = module(*inputs)
    assert isinstance(result, torch.Tensor), "forward must return one tensor"
    assert result.isfinite().all(), "forward gives values that are not finite"
    trainable = {name: each for name, each in module.named_parameters() if each.requires_grad}
    if not trainable:
        return
    assert result.requires_grad, (
        f"no gradient reaches {', '.join(trainable)}; is the result detached?"
    )
    # A fixed random direction, so that no symmetry (a softmax sums to 1) cancels the gradient.
    weight = torch.linspace(-1, 1, max(2, result.numel()))[: result.numel()].reshape(result.shape)
    (result.float() * weight).sum().backward()  # type: ignore[no-untyped-call]
    missing = [name for name, each in trainable.items() if each.grad is None]
    assert not missing, f"no gradient reaches {', '.join(missing)}; is it unused or detached?"
    gradients = [each.grad for each in trainable.values() if each.grad is not None]
    assert all(gradient.isfinite().all() for gradient in gradients), "some gradients are not finite"
    assert any(gradient.count_nonzero() for gradient in gradients), (
        "every gradient is zero, so it cannot learn"
    )


def _check_copies(module: nn.Module, other: nn.Module, *inputs: Tensor) -> None:
    import torch

    with torch.no_grad():
        for parameter in module.parameters():  # as training would, away from the initial weights
            parameter.mul_(1.01).add_(0.001)
    expected = forward(module, *inputs)
    assert forward(module, *inputs).equal(expected), (
        "two passes in eval mode differ; random steps belong to train mode"
    )
    assert forward(copy.deepcopy(module), *inputs).equal(expected), (
        "a deepcopy computes something else"
    )
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    try:
        other.load_state_dict(torch.load(file, weights_only=True))
    except Exception as error:
        raise AssertionError(
            f"its state_dict cannot be saved and loaded safely: {error}"
        ) from error
    assert forward(other, *inputs).equal(expected), (
        "after state_dict and load_state_dict it computes something else; "
        "keep what it computes with in parameters or buffers"
    )
