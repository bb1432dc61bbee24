"""Kernel distances over many pairs of subsets at once.

torch-fidelity computes every subset's kernels anew. Where subsets overlap much, it is several times
faster to compute all kernels once and to add up, by matrix products, those that each subset needs:
the figures are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

BLOCK = 1000
"""Rows of a kernel matrix that are held in memory at once."""


@dataclass(frozen=True, slots=True)
class Subsets:
    """``count`` pairs of random subsets of ``size`` images, drawn as torch-fidelity draws them."""

    size: int
    count: int
    seed: int

    def worth_sharing(self, n: int, m: int) -> bool:
        """Whether all kernels of ``n`` and ``m`` images are fewer than those of every subset."""
        return n * n + n * m + m * m < 3 * self.count * self.size**2

    def draw(self, n: int, m: int) -> tuple[Matrix, Matrix]:
        """Which images are in which subset: 1 or 0, shapes ``(count, n)`` and ``(count, m)``."""
        rng = np.random.RandomState(self.seed)
        first, second = np.zeros((self.count, n)), np.zeros((self.count, m))
        for own, other in zip(first, second, strict=True):
            own[rng.choice(n, self.size, replace=False)] = 1
            other[rng.choice(m, self.size, replace=False)] = 1
        return first, second

    def distances(self, real: Matrix, fake: Matrix) -> Matrix:
        """The unbiased squared MMD of each pair of subsets, shape ``(count,)``.

        Kernel ``(x . y / d + 1) ** 3`` (Gretton et al., A kernel two-sample test, JMLR 2012).
        """
        a, b = self.draw(len(real), len(fake))
        within = _inner(real, a) + _inner(fake, b)
        across = _sums(real, fake, a, b)
        return within / (self.size * (self.size - 1)) - 2 * across / self.size**2


def _inner(features: Matrix, chosen: Matrix) -> Matrix:
    """Sums of the kernels within each subset, an image with itself left out."""
    own = _kernel((features * features).sum(1) / features.shape[1])
    return _sums(features, features, chosen, chosen) - chosen @ own


def _sums(first: Matrix, second: Matrix, a: Matrix, b: Matrix) -> Matrix:
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
