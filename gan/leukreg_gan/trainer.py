"""The trainer: an ignite engine whose step teaches both networks once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import torch
from ignite.engine import Engine
from torch import Tensor

from leukreg import derive
from leukreg_gan.diffaug import augmented
from leukreg_gan.discriminator import Discriminator
from leukreg_gan.losses import (
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    mismatch_loss,
)
from leukreg_gan.material import Batch, Material
from leukreg_gan.parts import Parts

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


def setup_trainer(parts: Parts, material: Material, seed: int, device: str) -> Engine:
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
        real = Batch(real.images.to(device), real.conditions.to(device))
        noise = torch.randn(len(real.images), settings.latent, device=device)
        with _precision(parts, device):
            fake = parts.generator(noise, real.conditions)
        made = Batch(fake.float(), real.conditions)
        taught = _teach_discriminator(parts, real, made, number, device)
        loss = _teach_generator(parts, made, number, device)
        parts.average.update_parameters(parts.generator)
        figures = torch.stack([taught[0], loss.detach(), *taught[1:]]).tolist()
        return Losses(*figures)

    engine = Engine(step)
    engine.logger = _QUIET
    return engine


def _teach_discriminator(
    parts: Parts, real: Batch, made: Batch, number: int, device: str
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
    network: Discriminator, features: Sequence[Tensor], own: Tensor, real: Batch
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


def _teach_generator(parts: Parts, made: Batch, number: int, device: str) -> Tensor:
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
