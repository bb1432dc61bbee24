"""The two networks, what moves them, and the running average: all that a training changes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from leukreg import derive
from leukreg_gan.diffaug import noisy
from leukreg_gan.discriminator import Discriminator
from leukreg_gan.ema import averaged
from leukreg_gan.features import FeatureNetwork
from leukreg_gan.generator import Generator
from leukreg_gan.settings import Settings

BETAS = (0.0, 0.9)
"""Adam's, as is usual with spectral normalisation (Miyato et al., 2018)."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Networks, optimizers and average."""

    generator: Generator
    discriminator: Discriminator
    features: FeatureNetwork | None
    """Taught before the other two, and fixed from then on."""
    average: AveragedModel
    generator_optimizer: torch.optim.Optimizer
    discriminator_optimizer: torch.optim.Optimizer
    settings: Settings

    def pace(self, share: float) -> None:
        """Set both learning rates to a share of what the settings say."""
        for group in self.generator_optimizer.param_groups:
            group["lr"] = self.settings.generator_lr * share
        for group in self.discriminator_optimizer.param_groups:
            group["lr"] = self.settings.discriminator_lr * share

    def maps(self, images: Tensor, teaches: bool, noise: float = 0.0) -> tuple[Tensor, ...]:
        """What the feature network shows of images; ``teaches`` lets gradients reach them.

        ``noise`` hides traces that please a network though nobody sees them (Goodfellow et al.,
        2015): without it the generator learns to leave them, for they pay more than a better cell.
        """
        if self.features is None:
            return ()
        with nullcontext() if teaches else torch.no_grad():
            return self.features.maps(noisy(images, noise))

    def state_dict(self) -> dict[str, Any]:
        """Everything, as plain values and tensors."""
        return {name: part.state_dict() for name, part in self._named().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name, part in self._named().items():
            part.load_state_dict(state[name])

    def _named(self) -> dict[str, Any]:
        taught = {} if self.features is None else {"features": self.features}
        return taught | {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "average": self.average,
            "generator_optimizer": self.generator_optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
        }


def fresh_parts(settings: Settings, conditions: int, seed: int, device: str) -> Parts:
    """Untaught networks, their weights drawn from ``seed``. Reseeds torch's global generator."""
    torch.manual_seed(derive(seed, "generator"))
    generator = fresh_generator(settings, conditions).to(device)
    torch.manual_seed(derive(seed, "features"))
    features = _fresh_features(settings, conditions)
    torch.manual_seed(derive(seed, "discriminator"))
    discriminator = Discriminator(
        settings.size,
        conditions,
        settings.channels,
        settings.batch,
        () if features is None else features.shown,
    )
    discriminator.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Parts(
        generator,
        discriminator,
        None if features is None else features.to(device),
        averaged(generator, settings.ema),
        torch.optim.Adam(generator.parameters(), settings.generator_lr, BETAS),
        torch.optim.Adam(discriminator.parameters(), settings.discriminator_lr, BETAS),
        settings,
    )


def fresh_generator(settings: Settings, conditions: int) -> Generator:
    """An untaught generator, channels-last, drawn from torch's global generator."""
    made = Generator(settings.size, conditions, settings.channels, settings.latent)
    made.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return made


def _fresh_features(settings: Settings, conditions: int) -> FeatureNetwork | None:
    if not settings.feature_steps:
        return None
    network = FeatureNetwork(settings.size, conditions).eval().requires_grad_(False)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network
