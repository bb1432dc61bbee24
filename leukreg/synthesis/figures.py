"""The figures of one set of images against another, and their floor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from leukreg.seeds import derive
from leukreg.synthesis.fidelity import MOST as KID_MOST
from leukreg.synthesis.fidelity import fid, fid_least, kid, precision_recall
from leukreg.synthesis.variety import density_coverage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Features = NDArray[np.float32]

SPLITS = 10
"""Random halvings of the real images that the floor of a KID is the mean of."""
MOST = 10_000
"""Images of a side at most in precision, recall, density and coverage: their cost is quadratic."""
VERSION = 1
"""Part of a kept floor's name; raise it when a definition changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How near two sets of images are to each other."""

    fid: float | None
    """None where there are too few images for it."""
    kid: float
    kid_std: float
    precision: float
    recall: float
    density: float
    coverage: float


def figures(real: Features, fake: Features, seed: int = 0) -> Figures:
    """Every figure over two sets of features of shapes ``(n, d)`` and ``(m, d)``.

    Precision, recall, density and coverage depend on how many images there are on either side, so
    the larger side is drawn down to the smaller one's number for them.
    """
    mean, deviation = kid(real, fake, derive(seed, "kid"))
    return _figures(real, fake, seed, mean, deviation)


def floor(real: Features, seed: int = 0) -> Figures:
    """The same figures between two random halves of the real images.

    KID is as often below 0 as above where both sets are alike, so its floor is the mean size of it
    (its absolute value) over several halvings, and its ``kid_std`` how these scatter.
    """
    sizes = [_between_halves(*_halves(real, seed, split), seed) for split in range(SPLITS)]
    first, second = _halves(real, seed, 0)
    return _figures(first, second, seed, float(np.mean(np.abs(sizes))), float(np.std(sizes)))


def _figures(real: Features, fake: Features, seed: int, mean: float, deviation: float) -> Figures:
    enough = min(len(real), len(fake)) >= fid_least(real.shape[1])
    n = min(len(real), len(fake), MOST)
    some, others = _drawn(real, n, seed, "real"), _drawn(fake, n, seed, "fake")
    precision, recall = precision_recall(some, others)
    density, coverage = density_coverage(some, others)
    return Figures(
        fid=fid(real, fake) if enough else None,
        kid=mean,
        kid_std=deviation,
        precision=precision,
        recall=recall,
        density=density,
        coverage=coverage,
    )


def _halves(real: Features, seed: int, split: int) -> tuple[Features, Features]:
    rows = np.random.default_rng(derive(seed, "halves", split)).permutation(len(real))
    half = len(real) // 2
    return real[rows[:half]], real[rows[half : 2 * half]]


def _between_halves(first: Features, second: Features, seed: int) -> float:
    # A subset that is all of a small half says all of it at once.
    whole = len(first) <= KID_MOST
    size, subsets = (len(first), 1) if whole else (KID_MOST, 30)
    return kid(first, second, derive(seed, "kid"), subset_size=size, subsets=subsets)[0]


def _drawn(features: Features, n: int, seed: int, side: str) -> Features:
    if len(features) == n:
        return features
    rows = np.random.default_rng(derive(seed, "drawn", side)).permutation(len(features))[:n]
    return features[np.sort(rows)]
