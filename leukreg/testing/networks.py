"""Contract checks of what a network is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leukreg.testing.common import instance, named, require, same_under_seed
from leukreg.testing.examples import example_images, example_labels
from leukreg.testing.modules import check_module, forward
from leukreg.types import ImageSpec

if TYPE_CHECKING:
    from torch import Tensor, nn


def check_augmentation(plugin: Any, size: int = 32) -> None:
    """uint8 in and out, same shape, input untouched, repeatable, one draw for each image."""
    import torch

    own, who = instance(plugin), named(plugin)
    change = own.build(ImageSpec(size=size))
    pixels = torch.from_numpy(example_images(size=size).pixels(range(8)))
    batch = pixels.permute(0, 3, 1, 2).contiguous()
    before = batch.clone()
    with torch.random.fork_rng(devices=[]):
        result = change(batch)
        require(
            isinstance(result, torch.Tensor) and result.dtype == torch.uint8,
            f"{who}: takes and returns uint8 batches",
        )
        require(
            result.shape == batch.shape,
            f"{who}: {tuple(batch.shape)} became {tuple(result.shape)}; keep the shape",
        )
        require(batch.equal(before), f"{who}: changes its input in place; work on a copy")
        one = change(batch[:1])
        require(one.shape == batch[:1].shape, f"{who}: fails to keep the shape of a single image")
    same_under_seed(
        lambda: change(batch),
        f"{who}: two calls from the same torch seed differ; draw from torch's global generator",
        torch.Tensor.equal,
    )
    _check_draws(who, change, batch)


def _check_draws(who: str, change: Any, batch: Tensor) -> None:
    import torch

    same = batch[:1].repeat(32, 1, 1, 1)
    with torch.random.fork_rng(devices=[]):
        results = []
        for seed in range(8):
            torch.manual_seed(seed)
            results.append(change(same))
    random = any(not result.equal(results[0]) for result in results)
    alike = all(result.equal(result[:1].expand_as(result)) for result in results)
    require(
        not (random and alike),
        f"{who}: every image of a batch gets the same draw; draw once for each image",
    )


def check_backbone(plugin: Any, size: int = 64) -> None:
    """Feature maps ``(b, channels, h, w)`` from stages in order, with an input contract."""
    import torch

    own, who = instance(plugin), named(plugin)
    model = own.build()
    for name in ("channels", "stages", "contract"):
        require(hasattr(model, name), f"{who}: the module has no attribute {name!r}")
    require(
        isinstance(model.stages, torch.nn.Sequential) and len(model.stages),
        f"{who}: stages must be an nn.Sequential of at least one stage",
    )
    _check_contract(who, model.contract)
    images = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    features = forward(model, images)
    require(
        features.ndim == 4 and features.shape[:2] == (2, model.channels),
        f"{who}: features have shape {tuple(features.shape)}, not (2, {model.channels}, h, w)",
    )
    require(
        torch.allclose(forward(_eval(model).stages, images), features, atol=1e-5),
        f"{who}: running the stages one after the other is not the forward pass",
    )
    inside = {id(each) for each in model.stages.parameters()}
    outside = [name for name, each in model.named_parameters() if id(each) not in inside]
    require(
        not outside,
        f"{who}: {', '.join(outside[:3])} lies outside the stages, so no phase can unfreeze it",
    )
    require(
        all(each.requires_grad for each in model.parameters()),
        f"{who}: some parameters are frozen; the recipe's phases decide what trains",
    )
    check_module(who, own.build, images)


def _eval(model: nn.Module) -> Any:
    return model.eval()


def _check_contract(who: str, contract: Any) -> None:
    for name in ("mean", "std"):
        values = tuple(getattr(contract, name, ()))
        require(
            len(values) == 3 and all(isinstance(value, float) for value in values),
            f"{who}: contract.{name} must be three floats, for R, G and B on the 0 to 1 scale",
        )
    require(
        all(-1 <= value <= 2 for value in contract.mean) and all(0 < v <= 2 for v in contract.std),
        f"{who}: contract.mean and contract.std are meant for pixels from 0 to 1, not 0 to 255",
    )


def check_attention(plugin: Any) -> None:
    """Keeps the shape of feature maps and passes gradients on, for several widths and sizes."""
    import torch

    own, who = instance(plugin), named(plugin)
    draw = torch.Generator().manual_seed(0)
    for channels, side in ((16, 4), (48, 7), (24, 1)):
        features = torch.randn(3, channels, side, side, generator=draw)
        result = forward(own.build(channels), features)
        require(
            result.shape == features.shape,
            f"{who}: {tuple(features.shape)} became {tuple(result.shape)}; keep the shape",
        )
    features = torch.randn(3, 32, 5, 5, generator=draw, requires_grad=True)
    own.build(32)(features).square().sum().backward()
    require(
        features.grad is not None and features.grad.count_nonzero(),
        f"{who}: no gradient reaches the features, so the backbone could not train",
    )
    check_module(who, lambda: own.build(32), features.detach())


def check_head(plugin: Any) -> None:
    """Logits ``(b, k)`` from feature maps of several sizes, for two to four classes."""
    import torch

    own, who = instance(plugin), named(plugin)
    draw = torch.Generator().manual_seed(0)
    for classes in (2, 3, 4):
        for side in (1, 2, 7):
            features = torch.randn(5, 24, side, side, generator=draw)
            logits = forward(own.build(24, example_labels(classes)), features)
            require(
                logits.shape == (5, classes),
                f"{who}: {classes} classes need logits (5, {classes}), not {tuple(logits.shape)}",
            )
            require(
                not torch.allclose(logits.sum(1), torch.ones(5), atol=1e-5),
                f"{who}: its rows sum to 1; return logits, the softmax is the loss's business",
            )
    features = torch.randn(5, 24, 3, 3, generator=draw)
    check_module(who, lambda: own.build(24, example_labels(3)), features)
    alone = forward(own.build(24, example_labels(3)), features[:1])
    require(alone.shape == (1, 3), f"{who}: a single image must give logits (1, 3)")


def check_loss(plugin: Any) -> None:
    """A finite scalar mean that falls when the answer gets better, with and without weights."""
    own, who = instance(plugin), named(plugin)
    for classes in (2, 3, 4):
        for weighted in (False, True):
            _check_loss(who, own.build(example_labels(classes, weighted=weighted)), classes)
    import torch

    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    targets = torch.arange(6) % 3
    check_module(who, lambda: own.build(example_labels(3, weighted=True)), logits, targets)


def _check_loss(who: str, loss: nn.Module, classes: int) -> None:
    import torch

    targets = torch.arange(8) % classes
    logits = torch.randn(8, classes, generator=torch.Generator().manual_seed(0), requires_grad=True)
    value = loss(logits, targets)
    require(
        isinstance(value, torch.Tensor) and value.ndim == 0 and value.isfinite(),
        f"{who}: must return one finite number, a tensor without dimensions",
    )
    value.backward()
    require(
        logits.grad is not None and logits.grad.isfinite().all() and logits.grad.count_nonzero(),
        f"{who}: the gradient of the logits must be finite and not all zero",
    )
    right = 6 * torch.nn.functional.one_hot(targets, classes).float()
    require(
        loss(right, targets) < loss(-right, targets),
        f"{who}: right answers cost no less than wrong ones",
    )
    _check_set(who, loss, logits.detach(), targets)
    twice = loss(logits.repeat(2, 1), targets.repeat(2))
    require(
        torch.allclose(twice, value, rtol=1e-4, atol=1e-6),
        f"{who}: the same batch twice over costs {twice.item():.4g}, not {value.item():.4g}; "
        "return the mean over the batch",
    )
    for extreme in (1e4, -1e4):
        require(
            loss(extreme * right, targets).isfinite(),
            f"{who}: is not finite for very large logits; use log_softmax, not log of softmax",
        )
    require(loss(logits[:1], targets[:1]).isfinite(), f"{who}: fails on a batch of one image")


def _check_set(who: str, loss: nn.Module, logits: Tensor, targets: Tensor) -> None:
    """In eval mode a set of rows has one loss, which is how leukreg asks for a validation loss."""
    import torch

    whole = forward(loss, logits, targets)
    for start in range(0, len(targets), 3):
        forward(loss, logits[start : start + 3], targets[start : start + 3])
    again = forward(loss, logits, targets)
    require(
        again.equal(whole),
        f"{who}: asked again after other batches, the same rows cost {again.item():.4g}, not "
        f"{whole.item():.4g}; in eval mode a loss must not depend on earlier batches",
    )
    turned = forward(loss, logits.flip(0), targets.flip(0))
    require(
        torch.allclose(turned, whole, rtol=1e-4, atol=1e-6),
        f"{who}: the same rows in another order cost {turned.item():.4g}, not {whole.item():.4g}; "
        "in eval mode the order must not matter",
    )
