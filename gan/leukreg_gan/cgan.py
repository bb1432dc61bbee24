"""The conditional GAN as a plugin: its options, and what of them decides a training."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Gt, Le

from leukreg import (
    ClassGenerator,
    DataError,
    ImageSpec,
    Labels,
    NotAvailable,
    PassedOver,
    Samples,
    expanded,
    plugin,
)
from leukreg_gan.class_sources import Attributes, ClassSources, Donor, Way

if TYPE_CHECKING:
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


if TYPE_CHECKING:
    pass


@plugin("cgan")
class Cgan:
    """Conditional GAN, fitted on the training fold alone.

    Projection discriminator with spectral norm on pixels and on the maps of a small classifier of
    the same fold, hinge loss, differentiable augmentation; 32, 64, 128 or 256 pixels.
    """

    way: Way = "few"
    """How a class is learned that has few images or none: "few" from the images there are, "donor"
    from another source's images as well, "attributes" from its description."""
    donor: Donor | None = None
    """The other source, where way = "donor"."""
    attributes: Attributes | None = None
    """The table of attributes and what describes a class, where way = "attributes"."""
    steps: Annotated[int, Ge(1)] = 20_000
    """Training steps; each sees one batch of real images."""
    batch: Annotated[int, Ge(2), Le(1024)] = 64
    """Real images, and as many made ones, in each step. Repeats are found out in groups of 8: with
    balance = "class" each is of one class if batch is a multiple of 8 times the classes. With a
    batch that 8 does not divide groups are smaller, with an odd one repeats are not looked for."""
    channels: Annotated[int, Ge(4), Le(128)] = 24
    """Width of the networks: four times as many channels where maps are smallest."""
    latent: Annotated[int, Ge(4), Le(512)] = 64
    """Figures of noise that an image is made from."""
    generator_lr: Annotated[float, Gt(0), Le(0.1)] = 4e-4
    """Learning rate of the generator (Adam, betas 0 and 0.9)."""
    discriminator_lr: Annotated[float, Gt(0), Le(0.1)] = 8e-4
    """Learning rate of the discriminator (Adam, betas 0 and 0.9)."""
    decay: Annotated[float, Ge(0), Le(1)] = 0.4
    """Share of the steps, at the end, in which both learning rates fall to 0 in a straight line."""
    ema: Annotated[float, Ge(0), Le(0.99999)] = 0.99
    """Decay of the running average of the generator's weights, which images are made with."""
    r1: Annotated[float, Ge(0), Le(1000)] = 0.0
    """Weight of the R1 gradient penalty on real images, applied every 16th step; 0 is none."""
    mismatch: Annotated[float, Ge(0), Le(10)] = 0.5
    """Weight of a loss that teaches the discriminator to refuse real images under the condition of
    another; it keeps classes apart that look alike."""
    feature_steps: Annotated[int, Ge(0)] = 1_200
    """Steps in which a small classifier is first taught on the same images; the discriminator then
    looks at its maps beside the pixels (Sauer et al., 2021). Never more than ``steps``; 0 is
    none."""
    feature_noise: Annotated[float, Ge(0), Le(1)] = 0.0
    """Noise on what that classifier is shown: each image's deviation is drawn from 0 to this (a
    picture goes from -1 to 1), and at the end this falls to 0 with the learning rates. It hides
    traces that please classifiers and nobody sees: with 0.2 cells teach a little better, and their
    KID falls more slowly."""
    colour: Annotated[float, Ge(0), Le(1)] = 0.1
    """Differentiable augmentation: change of brightness, saturation and contrast at most. The
    discriminator overlooks shifts of colour as large as this, so with thousands of images 0 may be
    better. More augmentation (0.5, 0.125, 0.5) is for fewer than some hundred images; with more it
    hides from the discriminator that the images of a class are alike."""
    translation: Annotated[float, Ge(0), Le(0.5)] = 0.0625
    """Differentiable augmentation: shift at most, as a share of the side."""
    cutout: Annotated[float, Ge(0), Le(0.9)] = 0.0
    """Differentiable augmentation: side of the grey square, as a share of the side."""
    balance: Literal["class", "data"] = "class"
    """Which images a batch has: "class" takes all classes equally often, "data" all images."""
    snapshot_every: Annotated[int, Ge(1)] = 500
    """Steps between two snapshots; the best by KID to held-out images is kept, of those that are
    taken while the learning rates fall if there are any."""
    extractor: str = "cells"
    """Feature extractor of that KID (for it a tenth of each class's training rows is held out,
    whole patients together; of a class with fewer than 50 none)."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Arithmetic of the training; bfloat16 is faster on processors that have it, far slower on
    others."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where it is trained; "auto" takes CUDA where there is one."""
    threads: Annotated[int, Ge(0)] = 0
    """CPU threads; 0 takes as many as torch does."""
    truncation: Annotated[float, Gt(0), Le(1)] = 1.0
    """Scale of the noise that images are made from; below 1 they are more typical, less varied."""
    weights: str | None = None
    """A trained generator (.safetensors) to make images with; nothing is trained then."""
    outside: Literal["refuse", "allow"] = "refuse"
    """Whether that generator may have been trained on images outside this training fold, donors
    among them; images made by it say so."""
    attribution: str = ""
    """Where the training images come from and under which licence; written into the file."""

    def __post_init__(self) -> None:
        faults = self._ways().contradictions()
        if faults:
            raise ValueError("; ".join(faults))

    def ready(self) -> None:
        """Look whether tables, donors, weights and the extractor are there.

        Raises:
            NotAvailable: They are not.
        """
        if self.weights is not None:
            if not expanded(self.weights).is_file():
                raise NotAvailable(f"synthesis.weights: there is no file {self.weights}")
            return
        self._ways().ready()
        from leukreg import open_extractor

        open_extractor(self.extractor)

    def files(self) -> tuple[Path, ...]:
        """What images depend on besides the training images."""
        if self.weights is not None:
            return (expanded(self.weights),)
        return self._ways().files()

    def listed(self, labels: Labels) -> Samples:
        """What lies among the donors and is not learned from; how tables of attributes were read.

        Raises:
            NotAvailable: The donors are not there.
        """
        from leukreg_gan.attributes import assumed
        from leukreg_gan.donor import passed_over

        passed: tuple[PassedOver, ...] = ()
        how: tuple[str, ...] = ()
        if self.weights is None and self.way == "donor" and self.donor is not None:
            passed = passed_over(self.donor, labels.names)
        if self.weights is None and self.way == "attributes" and self.attributes is not None:
            how = assumed(self.attributes.tables)
        return Samples(rows=(), classes=labels.names, passed=passed, assumed=how)

    def build(
        self, image: ImageSpec, labels: Labels, targets: tuple[str, ...] | None = None
    ) -> ClassGenerator:
        """A generator of images of ``image.size`` pixels.

        Raises:
            DataError: The networks are not made for this size.
        """
        from leukreg_gan.cgan_networks import SIZES

        if image.size not in SIZES:
            sizes = ", ".join(str(size) for size in SIZES)
            raise DataError(f"cgan: images of {image.size} pixels cannot be made; choose {sizes}")
        from leukreg_gan.class_generator import CganGenerator, Spec
        from leukreg_gan.conditions import conditions_for

        return CganGenerator(
            Spec(
                settings=self._settings(image.size),
                labels=labels,
                targets=targets,
                conditions=partial(
                    conditions_for,
                    labels=labels,
                    image=image,
                    targets=targets,
                    ways=self._ways(),
                ),
                extractor=self.extractor,
                device=self.device,
                threads=self.threads,
                truncation=self.truncation,
                attribution=self.attribution,
                weights=None if self.weights is None else expanded(self.weights),
                outside=self.outside == "allow",
            )
        )

    def _ways(self) -> ClassSources:
        return ClassSources(way=self.way, donor=self.donor, attributes=self.attributes)

    def _settings(self, size: int) -> Settings:
        from leukreg_gan.diffaug import Policy

        return Settings(
            size=size,
            channels=self.channels,
            latent=self.latent,
            steps=self.steps,
            batch=self.batch,
            generator_lr=self.generator_lr,
            discriminator_lr=self.discriminator_lr,
            decay=self.decay,
            ema=self.ema,
            r1=self.r1,
            mismatch=self.mismatch,
            feature_steps=min(self.feature_steps, self.steps),
            feature_noise=self.feature_noise,
            augment=Policy(colour=self.colour, translation=self.translation, cutout=self.cutout),
            balance=self.balance,
            snapshot_every=self.snapshot_every,
            precision=self.precision,
        )
