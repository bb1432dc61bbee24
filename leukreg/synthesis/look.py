"""Real images as an extractor sees them: looked at once, then remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from leukreg.contracts import Images
from leukreg.progress import SILENT, Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leukreg.synthesis.extractors import OpenExtractor

    Pixels = NDArray[np.uint8]
    Features = NDArray[np.float32]

BYTES = 128 * 2**20
"""Pixels that are held at their full size at once."""
SMALL = 64
"""Pixels a side of what is kept of each image; copies are looked for at 16."""


def known_features(eye: OpenExtractor, pixels: Pixels, progress: Progress = SILENT) -> Features:
    """Features of real images ``(n, size, size, 3)``, from the cache where they are known."""
    from leukreg.synthesis.features import FeatureCache, image_digests

    cache = FeatureCache(eye, pixels.shape[1])
    return cache.features(pixels, image_digests(pixels), progress)


def all_of(
    images: Images, size: int, eye: OpenExtractor, progress: Progress = SILENT
) -> tuple[Pixels, Features]:
    """All images, shrunk, and their features; read in parts, since they may be large."""
    step = max(1, BYTES // (3 * size**2))
    small, features = [], []
    for start in range(0, len(images), step):
        part = images.pixels(range(start, min(start + step, len(images))))
        features.append(known_features(eye, part, progress))
        small.append(shrunk(part))
    return np.concatenate(small), np.concatenate(features)


def shrunk(pixels: Pixels) -> Pixels:
    """Images of at most :data:`SMALL` pixels a side, averaged over areas."""
    import torch

    if pixels.shape[1] <= SMALL:
        return pixels
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
    made = torch.nn.functional.adaptive_avg_pool2d(images, SMALL).round().byte()
    return np.ascontiguousarray(made.permute(0, 2, 3, 1).numpy())
