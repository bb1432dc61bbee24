"""Measure synthetic images against real ones."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from leukreg.errors import DataError
from leukreg.progress import SILENT, Progress
from leukreg.synthesis.enough import LEAST_FAKE as LEAST_FAKE
from leukreg.synthesis.enough import LEAST_REAL as LEAST_REAL
from leukreg.synthesis.enough import refuse, refuse_sizes, too_few, why_no_fid
from leukreg.synthesis.features import FeatureCache, image_digests
from leukreg.synthesis.figures import figures
from leukreg.synthesis.measured import Fidelity as Fidelity
from leukreg.synthesis.measured import compare as compare
from leukreg.synthesis.neighbours import find_copies
from leukreg.synthesis.told_apart import told_apart

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leukreg.synthesis.extractors import OpenExtractor

    Pixels = NDArray[np.uint8]
    Labels = NDArray[np.str_]


@dataclass(frozen=True, kw_only=True)
class Measured:
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
) -> Measured:
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
    return Measured(
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
