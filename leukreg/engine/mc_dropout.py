"""MC dropout: repeated passes with dropout on and nothing else (Gal and Ghahramani, 2016)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from leukreg.engine.classifier import Classifier, run
from leukreg.engine.device import Compute

TOGETHER = 2**22
"""Feature values up to which passes run as one batch."""


def stochastic(module: nn.Module) -> list[nn.Module]:
    """Dropout and drop-path layers that drop anything, in order."""
    return [part for part in module.modules() if _rate(part) > 0]


def _rate(module: nn.Module) -> float:
    if isinstance(module, _DropoutNd):
        return module.p
    # timm's and torchvision's drop-path; both are told by name, to import neither.
    if type(module).__name__ == "DropPath":
        return float(getattr(module, "drop_prob", 0.0) or 0.0)
    if type(module).__name__ == "StochasticDepth":
        return float(getattr(module, "p", 0.0))
    return 0.0


@contextmanager
def dropout_on(model: nn.Module) -> Iterator[None]:
    """The model in eval mode, its dropout layers alone in train mode; afterwards all in eval."""
    model.eval()
    try:
        for layer in stochastic(model):
            layer.train()
        yield
    finally:
        model.eval()


@torch.no_grad()
def mc_probabilities(
    model: Classifier, images: Tensor, passes: int, compute: Compute, begun: int = 0
) -> Tensor:
    """Class probabilities ``(passes, n, k)``, float64, of uint8 images ``(n, 3, size, size)``.

    ``images`` are what ``begun`` links of the model, none with dropout, have made of them.
    What lies before the first dropout runs once; the rest runs on repeated features, many passes
    as one batch, which draws each pass's dropout anew: the same distribution as whole passes.
    Draws from torch's global generator. A model without dropout gives the same pass ``passes``
    times.
    """
    chain = model.chain()[begun:]
    first = next((i for i, (_, part) in enumerate(chain) if stochastic(part)), len(chain))
    with dropout_on(model), compute.autocast():
        features = run(chain[:first], images)
        n = len(images)
        if first == len(chain):
            return features.double().softmax(-1).expand(passes, -1, -1)
        together = max(1, min(passes, TOGETHER // features.numel()))
        parts = []
        for start in range(0, passes, together):
            count = min(together, passes - start)
            repeated = torch.cat([features] * count) if count > 1 else features
            parts.append(run(chain[first:], repeated).double().softmax(-1).view(count, n, -1))
    return torch.cat(parts)


def entropy(probabilities: Tensor) -> Tensor:
    """Entropy in nats over the last dimension; 0 log 0 is 0."""
    summed: Tensor = torch.special.entr(probabilities).sum(dim=-1)
    return summed


def changes_buffers(model: nn.Module, work: Callable[[], object]) -> bool:
    """Whether ``work`` changes any buffer of the model, batch-norm statistics above all."""
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    work()
    return any(not torch.equal(before[name], buffer) for name, buffer in model.named_buffers())


def views(images: Tensor, count: int) -> Iterator[Tensor]:
    """Views of images ``(n, c, s, s)`` for test-time augmentation, the images themselves first.

    A cell has no up or down, so each view is as good as the others. The views form a group: a
    mirrored or turned image has the same views in another order, hence the same mean.

    Args:
        count: 1: no more; 2: mirrored left to right; 4: turned by 90, 180, 270 degrees; 8: the
            four and their mirror images.
    """
    turns = {1: 1, 2: 1, 4: 4, 8: 4}[count]
    for mirrored in (images, images.flip(-1)) if count in (2, 8) else (images,):
        for turn in range(turns):
            yield torch.rot90(mirrored, turn, (-2, -1)) if turn else mirrored
