"""Measure synthetic images against real ones, class by class, and compare two measurements."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from leukreg.errors import DataError
from leukreg.progress import SILENT, Progress
from leukreg.synthesis.distances import fid_least, figures, told_apart
from leukreg.synthesis.extractor import FeatureCache, image_digests
from leukreg.synthesis.memorization import find_copies

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leukreg.synthesis.extractor import OpenExtractor

    Pixels = NDArray[np.uint8]
    Labels = NDArray[np.str_]


NAMES = ("fid", "kid", "precision", "recall", "density", "coverage")
SAME = ("extractor", "size", "real", "fake")
"""What two figures must have in common to be compared."""
_BY_IMAGE = ("copies", "nearest", "closeness")


@dataclass(frozen=True, kw_only=True)
class Fidelity:
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
    fid: float | None
    """None where there are too few images for it; ``refused`` says so."""
    kid: float
    kid_std: float
    precision: float
    recall: float
    density: float
    coverage: float
    told_apart: float
    """Share of right answers, real or fake, of a plain classifier about images that did not teach
    it; 0.5 is ideal."""
    floor_fid: float | None
    """None where half of the real images are too few."""
    floor_kid: float
    floor_kid_std: float
    floor_precision: float
    floor_recall: float
    floor_density: float
    floor_coverage: float
    copies: tuple[int, ...]
    """Positions of the fakes that copy a training image."""
    nearest: tuple[int, ...]
    """For every fake, the position of its nearest training image."""
    closeness: tuple[float, ...]
    """For every fake, how near that is: 0 for an exact copy, about 1 for a new picture."""
    refused: str
    """Why there is no FID; empty where there is one."""
    seconds: float

    def ratio(self, name: str) -> float | None:
        """A figure over its floor (a KID below 0 counts as 0); None where either is missing."""
        value, floor = getattr(self, name), getattr(self, f"floor_{name}")
        if value is None or not floor:
            return None
        return max(0.0, float(value)) / float(floor)

    @property
    def kid_ratio(self) -> float | None:
        return self.ratio("kid")

    @property
    def fid_ratio(self) -> float | None:
        return self.ratio("fid")

    def table(self) -> dict[str, Any]:
        """Plain values: what the figures rest on, each with floor and ratio, the copies counted."""
        named = (each.name for each in fields(self) if each.name not in _BY_IMAGE)
        table = {name: getattr(self, name) for name in named}
        table |= {f"{name}_ratio": self.ratio(name) for name in NAMES}
        return table | {"copies": len(self.copies)}


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


@dataclass(frozen=True, eq=False)
class _Side:
    """Images with their features and classes."""

    pixels: Pixels
    digests: NDArray[np.uint8]
    """Empty where features are not kept."""
    features: NDArray[np.float32]
    labels: Labels

    def only(self, label: str) -> _Side:
        rows = self.labels == label
        digests = self.digests[rows] if len(self.digests) else self.digests
        return _Side(self.pixels[rows], digests, self.features[rows], self.labels[rows])

    def __len__(self) -> int:
        return len(self.pixels)


@dataclass(frozen=True, eq=False)
class _Sides:
    """What is measured, by what."""

    cache: FeatureCache
    real: _Side
    fake: _Side
    training: _Side
    seed: int
    began: float = field(default_factory=time.monotonic)

    def only(self, label: str) -> _Sides:
        real, fake, training = (s.only(label) for s in (self.real, self.fake, self.training))
        return _Sides(self.cache, real, fake, training, self.seed)

    def measured(self, progress: Progress) -> Fidelity:
        extractor, real, fake = self.cache.extractor, self.real, self.fake
        floor = self.cache.floor(real.digests, real.features, self.seed)
        found = figures(real.features, fake.features, self.seed)
        copies = find_copies(
            self.training.pixels, fake.pixels, self.training.features, fake.features, progress
        )
        return Fidelity(
            extractor=str(extractor),
            dimensions=extractor.dimensions,
            size=real.pixels.shape[1],
            real=len(real),
            fake=len(fake),
            training=len(self.training),
            **asdict(found),
            told_apart=told_apart(real.features, fake.features, self.seed),
            **{f"floor_{name}": value for name, value in asdict(floor).items()},
            copies=copies.positions,
            nearest=copies.nearest,
            closeness=copies.closeness,
            refused=why_no_fid(extractor.dimensions, len(real), len(fake)),
            seconds=time.monotonic() - self.began,
        )


def measure(
    real: Pixels,
    fake: Pixels,
    extractor: OpenExtractor,
    *,
    training: Pixels | None = None,
    seed: int = 0,
    progress: Progress = SILENT,
) -> Fidelity:
    """Every figure of fakes against real images, with its floor, and the copies among them.

    Features and floor of the real images are kept in the cache by content: a second check against
    the same real images costs the fake side only.

    Args:
        real: Shape ``(n, size, size, 3)``, RGB.
        fake: Shape ``(m, size, size, 3)``, RGB, of the same size.
        training: The images that the generator saw, among which copies are looked for; by default
            ``real``.
        seed: Of halvings, subsets and draws.

    Raises:
        DataError: There are too few images, their sizes differ, or the cache cannot be written.
        PluginError: The extractor failed.
    """
    seen = None if training is None else [""] * len(training)
    found = measure_classes(
        real,
        [""] * len(real),
        fake,
        [""] * len(fake),
        extractor,
        training=training,
        training_labels=seen,
        each=False,
        seed=seed,
        progress=progress,
    )
    return found.overall


def measure_classes(
    real: Pixels,
    real_labels: Sequence[str],
    fake: Pixels,
    fake_labels: Sequence[str],
    extractor: OpenExtractor,
    *,
    training: Pixels | None = None,
    training_labels: Sequence[str] | None = None,
    each: bool = True,
    seed: int = 0,
    progress: Progress = SILENT,
) -> FidelityByClass:
    """:func:`measure` for each class and over all, every image going through the extractor once.

    Copies are looked for among the training images of the same class; ``overall``, which is over
    the classes on both sides, looks among all of theirs.

    Args:
        real_labels: The class of each real image; ``fake_labels`` and ``training_labels`` likewise.
        each: Whether classes get figures of their own.

    Raises:
        DataError: As :func:`measure`, or no class is on both sides.
    """
    began = time.monotonic()
    refuse_sizes(real, fake, *(() if training is None else (training,)))
    both, left_out = _shared(real_labels, fake_labels)
    rows = [_of(labels, both) for labels in (real_labels, fake_labels)]
    seen = rows[0] if training_labels is None else _of(training_labels, both)
    refuse(len(rows[0]), len(rows[1]))
    cache = FeatureCache(extractor, real.shape[1])

    def side(pixels: Pixels, labels: Sequence[str], rows: NDArray[np.int64], kept: bool) -> _Side:
        chosen = pixels if len(rows) == len(pixels) else pixels[rows]
        digests = image_digests(chosen if kept else chosen[:0])
        if kept:
            features = cache.features(chosen, digests, progress)
        else:
            features = extractor.features(chosen, progress)
        return _Side(chosen, digests, features, np.array(labels)[rows])

    real_side = side(real, real_labels, rows[0], kept=True)
    fake_side = side(fake, fake_labels, rows[1], kept=False)
    training_side = real_side
    if training is not None:
        training_side = side(training, training_labels or (), seen, kept=True)
    sides = _Sides(cache, real_side, fake_side, training_side, seed, began)
    classes = {}
    with progress.task("Measuring", len(both) * each + 1) as advance:
        for label in both if each else ():
            chosen = sides.only(label)
            if why := too_few(len(chosen.real), len(chosen.fake)):
                left_out[label] = why
            else:
                classes[label] = chosen.measured(SILENT)
            advance(note=label)
        overall = sides.measured(progress)
        advance()
    return FidelityByClass(
        overall=overall,
        classes=classes,
        left_out=left_out,
        fake_rows=tuple(rows[1].tolist()),
        training_rows=tuple(seen.tolist()),
    )


def _shared(real: Sequence[str], fake: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The classes on both sides, and what to say of the others."""
    both = [label for label in dict.fromkeys(real) if label in set(fake)]
    if not both:
        raise DataError(
            f"no class is on both sides: real images are {_list(real)}, fakes {_list(fake)}"
        )
    alone = {label: "no fakes of it" for label in dict.fromkeys(real) if label not in both}
    for label in dict.fromkeys(fake):
        if label not in both:
            alone[label] = "no real images of it"
    return both, alone


def _of(labels: Sequence[str], classes: Sequence[str]) -> NDArray[np.int64]:
    """Positions of the images of these classes."""
    return np.flatnonzero(np.isin(np.array(labels, dtype=np.str_), classes))


def _list(labels: Sequence[str]) -> str:
    return ", ".join(map(repr, dict.fromkeys(labels))) or "none"


LEAST_REAL = 12
"""Real images that figures need at least: in each half every one must have five neighbours."""
LEAST_FAKE = 6
"""Fakes that figures need at least."""


def refuse_sizes(*sides: NDArray[np.uint8]) -> None:
    """Refuse images of different sizes.

    Raises:
        DataError: They differ.
    """
    shapes = {tuple(side.shape[1:]) for side in sides}
    if len(shapes) > 1:
        words = " and ".join("x".join(map(str, shape)) for shape in sorted(shapes))
        raise DataError(f"images of {words} cannot be compared; bring them to one size first")


def refuse(real: int, fake: int) -> None:
    """Refuse too few images.

    Raises:
        DataError: There are too few.
    """
    if why := too_few(real, fake):
        raise DataError(f"there are {why}")


def too_few(real: int, fake: int) -> str:
    """What to say where there are too few images on a side for any figure, or nothing."""
    if real >= LEAST_REAL and fake >= LEAST_FAKE:
        return ""
    return (
        f"{real} real and {fake} fake images, too few to compare: at least {LEAST_REAL} real and "
        f"{LEAST_FAKE} fake ones are needed"
    )


def why_no_fid(dimensions: int, real: int, fake: int) -> str:
    """What to say where there are too few images for an FID, or nothing."""
    least = fid_least(dimensions)
    if min(real, fake) >= least:
        return ""
    return (
        f"no FID: with {dimensions:,} features it needs {least:,} images a side, and there are "
        f"{real:,} real and {fake:,} fake ones; KID is unbiased with few"
    )
