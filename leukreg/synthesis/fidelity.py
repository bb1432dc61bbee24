"""Distances between two sets of features, as torch-fidelity defines them.

The only module that imports torch-fidelity. Features are computed elsewhere, once; here its own
formulas are applied to them, in double precision. (Its KID over small sets is summed up faster, to
the same figures.)
"""

from __future__ import annotations

import io
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from leukreg.errors import DataError, LeukregError
from leukreg.files import load_tensors
from leukreg.vision import import_torchvision

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    Features = NDArray[np.floating[Any]]

SUBSETS = 100
"""Pairs of subsets that a KID is averaged over."""
MOST = 1000
"""Images in a subset at most (Binkowski et al., 2018)."""
NEIGHBOURHOOD = 3
"""Neighbours that make up an image's surroundings (Kynkaanniemi et al., 2019)."""
INCEPTION = "2048"
"""The layer of InceptionV3 that FID and KID are about, by its number of features."""
BLOCK = 1000
"""Rows of a matrix of distances that are held in memory at once."""


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
    from leukreg.synthesis.subsets import Subsets

    n, m = len(real), len(fake)
    size = subset_size or min(MOST, max(2, min(n, m) // 2))
    if min(n, m) < max(2, size):
        raise DataError(
            f"KID needs at least {max(2, size)} images on each side; there are {n} real and {m} "
            "fake ones"
        )
    drawn = Subsets(size, subsets, seed % 2**32)
    if drawn.worth_sharing(n, m):
        found = drawn.distances(_double(real), _double(fake))
        return float(found.mean()), float(found.std())
    figures = _library().metric_kid.kid_features_to_metric(
        _tensor(real),
        _tensor(fake),
        kid_subsets=subsets,
        kid_subset_size=size,
        rng_seed=drawn.seed,
        verbose=False,
    )
    return figures["kernel_inception_distance_mean"], figures["kernel_inception_distance_std"]


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


def inception_network(path: Path) -> nn.Module:
    """torch-fidelity's InceptionV3: uint8 images ``(b, 3, h, w)`` to features ``(b, 2048)``.

    Args:
        path: Its weights, as torch-fidelity publishes them; nothing in the file is run.

    Raises:
        LeukregError: The file cannot be read, or is not of this network.
    """
    import torch

    class Inception(_library().FeatureExtractorInceptionV3):  # type: ignore[misc]
        dimensions = int(INCEPTION)

        def forward(self, images: Tensor) -> Tensor:
            found: tuple[Tensor, ...] = super().forward(images)
            return found[0]

    try:
        # torch-fidelity would load the file with whatever code stands in it: hand it a clean copy.
        clean = io.BytesIO()
        torch.save(load_tensors(path), clean)
        clean.seek(0)
        return Inception("inception", [INCEPTION], feature_extractor_weights_path=clean)
    except Exception as error:  # torch-fidelity raises its own
        reason = " ".join(str(error).split())[:300]
        raise LeukregError(f"{path} holds no weights of InceptionV3: {reason}") from error


def _library() -> ModuleType:
    import_torchvision()
    import torch_fidelity
    import torch_fidelity.metric_fid
    import torch_fidelity.metric_kid
    import torch_fidelity.metric_prc

    library: ModuleType = torch_fidelity
    return library


def _double(features: Features) -> NDArray[np.float64]:
    import numpy as np

    return np.ascontiguousarray(features, dtype=np.float64)


def _tensor(features: Features) -> Tensor:
    import torch

    return torch.from_numpy(_double(features))
