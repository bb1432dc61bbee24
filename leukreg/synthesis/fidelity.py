"""Measure synthetic images against real ones, class by class, and compare two measurements."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from leukreg.errors import DataError
from leukreg.progress import SILENT, Progress
from leukreg.synthesis.distances import Figures, fid_least, figures, told_apart
from leukreg.synthesis.extractor import FeatureCache
from leukreg.synthesis.memorization import Memorized, find_copies

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leukreg.synthesis.extractor import OpenExtractor

    Pixels = NDArray[np.uint8]

NAMES = ("fid", "kid", "precision", "recall", "density", "coverage")
SAME = ("extractor", "size", "real", "fake")
"""What two figures must have in common to be compared."""
LEAST_REAL = 12
"""Real images that figures need at least: in each half every one must have five neighbours."""
LEAST_FAKE = 6
"""Fakes that figures need at least."""


@dataclass(frozen=True, kw_only=True)
class Fidelity(Figures):
    """Figures of fakes against real images, beside their floor: between halves of the real ones."""

    extractor: str
    """Name and digest, such as "cells@d87391daf86f"."""
    dimensions: int
    """Features of the extractor."""
    size: int
    """Pixels a side of the compared images."""
    real: int
    fake: int
    training: int
    """Images among which copies were looked for."""
    told_apart: float
    """Share of right answers, real or fake, of a plain classifier about images that did not teach
    it; 0.5 is ideal."""
    floor: Figures
    memorized: Memorized
    refused: str
    """Why there is no FID; empty where there is one."""
    seconds: float

    def ratio(self, name: str) -> float | None:
        """A figure over its floor (a KID below 0 counts as 0); None where either is missing."""
        value, floor = getattr(self, name), getattr(self.floor, name)
        if value is None or not floor:
            return None
        return max(0.0, float(value)) / float(floor)

    def table(self) -> dict[str, Any]:
        """Plain values: what the figures rest on, each with floor and ratio, the copies counted."""
        table = asdict(self)
        del table["memorized"]
        table |= {f"floor_{name}": value for name, value in table.pop("floor").items()}
        table |= {f"{name}_ratio": self.ratio(name) for name in NAMES}
        return table | {"copies": len(self.memorized.copies)}


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """One side of a comparison."""

    pixels: Pixels
    """Shape ``(n, size, size, 3)``, RGB."""
    labels: Sequence[str]
    """The class of each image."""


@dataclass(frozen=True, kw_only=True)
class FidelityByClass:
    """Synthetic images measured class by class, and all together."""

    overall: Fidelity
    """Over the images of all classes that are on both sides."""
    classes: Mapping[str, Fidelity]
    left_out: Mapping[str, str]
    """Why a class has no figures of its own, by class."""
    fake_rows: tuple[int, ...]
    """Position among all given fakes of each fake in ``overall``."""
    training_rows: tuple[int, ...]
    """Likewise of each training image."""


def measure(
    real: Pixels, fake: Pixels, extractor: OpenExtractor, training: Pixels | None = None
) -> Fidelity:
    """Every figure of fakes against real images of one class, with its floor.

    Args:
        real: Shape ``(n, size, size, 3)``, RGB.
        fake: Shape ``(m, size, size, 3)``, RGB, of the same size.
        training: Where copies are looked for, by default among the real images.

    Raises:
        DataError: There are too few images, their sizes differ, or the cache cannot be written.
        PluginError: The extractor failed.
    """

    def unlabelled(pixels: Pixels) -> LabelledImages:
        return LabelledImages(pixels, [""] * len(pixels))

    seen = None if training is None else unlabelled(training)
    found = measure_classes(
        unlabelled(real), unlabelled(fake), extractor, training=seen, each=False
    )
    return found.overall


def measure_classes(
    real: LabelledImages,
    fake: LabelledImages,
    extractor: OpenExtractor,
    *,
    training: LabelledImages | None = None,
    each: bool = True,
    seed: int = 0,
    progress: Progress = SILENT,
) -> FidelityByClass:
    """:func:`measure` for each class and over all, every image going through the extractor once.

    Features and floor of the real images are kept in the cache by content: a second check against
    the same real images costs the fake side only.

    Args:
        training: The images that the generator saw, by default ``real``: copies of a class's images
            are looked for among those of the same class, over all classes among all of them.
        each: Whether classes get figures of their own.
        seed: Of halvings, subsets and draws.

    Raises:
        DataError: As :func:`measure`, or no class is on both sides.
    """
    began = time.monotonic()
    shapes = {side.pixels.shape[1:] for side in (real, fake, training) if side is not None}
    if len(shapes) > 1:
        words = " and ".join("x".join(map(str, shape)) for shape in sorted(shapes))
        raise DataError(f"images of {words} cannot be compared; bring them to one size first")
    both, left_out = _shared(real.labels, fake.labels)
    if why := _too_few(*(sum(label in both for label in side.labels) for side in (real, fake))):
        raise DataError(f"there are {why}")
    cache = FeatureCache(extractor, shapes.pop()[0])

    def side(
        images: LabelledImages, features: Callable[[Pixels, Progress], NDArray[np.float32]]
    ) -> _Side:
        labels = np.array(images.labels, dtype=np.str_)
        rows = np.flatnonzero(np.isin(labels, both))
        pixels = images.pixels if len(rows) == len(labels) else images.pixels[rows]
        return _Side(pixels, features(pixels, progress), labels[rows], rows)

    sides = {"real": side(real, cache.features), "fake": side(fake, extractor.features)}
    sides["training"] = sides["real"]
    if training is not None and training is not real:
        sides["training"] = side(training, cache.features)
    classes = {}
    with progress.task("Measuring", len(both) * each + 1) as advance:
        for label in both if each else ():
            own = {name: all_of.only(label) for name, all_of in sides.items()}
            if why := _too_few(len(own["real"].rows), len(own["fake"].rows)):
                left_out[label] = why
            else:
                classes[label] = _measured(cache, own, seed)
            advance(note=label)
        overall = _measured(cache, sides, seed, progress)
        advance()
    return FidelityByClass(
        overall=replace(overall, seconds=time.monotonic() - began),
        classes=classes,
        left_out=left_out,
        fake_rows=tuple(sides["fake"].rows.tolist()),
        training_rows=tuple(sides["training"].rows.tolist()),
    )


@dataclass(frozen=True, eq=False)
class _Side:
    """Images of the classes that are compared, with their features and classes."""

    pixels: Pixels
    features: NDArray[np.float32]
    labels: NDArray[np.str_]
    rows: NDArray[np.int64]
    """Position of each among all images of the side."""

    def only(self, label: str) -> _Side:
        own = self.labels == label
        return _Side(self.pixels[own], self.features[own], self.labels[own], self.rows[own])


def _measured(
    cache: FeatureCache, sides: Mapping[str, _Side], seed: int, progress: Progress = SILENT
) -> Fidelity:
    real, fake, training = (sides[name] for name in ("real", "fake", "training"))
    began, extractor = time.monotonic(), cache.extractor
    least, refused = fid_least(extractor.dimensions), ""
    if min(len(real.rows), len(fake.rows)) < least:
        refused = (
            f"no FID: with {extractor.dimensions:,} features it needs {least:,} images a side, and "
            f"there are {len(real.rows):,} real and {len(fake.rows):,} fake ones; KID is unbiased "
            "with few"
        )
    return Fidelity(
        **asdict(figures(real.features, fake.features, seed)),
        floor=cache.floor(real.pixels, real.features, seed),
        memorized=find_copies(
            training.pixels, fake.pixels, training.features, fake.features, progress
        ),
        told_apart=told_apart(real.features, fake.features, seed),
        extractor=str(extractor),
        dimensions=extractor.dimensions,
        size=real.pixels.shape[1],
        real=len(real.rows),
        fake=len(fake.rows),
        training=len(training.rows),
        refused=refused,
        seconds=time.monotonic() - began,
    )


def _shared(real: Sequence[str], fake: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The classes on both sides, and what to say of the others."""
    both = [label for label in dict.fromkeys(real) if label in set(fake)]
    if not both:
        own, other = (", ".join(map(repr, dict.fromkeys(side))) or "none" for side in (real, fake))
        raise DataError(f"no class is on both sides: real images are {own}, fakes {other}")
    alone = {label: "no fakes of it" for label in real if label not in both}
    return both, alone | {label: "no real images of it" for label in fake if label not in both}


def _too_few(real: int, fake: int) -> str:
    """What to say where there are too few images on a side for any figure, or nothing."""
    if real >= LEAST_REAL and fake >= LEAST_FAKE:
        return ""
    return (
        f"{real} real and {fake} fake images, too few to compare: at least {LEAST_REAL} real and "
        f"{LEAST_FAKE} fake ones are needed"
    )


def is_comparable(found: object) -> bool:
    """Whether something read from a file is a table that :func:`compare` can work with."""
    if not isinstance(found, Mapping) or any(found.get(name) is None for name in SAME):
        return False
    values = [found.get(name) for name in NAMES]
    return all(value is None or type(value) in (int, float) for value in values)


def compare(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, float]:
    """How figures changed from one :meth:`Fidelity.table` to another, second less first.

    Raises:
        DataError: They differ in extractor, image size or counts: such figures are of different
            scales, and the difference would mean nothing.
    """
    differ = [
        f"{name} ({first.get(name)} and {second.get(name)})"
        for name in SAME
        if first.get(name) != second.get(name)
    ]
    if differ:
        raise DataError(f"these figures cannot be compared: they differ in {', '.join(differ)}")
    both = [name for name in NAMES if None not in (first.get(name), second.get(name))]
    return {name: float(second[name]) - float(first[name]) for name in both}
