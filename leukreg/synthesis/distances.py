"""Distances between two sets of features: FID, KID, precision, recall, density, coverage.

Features are computed elsewhere, once; here torch-fidelity's own formulas are applied to them, in
double precision.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from leukreg.errors import DataError
from leukreg.seeds import derive
from leukreg.vision import import_torchvision

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    Features = NDArray[np.floating[Any]]
    Matrix = NDArray[np.float64]

SUBSETS = 100
"""Pairs of subsets that a KID is averaged over."""
SUBSET = 1000
"""Images in a subset at most (Binkowski et al., 2018)."""
NEIGHBOURHOOD = 3
"""Neighbours that make up an image's surroundings (Kynkaanniemi et al., 2019)."""
NEIGHBOURS = 5
"""A real image's surroundings reach to its fifth nearest other one (Naeem et al.)."""
SPLITS = 10
"""Random halvings of the real images that the floor of a KID is the mean of."""
MOST = 10_000
"""Images of a side at most in precision, recall, density and coverage: their cost is quadratic."""
BLOCK = 1000
"""Rows of a matrix of distances or kernels that are held in memory at once."""
MOST_APART = 400
"""Images of a side at most that are told apart; more change the answer little."""
PARTS = 5
"""Each image is asked about once, by a classifier that learned from the other parts."""
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
    return _figures(real, fake, seed, *kid(real, fake, derive(seed, "kid")))


def floor(real: Features, seed: int = 0) -> Figures:
    """The same figures between two random halves of the real images.

    KID is as often below 0 as above where both sets are alike, so its floor is the mean size of it
    (its absolute value) over several halvings, and its ``kid_std`` how these scatter.
    """
    half = len(real) // 2
    # A subset that is all of a small half says all of it at once.
    size, subsets = (half, 1) if half <= SUBSET else (SUBSET, 30)

    def halves(split: int) -> tuple[Features, Features]:
        rows = np.random.default_rng(derive(seed, "halves", split)).permutation(len(real))
        return real[rows[:half]], real[rows[half : 2 * half]]

    sizes = [
        kid(*halves(split), derive(seed, "kid"), subset_size=size, subsets=subsets)[0]
        for split in range(SPLITS)
    ]
    return _figures(*halves(0), seed, float(np.mean(np.abs(sizes))), float(np.std(sizes)))


def _figures(real: Features, fake: Features, seed: int, mean: float, deviation: float) -> Figures:
    n = min(len(real), len(fake), MOST)

    def drawn(features: Features, side: str) -> Features:
        if len(features) == n:
            return features
        rows = np.random.default_rng(derive(seed, "drawn", side)).permutation(len(features))[:n]
        return features[np.sort(rows)]

    some, others = drawn(real, "real"), drawn(fake, "fake")
    precision, recall = precision_recall(some, others)
    density, coverage = density_coverage(some, others)
    enough = min(len(real), len(fake)) >= fid_least(real.shape[1])
    return Figures(
        fid=fid(real, fake) if enough else None,
        kid=mean,
        kid_std=deviation,
        precision=precision,
        recall=recall,
        density=density,
        coverage=coverage,
    )


def fid(real: Features, fake: Features) -> float:
    """Frechet Inception Distance: between normal distributions fitted to both sets.

    Biased upwards with few images: at least twice as many as dimensions are asked for (Heusel et
    al., NeurIPS 2017).

    Args:
        real: Features of shape ``(n, d)``.
        fake: Features of shape ``(m, d)``.

    Raises:
        DataError: A set has fewer than ``2 * d`` images.
    """
    least = fid_least(real.shape[1])
    if min(len(real), len(fake)) < least:
        raise DataError(
            f"FID needs {least:,} images on each side, twice as many as there are features "
            f"({real.shape[1]:,}); there are {len(real):,} real and {len(fake):,} fake ones. "
            "KID has no such bias"
        )
    library = _library().metric_fid
    statistics = [library.fid_features_to_statistics(_tensor(each)) for each in (real, fake)]
    found = library.fid_statistics_to_metric(*statistics, verbose=False)
    return max(0.0, float(found["frechet_inception_distance"]))


def fid_least(dimensions: int) -> int:
    """Images on each side that an FID over so many features needs."""
    return 2 * dimensions


def kid(
    real: Features,
    fake: Features,
    seed: int = 0,
    *,
    subsets: int = SUBSETS,
    subset_size: int | None = None,
) -> tuple[float, float]:
    """Kernel Inception Distance: its mean and standard deviation over random subsets.

    Unbiased, so that it is near 0, and as often below as above, where both sets are alike. The
    kernel is ``(x . y / d + 1) ** 3`` (Binkowski et al., Demystifying MMD GANs, ICLR 2018).

    Args:
        real: Features of shape ``(n, d)``.
        fake: Features of shape ``(m, d)``.
        subset_size: Images in each subset; by default half of the smaller set, 1000 at most and 2
            at least, so that subsets differ and their deviation means something.

    Raises:
        DataError: A set has fewer than 2 images, or fewer than ``subset_size``.
    """
    n, m = len(real), len(fake)
    size = subset_size or min(SUBSET, max(2, min(n, m) // 2))
    if min(n, m) < max(2, size):
        raise DataError(
            f"KID needs at least {max(2, size)} images on each side; there are {n} real and {m} "
            "fake ones"
        )
    # torch-fidelity computes every subset's kernels anew. Where subsets overlap much, it is several
    # times faster to compute all kernels once and to add up those that each subset needs.
    if n * n + n * m + m * m < 3 * subsets * size**2:
        distances = _subset_distances(_double(real), _double(fake), size, subsets, seed % 2**32)
        return float(distances.mean()), float(distances.std())
    found = _library().metric_kid.kid_features_to_metric(
        _tensor(real),
        _tensor(fake),
        kid_subsets=subsets,
        kid_subset_size=size,
        rng_seed=seed % 2**32,
        verbose=False,
    )
    return found["kernel_inception_distance_mean"], found["kernel_inception_distance_std"]


def _subset_distances(real: Matrix, fake: Matrix, size: int, count: int, seed: int) -> Matrix:
    """The unbiased squared MMD of each pair of subsets, drawn as torch-fidelity draws them.

    Gretton et al., A kernel two-sample test, JMLR 2012.
    """
    rng = np.random.RandomState(seed)
    # Which images are in which subset: 1 or 0, so that a matrix product sums over subsets.
    a, b = np.zeros((count, len(real))), np.zeros((count, len(fake)))
    for own, other in zip(a, b, strict=True):
        own[rng.choice(len(real), size, replace=False)] = 1
        other[rng.choice(len(fake), size, replace=False)] = 1
    within = _sums_within(real, a) + _sums_within(fake, b)
    return within / (size * (size - 1)) - 2 * _sums_across(real, fake, a, b) / size**2


def _sums_within(features: Matrix, chosen: Matrix) -> Matrix:
    """Sums of the kernels within each subset, an image with itself left out."""
    itself = _kernel((features * features).sum(1) / features.shape[1])
    return _sums_across(features, features, chosen, chosen) - chosen @ itself


def _sums_across(first: Matrix, second: Matrix, a: Matrix, b: Matrix) -> Matrix:
    """Sums of the kernels between each pair of subsets, shape ``(count,)``."""
    total = np.zeros(len(a))
    for start in range(0, len(first), BLOCK):
        rows = slice(start, start + BLOCK)
        kernels = _kernel(first[rows] @ second.T / first.shape[1])
        total += ((a[:, rows] @ kernels) * b).sum(1)
    return total


def _kernel(products: Matrix) -> Matrix:
    shifted = products + 1
    return shifted * shifted * shifted


def precision_recall(
    real: Features, fake: Features, neighbourhood: int = NEIGHBOURHOOD
) -> tuple[float, float]:
    """Part of the fakes that lie among the real images, and of the real ones among the fakes.

    An image lies among others when it is no farther from one of them than that one's third nearest
    neighbour (Kynkaanniemi et al., Improved precision and recall, NeurIPS 2019).

    Args:
        real: Features of shape ``(n, d)``, ``n > neighbourhood``.
        fake: Features of shape ``(m, d)``, ``m > neighbourhood``.
    """
    found = _library().metric_prc.prc_features_to_metric(
        _tensor(fake),
        _tensor(real),
        prc_neighborhood=neighbourhood,
        prc_batch_size=BLOCK,
        save_cpu_ram=True,
        verbose=False,
    )
    return found["precision"], found["recall"]


def density_coverage(
    real: Features, fake: Features, neighbours: int = NEIGHBOURS
) -> tuple[float, float]:
    """Density (1 is ideal, it may be above) and coverage (0 to 1) of fakes.

    Density is the number of real surroundings that a fake lies in, over ``neighbours``; coverage is
    the part of the real images with a fake in their surroundings (Naeem et al., Reliable fidelity
    and diversity metrics for generative models, ICML 2020).

    Args:
        real: Features of shape ``(n, d)``, ``n > neighbours``.
        fake: Features of shape ``(m, d)``.
    """
    from sklearn.metrics import pairwise_distances_chunked
    from sklearn.neighbors import NearestNeighbors

    real, fake = real.astype(np.float64), fake.astype(np.float64)
    found = NearestNeighbors(n_neighbors=neighbours, algorithm="brute").fit(real).kneighbors()
    radius = found[0][:, -1]
    inside, reached = 0, np.zeros(len(real), bool)
    for distances in pairwise_distances_chunked(fake, real):
        near = distances < radius
        inside += int(near.sum())
        reached |= near.any(0)
    return inside / (neighbours * len(fake)), float(reached.mean())


def told_apart(real: Features, fake: Features, seed: int = 0) -> float:
    """Share of right answers, real or synthetic, about images that did not teach; 0.5 is ideal.

    A logistic regression on features, over as many images of one side as of the other (Lopez-Paz
    and Oquab, Revisiting classifier two-sample tests, ICLR 2017).

    Args:
        real: Features of shape ``(n, d)``, ``n`` at least ``PARTS``; ``fake`` likewise.
    """
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    n = min(len(real), len(fake), MOST_APART)
    rng = np.random.default_rng(derive(seed, "told apart"))
    drawn = [side[rng.permutation(len(side))[:n]] for side in (real, fake)]
    features = np.concatenate(drawn).astype(np.float64)
    made = np.repeat([0, 1], n)
    parts = StratifiedKFold(PARTS, shuffle=True, random_state=derive(seed, "parts") % (1 << 32))
    with logistic_regression(max_iter=200) as model:
        answers = cross_val_predict(model, features, made, cv=parts)
    return float((answers == made).mean())


@contextmanager
def logistic_regression(**options: Any) -> Iterator[Any]:
    """A logistic regression on standardised features, to be fitted within."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    with warnings.catch_warnings():
        # Classes that fall apart are told apart ever better; the answers have long been settled.
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield make_pipeline(StandardScaler(), LogisticRegression(C=0.1, **options))


def _library() -> ModuleType:
    import_torchvision()
    import torch_fidelity
    import torch_fidelity.metric_fid
    import torch_fidelity.metric_kid
    import torch_fidelity.metric_prc

    library: ModuleType = torch_fidelity
    return library


def _double(features: Features) -> Matrix:
    return np.ascontiguousarray(features, dtype=np.float64)


def _tensor(features: Features) -> Tensor:
    import torch

    return torch.from_numpy(_double(features))
