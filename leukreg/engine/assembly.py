"""Build the model of a recipe, and refuse plugins that break their contract."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from leukreg.engine.classifier import Classifier, Normaliser
from leukreg.engine.device import reseed
from leukreg.engine.preprocessing import PreprocessingChain
from leukreg.errors import LeukregError, PluginError, PluginFault
from leukreg.recipe.model import Recipe
from leukreg.registry.kinds import InputContract
from leukreg.registry.plugin_call import Choice, blamed, breach, call, named
from leukreg.seeds import derive
from leukreg.types import Labels

WHOLE = "`stages`, run in order on the image, are the whole network"
COMMON = 224
"""Pixels a side that most networks were made for."""


def assemble(recipe: Recipe, labels: Labels) -> Classifier:
    """The recipe's model, its fresh weights drawn from the recipe's seed.

    Every part has a seed of its own: another attention does not change the head's first weights.
    Reseeds the global generators.

    Raises:
        PluginError: The backbone takes no images as small as the recipe's.
        PluginFault: A part lacks what its contract asks for, or gives a wrong shape.
        NotAvailable: A part needs something that is not on this machine.
    """
    spec = recipe.model

    def part(choice: Choice, *args: object) -> nn.Module:
        reseed(derive(recipe.seed, "model", choice.kind))
        return built(choice, *args)

    backbone = part(spec.backbone)
    channels = _check_backbone(spec.backbone, backbone)
    attention = part(spec.attention, channels) if spec.attention else nn.Identity()
    head = part(spec.head, channels, labels)
    contract = _contract(spec.backbone, backbone)
    normaliser = Normaliser(contract, divided_twice=spec.input == "divided-twice")
    model = Classifier(normaliser, backbone, attention, head, _preprocessing(recipe))
    _check_shapes(model, recipe, channels, len(labels))
    return model


def _preprocessing(recipe: Recipe) -> PreprocessingChain:
    """Not fitted yet."""
    sizes = recipe.image_sizes
    pairs = zip(recipe.preprocessing, sizes[1:], strict=True)
    steps = [built(choice, image).eval() for choice, image in pairs]
    for choice, step in zip(recipe.preprocessing, steps, strict=True):
        if any(True for _ in step.parameters()):
            raise breach(choice, " has parameters; what it learns must lie in buffers")
    return PreprocessingChain(recipe.preprocessing, steps, sizes)


def built(choice: Choice, *args: object) -> nn.Module:
    """The module that the chosen plugin builds.

    Raises:
        PluginFault: It fails, or builds something else.
    """
    module = call(choice, choice.plugin.build, *args)
    if not isinstance(module, nn.Module):
        raise breach(choice, f" built a {type(module).__name__}, not a torch.nn.Module")
    return module


def _check_backbone(choice: Choice, backbone: nn.Module) -> int:
    """The channels of the backbone's last feature map."""
    if not isinstance(getattr(backbone, "stages", None), nn.Sequential):
        raise breach(choice, f" has no 'stages' that is a torch.nn.Sequential; {WHOLE}")
    channels = getattr(backbone, "channels", None)
    if not isinstance(channels, int) or channels < 1:
        raise breach(choice, f" needs 'channels', a positive int; it is {channels!r}")
    inside = {id(parameter) for parameter in backbone.stages.parameters()}  # type: ignore[union-attr]
    outside = [name for name, each in backbone.named_parameters() if id(each) not in inside]
    if outside:
        names = ", ".join(outside[:3])
        raise breach(choice, f" has parameters outside its stages ({names}); {WHOLE}")
    return channels


def _contract(choice: Choice, backbone: nn.Module) -> InputContract:
    contract: Any = getattr(backbone, "contract", None)
    for name in ("mean", "std"):
        values = getattr(contract, name, None)
        if not isinstance(values, tuple | list) or len(values) != 3:
            raise breach(choice, f" needs 'contract.{name}', three figures for R, G, B")
    if any(value <= 0 for value in contract.std):
        raise breach(choice, ": every figure of 'contract.std' must be above 0")
    return cast(InputContract, contract)


@torch.no_grad()
def _check_shapes(model: Classifier, recipe: Recipe, channels: int, classes: int) -> None:
    """Send two images through; each part must give the shape that its contract says."""
    size = recipe.image.size
    spec = recipe.model
    model.eval()
    draw = torch.Generator().manual_seed(0)
    images = torch.randint(256, (2, 3, size, size), dtype=torch.uint8, generator=draw)
    maps = _maps(spec.backbone, model, images)
    if maps.ndim != 4 or maps.shape[:2] != (2, channels):
        raise breach(
            spec.backbone,
            f" gives shape {_shape(maps)} for 2 images of {size} px; it must be "
            f"(2, {channels}, h, w), since its 'channels' is {channels}; {WHOLE}",
        )
    if spec.attention is not None:
        seen = _forward(spec.attention, model.attention, maps, f"feature maps {_shape(maps)}")
        if seen.shape != maps.shape:
            shapes = f"{_shape(maps)} into {_shape(seen)}"
            raise breach(spec.attention, f" turns shape {shapes}; an attention keeps the shape")
        maps = seen
    logits = _forward(spec.head, model.head, maps, f"feature maps {_shape(maps)}")
    if tuple(logits.shape) != (2, classes):
        raise breach(
            spec.head,
            f" gives shape {_shape(logits)} for 2 images and {classes} classes; "
            f"it must be (2, {classes})",
        )


def _maps(choice: Choice, model: Classifier, images: Tensor) -> Tensor:
    """The feature maps; the stages must be the whole network, as training takes them to be."""
    size, inputs = images.shape[-1], model.normaliser(images)
    try:
        maps = _forward(choice, model.stages, inputs, f"images of {size} px; {WHOLE}")
    except LeukregError as error:
        if not isinstance(error, PluginFault):
            raise PluginError(f"{named(choice)}: {error}") from error
        if size < COMMON and _runs(model.stages, COMMON):
            reason = f"{type(error.__cause__).__name__}: {error.__cause__}"
            raise PluginError(
                f"{named(choice)} takes no images of {size} px ({reason}), "
                f"but takes {COMMON} px: raise image.size"
            ) from error
        raise
    if type(model.backbone).forward is not nn.Module.forward:
        own = _forward(choice, model.backbone, inputs, f"images of {size} px")
        if own.shape != maps.shape or (own - maps).abs().max() > 1e-3 * (1 + maps.abs().max()):
            raise breach(choice, f" computes something else than its stages do; {WHOLE}")
    return maps


def _runs(stages: nn.Module, size: int) -> bool:
    """Whether the stages take images of this size."""
    try:
        stages(torch.zeros(1, 3, size, size))
    except Exception:
        return False
    return True


def _forward(choice: Choice, module: nn.Module, inputs: Tensor, what: str) -> Tensor:
    with blamed(choice, f"fails on {what}"):
        output = module(inputs)
    if not isinstance(output, Tensor):
        raise breach(choice, f" gives a {type(output).__name__}, not a tensor")
    return output


def _shape(tensor: Tensor) -> str:
    return str(tuple(tensor.shape))


class Criterion(nn.Module):
    """A loss plugin's module; whatever it does wrong names its author.

    Raises:
        PluginFault: It is no module; when called: it failed, or gave no mean that can be learned
            from.
    """

    def __init__(self, choice: Choice, labels: Labels) -> None:
        super().__init__()
        self.choice, self.labels = choice, labels
        self.loss = built(choice, labels)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Logits ``(b, k)`` and targets ``(b,)`` to the scalar mean loss."""
        with blamed(self.choice, f"fails on logits {tuple(logits.shape)}"):
            loss = self.loss(logits, targets)
        if not isinstance(loss, Tensor):
            raise breach(self.choice, f" gives a {type(loss).__name__}, not a tensor")
        if loss.ndim:
            raise breach(
                self.choice,
                f" gives shape {tuple(loss.shape)} for a batch of {len(targets)}; "
                "it must give a single number, the mean over the batch",
            )
        if torch.is_grad_enabled() and logits.requires_grad and not loss.requires_grad:
            raise breach(self.choice, " gives no gradient to the logits; is its result detached?")
        return loss

    def weight_of(self, targets: Tensor) -> float:
        """What rows with these targets count in a mean over more of them.

        The sum of their class weights: those of the loss's ``weight``, as torch's own losses call
        it, else those of the labels; their number where there are none.
        """
        weights = getattr(self.loss, "weight", None)
        if not (isinstance(weights, Tensor) and weights.shape == (len(self.labels),)):
            if self.labels.weights is None:
                return float(len(targets))
            weights = torch.tensor(self.labels.weights)
        return float(weights.to(targets.device)[targets].sum())
