"""How the conditional GAN is taught: losses, what a training changes, and one step of it.

Scores have shape ``(b, looks)``; each look of the discriminator is taught by itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel

from leukreg import Progress, TrainingError, derive
from leukreg_gan.cgan_networks import Discriminator, FeatureNetwork, Generator
from leukreg_gan.diffaug import Policy, augmented, noisy
from leukreg_gan.training_set import RealBatch, TrainingSet

if TYPE_CHECKING:
    from leukreg_gan.cgan import Cgan

BATCH = 128
PEAK_LR = 4e-3
WEIGHT_DECAY = 0.05
POLICY = Policy(colour=0.2, translation=0.125)
"""Of the feature network, stronger than the GAN's own: here nothing is imitated, and few images are
soon known by heart."""
ASKED = 1000
"""Images, evenly spread, by which it is found out what was learned."""
TOGETHER = 100
"""Images that are looked at in one pass."""
BETAS = (0.0, 0.9)
"""Adam's, as is usual with spectral normalisation (Miyato et al., 2018)."""
PENALTY_EVERY = 16
"""Steps between two gradient penalties, each so many times as strong (Karras et al., 2020)."""
SETTLING = 16
"""Batches that batch-norm statistics are measured on."""
SETTLED = 64
"""Images in each of them."""
NOTHING = 0.01
"""A discriminator's loss below which it has nothing left to learn, and so nothing to teach."""
LOSSES = {
    "discriminator": "discriminator's loss",
    "generator": "generator's loss",
    "real": "discriminator's score of real images",
    "fake": "discriminator's score of made images",
}
"""What a step comes to, in words. Scores are means, those of made images are taken before the
discriminator was taught."""


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


class CganNetworks:
    """Both networks, what moves them, and the running average; :class:`.training.Networks`."""

    def __init__(self, options: Cgan, size: int, conditions: int, seed: int, device: str) -> None:
        """Untaught, their weights drawn from ``seed``. Reseeds torch's global generator."""
        self.options, self.size, self.conditions = options, size, conditions
        self.seed, self.device, self.policy = seed, device, options.augment
        torch.manual_seed(derive(seed, "generator"))
        self.generator = self._fresh_generator()
        torch.manual_seed(derive(seed, "features"))
        self.features: FeatureNetwork | None = None
        """Taught before the other two, and fixed from then on."""
        if options.pretraining_steps:
            self.features = FeatureNetwork(size, conditions).eval().requires_grad_(False)
            _place(self.features, device)
        torch.manual_seed(derive(seed, "discriminator"))
        shown = () if self.features is None else self.features.shown
        self.discriminator = Discriminator(size, conditions, options.channels, options.batch, shown)
        _place(self.discriminator, device)
        self.average = averaged(self.generator, options.ema)
        self.generator_optimizer = torch.optim.Adam(
            self.generator.parameters(), options.generator_lr, BETAS
        )
        self.discriminator_optimizer = torch.optim.Adam(
            self.discriminator.parameters(), options.discriminator_lr, BETAS
        )

    def _fresh_generator(self) -> Generator:
        options = self.options
        made = Generator(self.size, self.conditions, options.channels, options.latent)
        _place(made, self.device)
        return made

    def state_dict(self) -> dict[str, Any]:
        """Everything, as plain values and tensors."""
        return {name: part.state_dict() for name, part in self._named().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name, part in self._named().items():
            part.load_state_dict(state[name])

    def _named(self) -> dict[str, Any]:
        names = ("features", "generator", "discriminator", "average", "generator_optimizer",
                 "discriminator_optimizer")  # fmt: skip
        return {name: part for name in names if (part := getattr(self, name)) is not None}

    def pretrain(
        self, data: TrainingSet, asked: TrainingSet, groups: Mapping[str, int],
        seed: int, progress: Progress,
    ) -> str:  # fmt: skip
        if self.features is None:
            return ""
        steps, noise = self.options.pretraining_steps, self.options.feature_noise
        pretrain(self.features, data, [*groups.values()], steps, noise, seed, progress)
        return f"the feature network {learned(self.features, asked, groups)}"

    def step(self, number: int, real: RealBatch) -> dict[str, float]:
        pace = self.options.pace(number)
        for group in self.generator_optimizer.param_groups:
            group["lr"] = self.options.generator_lr * pace
        for group in self.discriminator_optimizer.param_groups:
            group["lr"] = self.options.discriminator_lr * pace
        noise = torch.randn(len(real.images), self.options.latent, device=self.device)
        with self._precision():
            fake = self.generator(noise, real.conditions)
        fake = fake.float()
        taught = self._teach_discriminator(real, fake, number)
        # By the made images that the discriminator was just taught with, augmented anew.
        loss = self._teach_generator(fake, real.conditions, number)
        self.average.update_parameters(self.generator)
        figures = torch.stack([taught[0], loss.detach(), *taught[1:]]).tolist()
        losses = dict(zip(LOSSES, figures, strict=True))
        wrong = next((name for name, x in losses.items() if not math.isfinite(x)), None)
        if wrong is not None:
            raise TrainingError(
                f"cgan, step {number}: the {LOSSES[wrong]} is {losses[wrong]}. Try lower learning "
                "rates (generator_lr, discriminator_lr); the fit folder keeps the last sample grids"
            )
        return losses

    def _teach_discriminator(
        self, real: RealBatch, fake: Tensor, number: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Loss, and the mean scores of real and made images."""
        network, options = self.discriminator, self.options
        network.requires_grad_(True)
        penalised = options.r1 > 0 and number % PENALTY_EVERY == 0
        seen = augmented(real.images, self.policy)
        if penalised:
            seen.requires_grad_(True)
        shown = augmented(fake.detach(), self.policy)
        with self._precision():
            images = torch.cat([seen, shown])
            maps = self.maps(images, penalised, options.noise(number))
            features = network.features(images, maps)
            own = network.own(features)
            told = torch.cat([real.conditions, real.conditions])
            scores_real, scores_fake = (own + network.match(features, told)).chunk(2)
            loss = discriminator_loss(scores_real, scores_fake)
            total = loss
            if options.mismatch:
                total = loss + options.mismatch * self._mismatch(features, own, real.conditions)
        if penalised:
            total = total + options.r1 * PENALTY_EVERY * gradient_penalty(scores_real, seen)
        self.discriminator_optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        self.discriminator_optimizer.step()
        return loss.detach(), scores_real.detach().mean(), scores_fake.detach().mean()

    def _mismatch(self, features: Sequence[Tensor], own: Tensor, told: Tensor) -> Tensor:
        """Real images under another image's condition must not pass (Reed et al., 2016).

        The whole score is taught. Were the part that asks for no condition left out, the two parts
        would drive each other up without bound.
        """
        n = len(told)
        wrong = told.roll(int(torch.randint(1, n, (1,))), 0)
        scores = own[:n] + self.discriminator.match([found[:n] for found in features], wrong)
        return mismatch_loss(scores, (wrong != told).any(dim=1, keepdim=True))

    def _teach_generator(self, fake: Tensor, told: Tensor, number: int) -> Tensor:
        self.discriminator.requires_grad_(False)
        shown = augmented(fake, self.policy)
        with self._precision():
            maps = self.maps(shown, True, self.options.noise(number))
            loss = generator_loss(self.discriminator(shown, told, maps))
        self.generator_optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.generator_optimizer.step()
        return loss

    def maps(self, images: Tensor, teaches: bool, noise: float = 0.0) -> tuple[Tensor, ...]:
        """What the feature network shows of images; ``teaches`` lets gradients reach them.

        ``noise`` hides traces that please a network though nobody sees them (Goodfellow et al.,
        2015): without it the generator learns to leave them, for they pay more than a better cell.
        """
        if self.features is None:
            return ()
        with nullcontext() if teaches else torch.no_grad():
            return self.features.maps(noisy(images, noise))

    def _precision(self) -> AbstractContextManager[Any]:
        lower = self.options.precision == "bfloat16"
        return torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=lower)

    def stuck(self, losses: Mapping[str, float], steps: int) -> str:
        if losses["discriminator"] >= NOTHING:
            return ""
        return (
            f"the discriminator's loss was under {NOTHING} for {steps} steps: it tells all made "
            "images from real ones, and the generator learns nothing"
        )

    def note(self, losses: Mapping[str, float]) -> str:
        return f"D {losses['discriminator']:.2f}, G {losses['generator']:+.2f}"

    def image_maker(self, data: TrainingSet) -> Generator:
        """The averaged generator with batch-norm statistics of its own, in eval mode."""
        generator = self._fresh_generator()
        generator.load_state_dict(self.average.module.state_dict())
        torch.manual_seed(derive(self.seed, "settle"))
        batches = []
        for _ in range(SETTLING):
            told = data.conditions[data.rows(SETTLED, self.options.balance)]
            noise = torch.randn(SETTLED, self.options.latent)
            batches.append((noise.to(self.device), told.to(self.device)))
        settle(generator, batches)
        return generator


def _place(network: nn.Module, device: str) -> None:
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]


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
