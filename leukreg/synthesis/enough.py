"""Whether there are images enough, of one size, to compare."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leukreg.errors import DataError
from leukreg.synthesis.fidelity import fid_least

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
