"""The feature network: a small classifier, taught first, whose maps the discriminator looks at."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from leukreg import Progress, TrainingError, derive
from leukreg_gan.cgan_networks import FIRST
from leukreg_gan.diffaug import Policy, augmented, noisy
from leukreg_gan.training_set import TrainingSet

WIDTHS = (96, 64, 32, 24)
"""Channels of the maps of side 4, 8, 16, 32; larger maps have as many as the last."""
DROPOUT = 0.2


class Unit(nn.Module):
    """A convolution, normalised and rectified; ``stride`` 2 halves the side."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, stride + 2, stride, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, maps: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(maps)), inplace=True)


class Stage(nn.Module):
    """Halves the side, and adds what two more convolutions see (He et al., 2016)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.halve = Unit(inputs, outputs, 2)
        self.inner = Unit(outputs, outputs, 1)
        self.conv = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, maps: Tensor) -> Tensor:
        halved = self.halve(maps)
        return F.relu(halved + self.norm(self.conv(self.inner(halved))), inplace=True)


class FeatureNetwork(nn.Module):
    """From images ``(b, 3, size, size)``, -1 to 1, to the logits of their conditions.

    ``shown`` are channels and side of the maps that :meth:`maps` gives: all but the finest, which
    hold little that pixels do not.
    """

    def __init__(self, size: int, conditions: int) -> None:
        super().__init__()
        sides = [side for side in (4, 8, 16, 32, 64, 128) if FIRST <= side < size]
        chain = [3, *(WIDTHS[min(n, len(WIDTHS) - 1)] for n in reversed(range(len(sides))))]
        self.stages = nn.ModuleList(Stage(a, b) for a, b in pairwise(chain))
        self.logits = nn.Linear(chain[-1], conditions)
        self.shown = tuple(zip(chain[2:], reversed(sides[:-1]), strict=True))

    def maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """The maps to be looked at, the finest first: ``(b, channels, side, side)``."""
        found = []
        for stage in self.stages:
            images = stage(images)
            found.append(images)
        return tuple(found[1:])

    def forward(self, images: Tensor) -> Tensor:
        pooled = self.maps(images)[-1].mean(dim=(2, 3))
        logits: Tensor = self.logits(F.dropout(pooled, DROPOUT, self.training))
        return logits


BATCH = 128
PEAK_LR = 4e-3
WEIGHT_DECAY = 0.05
POLICY = Policy(colour=0.2, translation=0.125)
"""Stronger than the GAN's own: here nothing is imitated, and few images are soon known by heart."""
ASKED = 1000
"""Images, evenly spread, by which it is found out what was learned."""
TOGETHER = 100
"""Images that are looked at in one pass."""


def pretrain(
    network: FeatureNetwork,
    data: TrainingSet,
    groups: Sequence[int],
    steps: int,
    noise: float,
    seed: int,
    progress: Progress,
) -> None:
    """Teach ``network`` what its images' conditions are; afterwards it is fixed, in eval mode.

    All classes are shown equally often, so that a scarce one is known as well as the others.
    Reseeds torch's global generator.

    Args:
        groups: Lengths of the one-hot blocks that a condition vector is made of. A block of zeros
            teaches nothing.
        noise: As :attr:`~leukreg_gan.cgan.Cgan.feature_noise`: what it will be shown.

    Raises:
        TrainingError: The loss is no number.
    """
    network.requires_grad_(True).train()
    optimizer = torch.optim.AdamW(network.parameters(), PEAK_LR, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_LR, total_steps=steps)
    device = next(network.parameters()).device
    with progress.task("Teaching what the discriminator sees", steps) as advance:
        for number in range(1, steps + 1):
            torch.manual_seed(derive(seed, "features", number))
            real = data.batch(BATCH, "class")
            logits = network(noisy(augmented(real.images.to(device), POLICY), noise))
            loss = condition_loss(logits, real.conditions.to(device), groups)
            if not math.isfinite(loss.item()):
                raise TrainingError(
                    f"cgan, step {number} of teaching the feature network: the loss is "
                    f"{loss.item()}. Without that network (feature_steps = 0) the discriminator "
                    'looks at pixels alone; on a graphics card try device = "cpu"'
                )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            advance(1, f"loss {loss.item():.2f}")
    network.eval().requires_grad_(False)


def condition_loss(logits: Tensor, told: Tensor, groups: Sequence[int]) -> Tensor:
    """Cross-entropy of logits ``(b, d)`` to condition vectors, the mean over their blocks."""
    blocks = list(groups)
    parts = zip(torch.split(logits, blocks, dim=1), torch.split(told, blocks, dim=1), strict=True)
    losses = [-(wanted * F.log_softmax(guess, dim=1)).sum(dim=1).mean() for guess, wanted in parts]
    return torch.stack(losses).mean()


def learned(network: FeatureNetwork, asked: TrainingSet, groups: Mapping[str, int]) -> str:
    """What ``network``, in eval mode, knows of images, in words. Draws nothing at random.

    Args:
        groups: Name and length of each block of a condition vector.
    """
    rows = torch.linspace(0, len(asked) - 1, min(len(asked), ASKED)).long()
    shares = right(network, asked, rows, [*groups.values()])
    known = {name: x for name, x in zip(groups, shares, strict=True) if x is not None}
    if not known:
        return f"was asked nothing on {len(rows):,}"
    worst = min(known, key=lambda name: known[name])
    if len(known) == 1:
        return f"tells {worst} rightly on {known[worst]:.1%} of {len(rows):,}"
    mean = sum(known.values()) / len(known)
    return (
        f"tells each of {len(known)} conditions rightly on {mean:.1%} in the mean ({worst} worst, "
        f"{known[worst]:.1%}) of {len(rows):,}"
    )


@torch.no_grad()
def right(
    network: FeatureNetwork, asked: TrainingSet, rows: Tensor, groups: Sequence[int]
) -> list[float | None]:
    """Share of right answers for each block; None where no row says anything of it."""
    device = next(network.parameters()).device
    images = (
        asked.pixels[part].float().mul(2 / 255).sub(1) for part in torch.split(rows, TOGETHER)
    )
    logits = torch.cat([network(each.to(device)).cpu() for each in images])
    told = asked.conditions[rows]
    blocks = list(groups)
    shares: list[float | None] = []
    parts = zip(torch.split(logits, blocks, dim=1), torch.split(told, blocks, dim=1), strict=True)
    for guess, wanted in parts:
        said = wanted.sum(dim=1) > 0
        same = (guess.argmax(dim=1) == wanted.argmax(dim=1))[said]
        shares.append(same.float().mean().item() if len(same) else None)
    return shares
