"""Teach the feature network on the training fold, before the GAN begins."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import Tensor
from torch.nn import functional as F

from leukreg import Progress, derive
from leukreg_gan.diffaug import Policy, augmented
from leukreg_gan.features import FeatureNetwork
from leukreg_gan.material import Material

BATCH = 128
PEAK_LR = 4e-3
WEIGHT_DECAY = 0.05
POLICY = Policy(colour=0.2, translation=0.125)
"""Stronger than the GAN's own: here nothing is imitated, and few images are soon known by heart."""
_QUIET = logging.getLogger("leukreg_gan")
_QUIET.setLevel(logging.CRITICAL + 1)


def pretrain(
    network: FeatureNetwork,
    material: Material,
    groups: Sequence[int],
    steps: int,
    seed: int,
    progress: Progress,
) -> None:
    """Teach ``network`` what its images' conditions are; afterwards it is fixed, in eval mode.

    All conditions are told equally often, so that a scarce class is known as well as the others.
    Reseeds torch's global generator.

    Args:
        groups: Lengths of the one-hot blocks that a condition vector is made of. A block of zeros
            teaches nothing.
    """
    network.requires_grad_(True)
    optimizer = torch.optim.AdamW(network.parameters(), PEAK_LR, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_LR, total_steps=steps)
    device = next(network.parameters()).device

    def step(engine: Engine, _: Any) -> float:
        torch.manual_seed(derive(seed, "features", engine.state.iteration))
        real = material.batch(BATCH, "class")
        logits = network(augmented(real.images.to(device), POLICY))
        loss = condition_loss(logits, real.conditions.to(device), groups)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        return loss.item()

    engine = Engine(step)
    engine.logger = _QUIET
    with progress.task("Teaching what the discriminator sees", steps) as advance:
        engine.add_event_handler(
            Events.ITERATION_COMPLETED, lambda e: advance(1, f"loss {e.state.output:.2f}")
        )
        network.train()
        engine.run(None, max_epochs=1, epoch_length=steps)
    network.eval().requires_grad_(False)


def condition_loss(logits: Tensor, told: Tensor, groups: Sequence[int]) -> Tensor:
    """Cross-entropy of logits ``(b, d)`` to condition vectors, the mean over their blocks."""
    blocks = list(groups)
    parts = zip(torch.split(logits, blocks, dim=1), torch.split(told, blocks, dim=1), strict=True)
    losses = [-(wanted * F.log_softmax(guess, dim=1)).sum(dim=1).mean() for guess, wanted in parts]
    return torch.stack(losses).mean()
