"""Everything that decides a training, the images apart."""

from __future__ import annotations

from dataclasses import dataclass

from leukreg_gan.diffaug import Policy

ALGORITHM = 5
"""Raised whenever the same settings and images would train to other weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a training depends on besides its images, their conditions and the seed."""

    size: int
    channels: int
    latent: int
    steps: int
    batch: int
    generator_lr: float
    discriminator_lr: float
    decay: float
    """Share of the steps, at the end, in which both learning rates fall to 0 in a line."""
    ema: float
    r1: float
    mismatch: float
    """Weight of the loss of real images under wrong conditions."""
    feature_steps: int
    """Steps in which the feature network is taught; 0: the discriminator sees pixels alone."""
    feature_noise: float
    """Deviation, at most, of the noise on what the feature network is shown (see ``noisy``)."""
    augment: Policy
    balance: str
    """ "class": every class equally often; "data": every row equally often."""
    snapshot_every: int
    precision: str

    def share(self, step: int) -> float:
        """The share of the learning rate at ``step`` (from 1)."""
        falling = self.decay * self.steps
        return min(1.0, (self.steps - step + 1) / falling) if falling else 1.0

    def noise(self, step: int) -> float:
        """The most noise at ``step`` (from 1): it falls with the learning rate.

        What coarse looks have taught is refined by finer ones then, in steps too small to undo it.
        """
        return self.feature_noise * self.share(step)
