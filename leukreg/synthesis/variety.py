"""Density and coverage: how well fakes lie among real images, and how many of these they reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEIGHBOURS = 5
"""A real image's surroundings reach to its fifth nearest other one (Naeem et al.)."""


def density_coverage(
    real: NDArray[np.floating], fake: NDArray[np.floating], neighbours: int = NEIGHBOURS
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
