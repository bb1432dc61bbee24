"""Measure synthetic images against real ones."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from leukreg.errors import DataError
from leukreg.progress import SILENT, Progress
from leukreg.synthesis.features import FeatureCache
from leukreg.synthesis.fidelity import fid_least
from leukreg.synthesis.figures import figures
from leukreg.synthesis.measured import Fidelity as Fidelity
from leukreg.synthesis.measured import compare as compare
from leukreg.synthesis.neighbours import find_copies

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leukreg.synthesis.extractors import OpenExtractor

    Pixels = NDArray[np.uint8]
    Features = NDArray[np.float32]

LEAST_REAL = 12
"""Real images that figures need at least: each half must have more than five neighbours."""
LEAST_FAKE = 6
"""Fakes that figures need at least."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Synthetic images measured class by class, and all together."""

    overall: Fidelity
    """Over the images of all classes that are on both sides."""
    classes: Mapping[str, Fidelity]
    left_out: Mapping[str, str]
    """Why a class has no figures of its own, by class."""


@dataclass(frozen=True, eq=False)
class _Side:
    """Images with their features."""

    pixels: Pixels
    features: Features

    def only(self, rows: NDArray[np.bool_]) -> _Side:
        return _Side(self.pixels[rows], self.features[rows])

    def __len__(self) -> int:
        return len(self.pixels)


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
    began = time.monotonic()
    _refuse_sizes(real, fake, training)
    _refuse_few(len(real), len(fake))
    cache = FeatureCache(extractor, real.shape[1])
    sides = _sides(cache, real, fake, training, progress)
    return _measured(cache, *sides, seed, began, progress)


def measure_classes(
    real: Pixels,
    real_labels: Sequence[str],
    fake: Pixels,
    fake_labels: Sequence[str],
    extractor: OpenExtractor,
    *,
    training: Pixels | None = None,
    training_labels: Sequence[str] | None = None,
    seed: int = 0,
    progress: Progress = SILENT,
) -> Measured:
    """:func:`measure` for each class and over all, every image going through the extractor once.

    Copies are looked for among the training images of the same class; ``overall`` has all of them.

    Args:
        real_labels: The class of each real image; ``fake_labels`` and ``training_labels`` likewise.

    Raises:
        DataError: As :func:`measure`, or no class is on both sides.
    """
    began = time.monotonic()
    _refuse_sizes(real, fake, training)
    own, other = np.array(real_labels), np.array(fake_labels)
    both = [label for label in dict.fromkeys(real_labels) if label in set(fake_labels)]
    if not both:
        raise DataError(
            f"no class is on both sides: real images are {_list(real_labels)}, fakes "
            f"{_list(fake_labels)}"
        )
    real, fake = real[np.isin(own, both)], fake[np.isin(other, both)]
    own, other = own[np.isin(own, both)], other[np.isin(other, both)]
    seen = own if training is None else np.array(training_labels)
    _refuse_few(len(real), len(fake))
    cache = FeatureCache(extractor, real.shape[1])
    sides = _sides(cache, real, fake, training, progress)
    left_out = _one_sided(real_labels, fake_labels)
    classes = {}
    for label in both:
        rows = (own == label, other == label, seen == label)
        chosen = [side.only(chosen) for side, chosen in zip(sides, rows, strict=True)]
        why = _too_few(len(chosen[0]), len(chosen[1]))
        if why:
            left_out[label] = why
        else:
            classes[label] = _measured(cache, *chosen, seed, time.monotonic(), progress)
    overall = _measured(cache, *sides, seed, began, progress)
    return Measured(overall=overall, classes=classes, left_out=left_out)


def _sides(
    cache: FeatureCache, real: Pixels, fake: Pixels, training: Pixels | None, progress: Progress
) -> tuple[_Side, _Side, _Side]:
    """Real, fake and training images; only the fakes' features are computed anew every time."""
    own = _Side(real, cache.features(real, progress))
    seen = own if training is None else _Side(training, cache.features(training, progress))
    return own, _Side(fake, cache.extractor.features(fake, progress)), seen


def _measured(
    cache: FeatureCache,
    real: _Side,
    fake: _Side,
    training: _Side,
    seed: int,
    began: float,
    progress: Progress,
) -> Fidelity:
    with progress.task("Distances"):
        floor = cache.floor(real.pixels, real.features, seed)
        found = figures(real.features, fake.features, seed)
    copies = find_copies(training.pixels, fake.pixels, training.features, fake.features, progress)
    return Fidelity(
        extractor=str(cache.extractor),
        dimensions=cache.extractor.dimensions,
        size=real.pixels.shape[1],
        real=len(real),
        fake=len(fake),
        training=len(training),
        **asdict(found),
        **{f"floor_{name}": value for name, value in asdict(floor).items()},
        copies=copies.positions,
        nearest=copies.nearest,
        closeness=copies.closeness,
        refused=_refused(cache.extractor.dimensions, len(real), len(fake)),
        seconds=time.monotonic() - began,
    )


def _refused(dimensions: int, real: int, fake: int) -> str:
    least = fid_least(dimensions)
    if min(real, fake) >= least:
        return ""
    return (
        f"no FID: it needs {least:,} images a side with {dimensions:,} features, and there are "
        f"{real:,} real and {fake:,} fake ones; read KID, which has no such bias"
    )


def _refuse_sizes(real: Pixels, fake: Pixels, training: Pixels | None) -> None:
    sides = [real, fake, *([] if training is None else [training])]
    shapes = {tuple(side.shape[1:]) for side in sides}
    if len(shapes) > 1:
        words = " and ".join(" x ".join(map(str, shape)) for shape in sorted(shapes))
        raise DataError(f"images of different sizes cannot be compared: {words}; bring them to one")


def _refuse_few(real: int, fake: int) -> None:
    if why := _too_few(real, fake):
        raise DataError(why)


def _too_few(real: int, fake: int) -> str:
    if real >= LEAST_REAL and fake >= LEAST_FAKE:
        return ""
    return (
        f"{real} real and {fake} fake images are too few to compare; at least {LEAST_REAL} real "
        f"and {LEAST_FAKE} fake ones are needed"
    )


def _one_sided(real: Sequence[str], fake: Sequence[str]) -> dict[str, str]:
    """Classes on one side only, and what to say of them."""
    said = {label: "no fakes of it" for label in dict.fromkeys(real) if label not in set(fake)}
    for label in dict.fromkeys(fake):
        if label not in set(real):
            said[label] = "no real images of it"
    return said


def _list(labels: Sequence[str]) -> str:
    return ", ".join(map(repr, dict.fromkeys(labels))) or "none"
