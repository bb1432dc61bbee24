"""The model: normaliser, backbone, attention, head, one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from leukreg.engine.preprocessing import PreprocessingChain
from leukreg.registry.kinds import InputContract

Link = tuple[str, nn.Module]
"""A module with its name; a chain of links run in order is a forward pass."""


class Normaliser(nn.Module):
    """uint8 images ``(b, 3, h, w)`` to what the backbone expects: ``(x / 255 - mean) / std``.

    ``divided_twice`` divides by 255 once more, as V1 and V5 of the history did in front of networks
    that rescale by themselves: the network then sees a nearly black, nearly constant picture.
    """

    gain: Tensor
    shift: Tensor

    def __init__(self, contract: InputContract, divided_twice: bool = False) -> None:
        super().__init__()
        self.scale = 1 / 255**2 if divided_twice else 1 / 255
        mean = torch.tensor(contract.mean, dtype=torch.float32)
        std = torch.tensor(contract.std, dtype=torch.float32)
        self.register_buffer("gain", self.scale / std, persistent=False)
        self.register_buffer("shift", -mean / std, persistent=False)
        self.channels_last = False

    def rescale(self, images: Tensor) -> Tensor:
        """What the network takes to be the 0 to 1 scale, before mean and deviation."""
        return images.float() * self.scale

    def forward(self, images: Tensor) -> Tensor:
        if not self.channels_last:
            contiguous = images.contiguous().float()
            return contiguous.mul_(self.gain.view(3, 1, 1)).add_(self.shift.view(3, 1, 1))
        # Constants repeated over a row of pixels: ten times faster than broadcasting over three.
        b, _, h, w = images.shape
        pixels = images.permute(0, 2, 3, 1).reshape(b * h, w * 3).float()
        pixels = pixels.mul_(self.gain.repeat(w)).add_(self.shift.repeat(w))
        return pixels.view(b, h, w, 3).permute(0, 3, 1, 2)


class Classifier(nn.Module):
    """From uint8 images ``(b, 3, size, size)`` to logits ``(b, k)``.

    ``preprocessing`` is no part of the forward pass, since augmentation and turned views come after
    it: whoever reads images puts them through it.
    """

    def __init__(
        self,
        normaliser: Normaliser,
        backbone: nn.Module,
        attention: nn.Module,
        head: nn.Module,
        preprocessing: PreprocessingChain | None = None,
    ) -> None:
        super().__init__()
        self.preprocessing = preprocessing or PreprocessingChain()
        self.normaliser = normaliser
        self.backbone = backbone
        self.attention = attention
        self.head = head
        self.aggregator: nn.Module | None = None
        """Learns with the backbone in phases with ``bags``; no part of a trained model."""

    @property
    def stages(self) -> nn.Sequential:
        """The backbone's ordered stages; run one after the other they are its forward pass."""
        stages = self.backbone.stages
        assert isinstance(stages, nn.Sequential)
        return stages

    def front(self) -> list[Link]:
        """Everything before the head."""
        stages = self.stages.named_children()
        named: list[Link] = [(f"backbone.stages.{name}", stage) for name, stage in stages]
        return [("normaliser", self.normaliser), *named, ("attention", self.attention)]

    def chain(self) -> list[Link]:
        """The forward pass as an ordered list of modules, sequential heads taken apart."""
        return [*self.front(), *_links("head", self.head)]

    def forward(self, images: Tensor) -> Tensor:
        return run(self.chain(), images)

    def set_channels_last(self, on: bool) -> None:
        """Lay out weights and images channels-last (or channels-first)."""
        layout = torch.channels_last if on else torch.contiguous_format
        self.to(memory_format=layout)  # type: ignore[call-overload]
        self.normaliser.channels_last = on


def run(links: Iterable[Link], inputs: Tensor) -> Tensor:
    """Run modules one after the other."""
    for _, module in links:
        inputs = module(inputs)
    return inputs


def as_module(links: Sequence[Link]) -> nn.Sequential:
    """The links as one module that shares their parameters."""
    return nn.Sequential(*(module for _, module in links))


def _links(name: str, module: nn.Module) -> list[Link]:
    # A subclass with a forward of its own is left whole.
    if not isinstance(module, nn.Sequential) or type(module).forward is not nn.Sequential.forward:
        return [(name, module)]
    children = module.named_children()
    return [link for child, part in children for link in _links(f"{name}.{child}", part)]


class Pooled(nn.Module):
    """The mean over a feature map, ``(b, c, h, w)`` to ``(b, c)`` in float32."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps.float().flatten(2).mean(-1)


class PooledBackbone(nn.Module):
    """From uint8 images ``(b, 3, h, w)`` to features ``(b, dimensions)``, in eval mode."""

    def __init__(self, model: Classifier, size: int) -> None:
        """``size`` is that of images as they are read, before any preprocessing."""
        super().__init__()
        self.preprocessing = model.preprocessing
        self.normaliser = model.normaliser
        self.stages = model.stages
        self.size = size
        self.dimensions = int(model.backbone.channels)  # type: ignore[arg-type]
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        pixels = images.float()
        if images.shape[-2:] != (self.size, self.size):
            pixels = nn.functional.interpolate(
                pixels, (self.size, self.size), mode="bilinear", antialias=True, align_corners=False
            )
        if len(self.preprocessing):
            read = pixels.round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu().numpy()
            seen = torch.from_numpy(self.preprocessing.change(read)).permute(0, 3, 1, 2)
            pixels = seen.to(pixels.device)
        return cast(Tensor, self.stages(self.normaliser(pixels)).mean((2, 3)))
