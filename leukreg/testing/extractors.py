"""The contract check of extractors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leukreg.testing.common import instance, named, require
from leukreg.testing.examples import example_images

if TYPE_CHECKING:
    from torch import Tensor, nn


def check_extractor(plugin: Any) -> None:
    """Features ``(b, dimensions)`` of uint8 images of any size, one image not touching another."""
    import torch

    own, who = instance(plugin), named(plugin)
    module = own.build()
    require(isinstance(module, torch.nn.Module), f"{who}: build must return an nn.Module")
    dimensions = getattr(module, "dimensions", None)
    require(
        isinstance(dimensions, int) and dimensions > 0,
        f"{who}: the module needs 'dimensions', the number of its features",
    )
    require(not module.training, f"{who}: the module must come in eval mode; call eval()")
    for size in (32, 48):
        _check_features(who, module, _images(size))
    _check_description(who, own)
    again = own.build()
    require(
        torch.equal(_run(again, _images(32)), _run(module, _images(32))),
        f"{who}: built twice it gives other features; its weights must not be drawn at random",
    )


def _check_features(who: str, module: nn.Module, images: Tensor) -> None:
    import torch

    before = images.clone()
    features = _run(module, images)
    expected = (len(images), int(module.dimensions))  # type: ignore[arg-type]
    require(
        isinstance(features, torch.Tensor) and tuple(features.shape) == expected,
        f"{who}: {len(images)} images need features of shape {expected}, not "
        f"{tuple(getattr(features, 'shape', ()))}",
    )
    require(features.dtype == torch.float32, f"{who}: features must be float32")
    require(features.isfinite().all(), f"{who}: some features are not finite")
    require(images.equal(before), f"{who}: changes its input in place; work on a copy")
    require(
        torch.allclose(_run(module, images[:1]), features[:1], rtol=1e-3, atol=1e-4),
        f"{who}: an image alone has other features than among others",
    )
    require(
        not torch.allclose(features[0], features[-1]),
        f"{who}: images of two classes have the same features",
    )


def _check_description(who: str, own: Any) -> None:
    facts = own.describe()
    require(
        all(isinstance(key, str) and isinstance(value, str) for key, value in facts.items()),
        f"{who}: describe must return words by name",
    )
    digest = facts.get("digest", "")
    require(
        len(digest) >= 8 and set(digest) <= set("0123456789abcdef"),
        f"{who}: describe must hold 'digest', the hexadecimal digest of the weights",
    )
    require(own.describe() == facts, f"{who}: describes itself differently the second time")


def _images(size: int) -> Tensor:
    import torch

    pixels = example_images(classes=2, per_class=1, size=size).pixels(range(2))
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)


def _run(module: nn.Module, images: Tensor) -> Tensor:
    import torch

    with torch.inference_mode():
        result: Tensor = module(images)
    return result
