"""How the conditional GAN is taught: losses, what a training changes, and one step of it.

Scores have shape ``(b, looks)``; each look of the discriminator is taught by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from ignite.engine import Engine
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel

from leukreg import derive
from leukreg_gan.cgan import Settings
from leukreg_gan.cgan_networks import Discriminator, Generator
from leukreg_gan.diffaug import augmented, noisy
from leukreg_gan.feature_network import FeatureNetwork
from leukreg_gan.training_set import RealBatch, TrainingSet


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Hinge loss (Lim and Ye, 2017) of scores: real ones above 1, made ones below -1."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def generator_loss(fake: Tensor) -> Tensor:
    """The made images' scores, turned round."""
    return -fake.mean()


def mismatch_loss(scores: Tensor, wrong: Tensor) -> Tensor:
    """Hinge loss of scores of real images under conditions of others: below -1.

    Where ``wrong``, ``(b, 1)``, is False the condition happens to be right, and nothing is asked.
    """
    return (F.relu(1 + scores) * wrong).mean()


def gradient_penalty(scores: Tensor, images: Tensor) -> Tensor:
    """R1 (Mescheder et al., 2018): half the mean squared gradient of the scores of real images.

    The score of an image is the mean over its looks, as the hinge loss takes it: a discriminator
    with more looks is not held back more. ``images`` must require a gradient and be what
    ``scores`` were computed from.
    """
    each = scores.mean(dim=1)
    (gradient,) = torch.autograd.grad(each.sum(), images, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean() / 2


def averaged(generator: Generator, decay: float) -> AveragedModel:
    """The exponential moving average of the generator's weights.

    It begins fast, so that the first, untaught weights are soon forgotten: after ``n`` steps the
    decay is ``(1 + n) / (10 + n)`` until that reaches ``decay``. Batch-norm statistics are not
    averaged: :func:`settle` measures them anew.
    """

    @torch.no_grad()
    def average(kept: Sequence[Tensor], new: Sequence[Tensor], steps: Tensor | int) -> None:
        now = min(decay, (1 + int(steps)) / (10 + int(steps)))
        torch._foreach_lerp_(list(kept), list(new), 1 - now)

    return AveragedModel(generator, multi_avg_fn=average)


@torch.no_grad()
def settle(generator: nn.Module, batches: Sequence[tuple[Tensor, Tensor]]) -> None:
    """Measure the batch-norm statistics of averaged weights on batches of noise and conditions.

    Brock et al., 2019 ("standing statistics"). Leaves the generator in eval mode.
    """
    norms = [part for part in generator.modules() if isinstance(part, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over the batches
    generator.train()
    for noise, conditions in batches:
        generator(noise, conditions)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    generator.eval()


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


PENALTY_EVERY = 16
"""Steps between two gradient penalties, each so many times as strong (Karras et al., 2020)."""
_QUIET = logging.getLogger("leukreg_gan")
_QUIET.setLevel(logging.CRITICAL + 1)


class Losses(NamedTuple):
    """What a step came to."""

    discriminator: float
    generator: float
    real: float
    """Mean score of the real images."""
    fake: float
    """Mean score of the made ones, before the discriminator was taught."""


def setup_trainer(parts: Parts, material: TrainingSet, seed: int, device: str) -> Engine:
    """An engine whose output are the step's :class:`Losses`; it needs no data.

    All that a step draws comes from a seed of its own, so that a training goes on after a kill as
    if nothing had happened.
    """
    settings = parts.settings

    def step(engine: Engine, _: Any) -> Losses:
        number = engine.state.iteration
        torch.manual_seed(derive(seed, "step", number))
        parts.pace(settings.share(number))
        real = material.batch(settings.batch, settings.balance)
        real = RealBatch(real.images.to(device), real.conditions.to(device))
        noise = torch.randn(len(real.images), settings.latent, device=device)
        with _precision(parts, device):
            fake = parts.generator(noise, real.conditions)
        made = RealBatch(fake.float(), real.conditions)
        taught = _teach_discriminator(parts, real, made, number, device)
        loss = _teach_generator(parts, made, number, device)
        parts.average.update_parameters(parts.generator)
        figures = torch.stack([taught[0], loss.detach(), *taught[1:]]).tolist()
        return Losses(*figures)

    engine = Engine(step)
    engine.logger = _QUIET
    return engine


def _teach_discriminator(
    parts: Parts, real: RealBatch, made: RealBatch, number: int, device: str
) -> tuple[Tensor, Tensor, Tensor]:
    """Loss, and the mean scores of real and made images."""
    network, settings = parts.discriminator, parts.settings
    network.requires_grad_(True)
    penalised = settings.r1 > 0 and number % PENALTY_EVERY == 0
    seen = augmented(real.images, settings.augment)
    if penalised:
        seen.requires_grad_(True)
    shown = augmented(made.images.detach(), settings.augment)
    with _precision(parts, device):
        images = torch.cat([seen, shown])
        maps = parts.maps(images, penalised, settings.noise(number))
        features = network.features(images, maps)
        own = network.own(features)
        told = torch.cat([real.conditions, made.conditions])
        scores_real, scores_fake = (own + network.match(features, told)).chunk(2)
        loss = discriminator_loss(scores_real, scores_fake)
        total = loss
        if settings.mismatch:
            total = loss + settings.mismatch * _mismatch_loss(network, features, own, real)
    if penalised:
        total = total + settings.r1 * PENALTY_EVERY * gradient_penalty(scores_real, seen)
    parts.discriminator_optimizer.zero_grad(set_to_none=True)
    total.backward()  # type: ignore[no-untyped-call]
    parts.discriminator_optimizer.step()
    return loss.detach(), scores_real.detach().mean(), scores_fake.detach().mean()


def _mismatch_loss(
    network: Discriminator, features: Sequence[Tensor], own: Tensor, real: RealBatch
) -> Tensor:
    """Real images under another image's condition must not pass (Reed et al., 2016).

    The whole score is taught. Were the part that asks for no condition left out, the two parts
    would drive each other up without bound.
    """
    told = real.conditions
    wrong = told.roll(int(torch.randint(1, len(told), (1,))), 0)
    n = len(told)
    scores = own[:n] + network.match([found[:n] for found in features], wrong)
    return mismatch_loss(scores, (wrong != told).any(dim=1, keepdim=True))


def _teach_generator(parts: Parts, made: RealBatch, number: int, device: str) -> Tensor:
    """By the made images that the discriminator was just taught with, augmented anew."""
    parts.discriminator.requires_grad_(False)
    shown = augmented(made.images, parts.settings.augment)
    with _precision(parts, device):
        maps = parts.maps(shown, True, parts.settings.noise(number))
        loss = generator_loss(parts.discriminator(shown, made.conditions, maps))
    parts.generator_optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    parts.generator_optimizer.step()
    return loss


def _precision(parts: Parts, device: str) -> AbstractContextManager[Any]:
    lower = parts.settings.precision == "bfloat16"
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=lower)
