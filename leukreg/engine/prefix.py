"""The frozen front of a network, and its features, alike whatever batch an image comes in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from leukreg.engine.classifier import Classifier, Link, Normaliser, run
from leukreg.engine.device import Compute

STATELESS: tuple[type[nn.Module], ...] = (
    Normaliser,
    nn.Identity,
    nn.Flatten,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool2d,
    nn.AvgPool2d,
    nn.MaxPool2d,
    nn.ReLU,
    nn.GELU,
    nn.SiLU,
)
"""Modules that do the same in train and eval mode and have nothing to train."""


@dataclass(frozen=True, slots=True)
class Prefix:
    """Modules at the front of the model that do not change while a phase lasts.

    They run on chunks of exactly ``chunk`` images, a short one padded: a convolution's last bits
    may depend on the batch size, so with a fixed size an image has the same features in whatever
    batch it comes, and features kept from before are those that would be computed now.
    """

    links: tuple[Link, ...]
    chunk: int
    compute: Compute

    def __call__(self, images: Tensor) -> Tensor:
        """Features of uint8 images ``(n, 3, size, size)``, ready for the rest of the model."""
        return unpack(self.packed(images), self.compute)

    @torch.no_grad()
    def packed(self, images: Tensor) -> Tensor:
        """Features in the layout they are stored in: images first, densely packed."""
        with self.compute.autocast():
            parts = [self._chunk(part) for part in torch.split(images, self.chunk)]
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    def _chunk(self, images: Tensor) -> Tensor:
        n = len(images)
        if n < self.chunk:
            images = torch.cat([images, images[-1:].expand(self.chunk - n, -1, -1, -1)])
        return pack(run(self.links, images), self.compute)[:n]


def pack(features: Tensor, compute: Compute) -> Tensor:
    """Features in the order of memory in which they are stored."""
    if compute.channels_last and features.ndim == 4:
        features = features.permute(0, 2, 3, 1)
    return features.contiguous()


def unpack(packed: Tensor, compute: Compute) -> Tensor:
    """Stored features as the rest of the model takes them."""
    if compute.channels_last and packed.ndim == 4:
        return packed.permute(0, 3, 1, 2)
    return packed


def frozen_length(chain: Sequence[Link]) -> int:
    """How many links at the front are frozen; 0 where nothing with parameters is among them."""
    length = 0
    for index, (_, module) in enumerate(chain):
        parameters = list(module.parameters())
        if parameters and not any(p.requires_grad for p in parameters) and _all_eval(module):
            length = index + 1
        elif parameters or not isinstance(module, STATELESS):
            break
        elif length:
            length = index + 1
    return length


def frozen_prefix(
    model: Classifier, images: Tensor, batch_size: int, compute: Compute
) -> Prefix | None:
    """The frozen front of the model, or None; ``images`` are uint8 ones to try it on.

    Where features turn out to depend on an image's place in the chunk, chunks of one are taken.
    """
    chain = model.chain()
    length = frozen_length(chain)
    if length == 0:
        return None
    prefix = Prefix(tuple(chain[:length]), batch_size, compute)
    return prefix if _placeless(prefix, images) else replace(prefix, chunk=1)


def _placeless(prefix: Prefix, images: Tensor) -> bool:
    images = images[: prefix.chunk]
    straight = prefix.packed(images)
    turned = prefix.packed(images.flip(0)).flip(0)
    alone = prefix.packed(images[-1:])
    return torch.equal(straight, turned) and torch.equal(straight[-1:], alone)


def _all_eval(module: nn.Module) -> bool:
    return not any(part.training for part in module.modules())
