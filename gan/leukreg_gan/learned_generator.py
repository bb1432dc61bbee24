"""What all generators share that learn: their options, and what a family of them must bring."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, Le

from leukreg import ClassGenerator, DataError, ImageSpec, Labels, NotAvailable, Samples, expanded
from leukreg_gan.class_sources import Attributes, ClassSources, Donor

if TYPE_CHECKING:
    from leukreg_gan.generator_file import Card
    from leukreg_gan.snapshots import ImageMaker
    from leukreg_gan.training import Networks

NOT_TRAINING = frozenset({
    "way", "donor", "attributes", "extractor", "device", "threads", "truncation", "weights",
    "outside", "attribution",
})  # fmt: skip
"""Options that do not decide a training by themselves; what they lead to stands beside them in its
key, such as conditions and held-out rows."""


@dataclass(frozen=True, kw_only=True)
class LearnedGenerator(ClassSources):
    """Options of every family. A family adds its own, and the three methods that come last here.

    Conditions, batches, the loop, snapshots, checkpoints, the cache and the file are the same for
    all of them.
    """

    family: ClassVar[str]
    """Its name in recipes, files and messages."""
    algorithm: ClassVar[int]
    """Raised whenever the same settings and images would train to other weights."""
    sizes: ClassVar[tuple[int, ...]]
    """Image sides that its networks are made for."""

    steps: Annotated[int, Ge(1)] = 20_000
    """Training steps; each sees one batch of real images."""
    batch: Annotated[int, Ge(2), Le(1024)] = 64
    """Real images in each step."""
    decay: Annotated[float, Ge(0), Le(1)] = 0.4
    """Share of the steps, at the end, in which learning rates fall to 0 in a straight line."""
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
        faults = self.contradictions()
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
        if self.source is not None:
            self.source.ready()
        from leukreg import open_extractor

        open_extractor(self.extractor)

    def files(self) -> tuple[Path, ...]:
        """What images depend on besides the training images."""
        if self.weights is not None:
            return (expanded(self.weights),)
        return () if self.source is None else self.source.files()

    def listed(self, labels: Labels) -> Samples:
        """What lies among the donors and is not learned from; how tables of attributes were read.

        Raises:
            NotAvailable: The donors are not there.
        """
        from leukreg_gan.attributes import assumed
        from leukreg_gan.donor import passed_over

        source = None if self.weights is not None else self.source
        return Samples(
            rows=(),
            classes=labels.names,
            passed=passed_over(source, labels.names) if isinstance(source, Donor) else (),
            assumed=assumed(source.files()) if isinstance(source, Attributes) else (),
        )

    def build(
        self, image: ImageSpec, labels: Labels, targets: tuple[str, ...] | None = None
    ) -> ClassGenerator:
        """A generator of images of ``image.size`` pixels.

        Raises:
            DataError: The networks are not made for this size.
        """
        if image.size not in self.sizes:
            sizes = ", ".join(str(size) for size in self.sizes)
            raise DataError(
                f"{self.family}: images of {image.size} pixels cannot be made; choose {sizes}"
            )
        from leukreg_gan.class_generator import FittedGenerator

        return FittedGenerator(self, image, labels, targets)

    def pace(self, step: int) -> float:
        """The share of the learning rates at ``step`` (from 1)."""
        falling = self.decay * self.steps
        return min(1.0, (self.steps - step + 1) / falling) if falling else 1.0

    def settings(self, size: int) -> dict[str, Any]:
        """What a training depends on besides its images, their conditions and the seed.

        Part of the training's key and of the generator's file: plain values.
        """
        own = {name: value for name, value in asdict(self).items() if name not in NOT_TRAINING}
        return own | {"size": size}

    def networks(self, size: int, conditions: int, seed: int, device: str) -> Networks:
        """Untaught networks for condition vectors of this length, their weights from ``seed``."""
        raise NotImplementedError

    def image_maker(self, card: Card, conditions: int) -> ImageMaker:
        """A network that takes the weights of a file which says this of itself."""
        raise NotImplementedError
