"""The conditional GAN as a plugin: its own options beside those that all generators share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Le

from leukreg import plugin
from leukreg_gan.learned_generator import LearnedGenerator

if TYPE_CHECKING:
    from leukreg_gan.cgan_networks import Generator
    from leukreg_gan.cgan_training import CganNetworks
    from leukreg_gan.diffaug import Policy
    from leukreg_gan.generator_file import Card


@plugin("cgan")
class Cgan(LearnedGenerator):
    """Conditional GAN, fitted on the training fold alone.

    Projection discriminator with spectral norm on pixels and on the maps of a small classifier of
    the same fold, hinge loss, differentiable augmentation; 32, 64, 128 or 256 pixels.
    """

    family: ClassVar = "cgan"
    algorithm: ClassVar = 5
    sizes: ClassVar = (32, 64, 128, 256)

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

    @property
    def pretraining_steps(self) -> int:
        """Steps in which the feature network is taught; 0: the discriminator sees pixels alone."""
        return min(self.feature_steps, self.steps)

    @property
    def augment(self) -> Policy:
        """What real and made images undergo before the discriminator sees them."""
        from leukreg_gan.diffaug import Policy

        return Policy(colour=self.colour, translation=self.translation, cutout=self.cutout)

    def noise(self, step: int) -> float:
        """The most noise at ``step`` (from 1): it falls with the learning rates.

        What coarse looks have taught is refined by finer ones then, in steps too small to undo it.
        """
        return self.feature_noise * self.pace(step)

    def settings(self, size: int) -> dict[str, Any]:
        """The options of a training by the names that keys and files have known them by."""
        own = super().settings(size)
        augment = {name: own.pop(name) for name in ("colour", "translation", "cutout")}
        return own | {"augment": augment, "feature_steps": self.pretraining_steps}

    def networks(self, size: int, conditions: int, seed: int, device: str) -> CganNetworks:
        from leukreg_gan.cgan_training import CganNetworks

        return CganNetworks(self, size, conditions, seed, device)

    def image_maker(self, card: Card, conditions: int) -> Generator:
        from leukreg_gan.cgan_networks import Generator

        return Generator(card.size, conditions, card.channels, card.latent)
