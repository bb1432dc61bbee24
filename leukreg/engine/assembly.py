"""Build the model of a recipe, and refuse plugins that break their contract."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from leukreg.engine.classifier import Classifier, Normaliser
from leukreg.engine.device import reseed
from leukreg.errors import PluginError
from leukreg.recipe.model import Choice, Recipe
from leukreg.recipe.stranger import call, named
from leukreg.seeds import derive
from leukreg.types import Labels


def assemble(recipe: Recipe, labels: Labels) -> Classifier:
    """The recipe's model, its fresh weights drawn from the recipe's seed.

    Every part has a seed of its own: another attention does not change the head's first weights.
    Reseeds the global generators.

    Raises:
        PluginError: A part lacks what its contract asks for, or gives a wrong shape.
        NotAvailable: A part needs something that is not on this machine.
    """
    spec = recipe.model
    backbone = _part(recipe, spec.backbone, spec.backbone.plugin.build)
    _check_backbone(spec.backbone, backbone)
    channels = int(backbone.channels)  # type: ignore[arg-type]
    attention: nn.Module = nn.Identity()
    if spec.attention is not None:
        choice = spec.attention
        attention = _part(recipe, choice, choice.plugin.build, channels)
    head = _part(recipe, spec.head, spec.head.plugin.build, channels, labels)
    normaliser = _normaliser(spec.backbone, backbone, spec.input == "divided-twice")
    model = Classifier(normaliser, backbone, attention, head)
    _check_shapes(model, recipe, channels, len(labels))
    return model


def _part(recipe: Recipe, choice: Choice, build: Callable[..., object], *args: object) -> nn.Module:
    reseed(derive(recipe.seed, "model", choice.kind))
    module = call(choice, build, *args)
    if not isinstance(module, nn.Module):
        raise PluginError(f"{named(choice)} built a {type(module).__name__}, not a torch.nn.Module")
    return module


def _check_backbone(choice: Choice, backbone: nn.Module) -> None:
    if not isinstance(getattr(backbone, "stages", None), nn.Sequential):
        raise PluginError(f"{named(choice)} has no 'stages' that is a torch.nn.Sequential")
    channels = getattr(backbone, "channels", None)
    if not isinstance(channels, int) or channels < 1:
        raise PluginError(f"{named(choice)} needs 'channels', a positive int; it is {channels!r}")


def _normaliser(choice: Choice, backbone: nn.Module, divided_twice: bool) -> Normaliser:
    contract = getattr(backbone, "contract", None)
    for name in ("mean", "std"):
        values = getattr(contract, name, None)
        if not isinstance(values, tuple | list) or len(values) != 3:
            raise PluginError(f"{named(choice)} needs 'contract.{name}', three figures for R, G, B")
    if any(value <= 0 for value in contract.std):  # type: ignore[union-attr]
        raise PluginError(f"{named(choice)}: every figure of 'contract.std' must be above 0")
    return Normaliser(contract, divided_twice)  # type: ignore[arg-type]


@torch.no_grad()
def _check_shapes(model: Classifier, recipe: Recipe, channels: int, classes: int) -> None:
    """Send two grey images through; each part must give the shape that its contract says."""
    size = recipe.image.size
    spec = recipe.model
    model.eval()
    images = torch.full((2, 3, size, size), 127, dtype=torch.uint8)
    maps = _forward(spec.backbone, model.stages, model.normaliser(images), f"images of {size} px")
    if maps.ndim != 4 or maps.shape[:2] != (2, channels):
        raise PluginError(
            f"{named(spec.backbone)} gives shape {_shape(maps)} for 2 images of {size} px; "
            f"it must be (2, {channels}, h, w), since its 'channels' is {channels}"
        )
    if spec.attention is not None:
        seen = _forward(spec.attention, model.attention, maps, f"feature maps {_shape(maps)}")
        if seen.shape != maps.shape:
            raise PluginError(
                f"{named(spec.attention)} turns shape {_shape(maps)} into {_shape(seen)}; "
                "an attention keeps the shape"
            )
        maps = seen
    logits = _forward(spec.head, model.head, maps, f"feature maps {_shape(maps)}")
    if tuple(logits.shape) != (2, classes):
        raise PluginError(
            f"{named(spec.head)} gives shape {_shape(logits)} for 2 images and {classes} classes; "
            f"it must be (2, {classes})"
        )


def _forward(choice: Choice, module: nn.Module, inputs: Tensor, what: str) -> Tensor:
    try:
        output = module(inputs)
    except Exception as error:
        message = f"{named(choice)} fails on {what}: {type(error).__name__}: {error}"
        raise PluginError(message) from error
    if not isinstance(output, Tensor):
        raise PluginError(f"{named(choice)} gives a {type(output).__name__}, not a tensor")
    return output


def _shape(tensor: Tensor) -> str:
    return str(tuple(tensor.shape))
