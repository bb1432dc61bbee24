"""Real and synthetic images side by side, opened at one size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from leukreg.cli.sides import (
    LARGEST,
    Side,
    Wanted,
    fake_side,
    native_size,
    pixels_of,
    real_side,
)
from leukreg.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from leukreg.data.decode import Reading
    from leukreg.progress import Progress
    from leukreg.synthesis.extractor import OpenExtractor
    from leukreg.synthesis.fidelity import FidelityByClass


@dataclass(frozen=True, slots=True)
class Pair:
    """What is compared."""

    real: Side
    fake: Side
    training: Side
    """Where copies are looked for: what was asked for, what a run's generator saw, or ``real``."""

    @classmethod
    def of(cls, real: str, fake: str, training: str | None, wanted: Wanted) -> Pair:
        """From the words of a command line.

        Raises:
            LeukregError: One of them is not there, or does not go with the others.
        """
        own, other = real_side(real, wanted), fake_side(fake, wanted)
        seen = own if training is None else real_side(training, wanted)
        if training is None and other.training is not None:
            seen = Side(f"what made them saw ({other.name})", other.training)
        if seen.one_class and not (own.one_class or other.one_class):
            raise DataError(
                f"{seen.name} has no class folders, and REAL and FAKE have: copies are looked for "
                "class by class"
            )
        if not seen.one_class:
            _require_some(seen, own, other)
        return cls(own, other, seen)

    @property
    def by_class(self) -> bool:
        return not (self.real.one_class or self.fake.one_class)

    def opened(self, size: int | None, progress: Progress) -> Opened:
        """Read and resize the images; by default to the smaller side's own size, 128 at most.

        Raises:
            Problems: Files that cannot be read, all of them.
        """
        own, other = native_size(self.real.samples), native_size(self.fake.samples)
        chosen = size or min(own, other, LARGEST)
        sides = [self.real, self.fake]
        if self.training is not self.real:
            sides.append(self.training)
        pixels, read = pixels_of([side.samples for side in sides], chosen, progress)
        seen = pixels[2] if len(pixels) > 2 else pixels[0]
        return Opened(self, chosen, (own, other), pixels[0], pixels[1], seen, read)


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A pair with its pixels, shapes ``(n, size, size, 3)``."""

    pair: Pair
    size: int
    native: tuple[int, int]
    """The shorter side of real images and fakes as they are on disk, in pixels."""
    real: NDArray[np.uint8]
    fake: NDArray[np.uint8]
    training: NDArray[np.uint8]
    readings: tuple[Reading, ...] = ()
    """What was chosen in reading them."""

    def labels(self, side: Side) -> list[str]:
        """The class of each image of a side; all alike where there are no classes."""
        if not self.pair.by_class:
            return [""] * len(side.samples)
        return [row.label for row in side.samples.rows]

    def measured(self, extractor: OpenExtractor, seed: int, progress: Progress) -> FidelityByClass:
        """Every figure, by class and over all."""
        from leukreg.synthesis.fidelity import measure_classes

        pair, alike = self.pair, self.pair.training is self.pair.real
        return measure_classes(
            self.real,
            self.labels(pair.real),
            self.fake,
            self.labels(pair.fake),
            extractor,
            training=None if alike else self.training,
            training_labels=None if alike else self.labels(pair.training),
            each=pair.by_class,
            seed=seed,
            progress=progress,
        )

    def heads(self) -> tuple[str, ...]:
        """What is compared, and what a reader must know of it."""
        pair, (own, other) = self.pair, self.native
        lines = [f"fakes: {pair.fake.name}", f"real: {pair.real.name}"]
        if pair.training is not pair.real:
            lines.append(f"copies are looked for among: {pair.training.name}")
        lines += [
            f"! passed over in {side.name}: {one}"
            for side in (pair.fake, pair.real)
            for one in side.samples.passed
            if one.images
        ]
        lines += [how for side in (pair.fake, pair.real) for how in side.samples.assumed]
        lines += [f"{'! ' * reading.doubtful}{reading}" for reading in self.readings]
        if self.size > min(own, other):
            which = "fakes are" if other <= own else "real images are"
            lines.append(f"! {which} {min(own, other)} px and were enlarged to {self.size}")
        elif own != other:
            lines.append(
                f"! real images are {own} px and fakes {other} px: all were brought to {self.size}"
            )
        if not pair.by_class:
            flat = [side.name for side in (pair.real, pair.fake) if side.one_class]
            lines.append(f"no figures by class: {' and '.join(flat)} without class folders")
        return tuple(lines)


def _require_some(seen: Side, own: Side, other: Side) -> None:
    """Of the classes that are compared there are images to look for copies among."""
    known = [
        {row.label for row in side.samples.rows} for side in (own, other) if not side.one_class
    ]
    compared = set.intersection(*known) if known else set()
    if compared and compared.isdisjoint(row.label for row in seen.samples.rows):
        raise DataError(
            f"{seen.name}: no image of a class that is compared, so there is nothing to look for "
            "copies among; name the training images with --training"
        )
