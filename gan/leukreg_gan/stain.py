"""Stain matching: give images of one source the colours of another (Reinhard et al., 2001).

"Color transfer between images", IEEE Computer Graphics and Applications 21(5), with the matrices of
the paper: RGB to the cone space LMS, its logarithm, and from there to the decorrelated axes l
(light), alpha (yellow to blue) and beta (red to green), where mean and deviation of each axis are
carried over. The logarithm makes the axes sums of optical densities, in which stains add up.

Mean and deviation are those of a source, not of a picture: what tells two cells of one source apart
stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOGETHER = 64
"""Images that are taken apart in one go, which keeps memory small."""
_LMS = np.array([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]])
_AXES = np.diag(1 / np.sqrt([3.0, 6.0, 2.0])) @ np.array(
    [[1.0, 1.0, 1.0], [1.0, 1.0, -2.0], [1.0, -1.0, 0.0]]
)


@dataclass(frozen=True, slots=True)
class Look:
    """Mean and standard deviation of l, alpha and beta over the pixels of some images."""

    mean: NDArray[np.float64]
    """Shape ``(3,)``, in powers of ten of light."""
    deviation: NDArray[np.float64]
    """Shape ``(3,)``."""


@dataclass(frozen=True, slots=True)
class Match:
    """Carries the look of one source over to another's."""

    source: Look
    target: Look

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Images ``(n, h, w, 3)``, RGB, with the target's look; what leaves the range is cut."""
        flat = self.source.deviation < 1e-9  # an axis without any change has none to scale
        scale = np.where(
            flat, 1.0, self.target.deviation / np.where(flat, 1, self.source.deviation)
        )
        matched = np.empty_like(pixels)
        for start in range(0, len(pixels), TOGETHER):
            part = slice(start, start + TOGETHER)
            moved = (axes(pixels[part]) - self.source.mean) * scale + self.target.mean
            matched[part] = np.clip(np.rint(colours(moved)), 0, 255).astype(np.uint8)
        return matched


def look(pixels: NDArray[np.uint8]) -> Look:
    """The look of images ``(n, h, w, 3)``, RGB, all pixels counted alike; n is at least 1."""
    sums, squares, count = np.zeros(3), np.zeros(3), 0
    for start in range(0, len(pixels), TOGETHER):
        values = axes(pixels[start : start + TOGETHER]).reshape(-1, 3)
        sums += values.sum(axis=0)
        squares += (values**2).sum(axis=0)
        count += len(values)
    mean = sums / count
    return Look(mean, np.sqrt(np.maximum(squares / count - mean**2, 0)))


def together(looks: Sequence[Look]) -> Look:
    """The look of several groups of images, each counted alike, however many images it has."""
    mean = np.mean([each.mean for each in looks], axis=0)
    spread = [each.deviation**2 + (each.mean - mean) ** 2 for each in looks]
    return Look(mean, np.sqrt(np.mean(spread, axis=0)))


def axes(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """RGB ``(..., 3)`` from 0 to 255 to l, alpha and beta; black is lifted to 1 of 256."""
    lms = ((pixels.astype(np.float64) + 1) / 256) @ _LMS.T
    return np.asarray(np.log10(lms) @ _AXES.T)


def colours(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """l, alpha and beta ``(..., 3)`` back to RGB; 0 to 255 where the colour can be shown."""
    lms = 10 ** np.minimum(values @ np.linalg.inv(_AXES).T, 3.0)
    return np.asarray(lms @ np.linalg.inv(_LMS).T * 256 - 1)
