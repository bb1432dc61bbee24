"""Made-up pictures that differ as photographs do, and an extractor of a few colours."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from leukreg import plugin
from leukreg.synthesis.extractor import OpenExtractor, opened


def pictures(n: int, size: int = 32, seed: int = 0, shade: float = 0.0) -> NDArray[np.uint8]:
    """Smooth clouds, each drawn anew: shape ``(n, size, size, 3)``; ``shade`` darkens them."""
    rng = np.random.default_rng(seed)
    clouds = gaussian_filter(rng.normal(size=(n, size, size, 3)), (0, size / 10, size / 10, 0))
    clouds /= clouds.std((1, 2), keepdims=True)
    return (150 - shade + 30 * clouds).clip(0, 255).astype(np.uint8)


class Grid(nn.Module):
    """Mean colours of 2 x 2 quarters; counts the images that went through."""

    dimensions = 12

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        self.seen += len(images)
        return torch.nn.functional.adaptive_avg_pool2d(images.float() / 64, 2).flatten(1)


@plugin("grid")
class GridPlugin:
    """The mean colours of four quarters."""

    digest: str = "0123456789abcdef"
    """Stands for weights."""

    def build(self) -> nn.Module:
        return Grid()

    def describe(self) -> dict[str, str]:
        return {"digest": self.digest}


def grid(digest: str = "0123456789abcdef") -> OpenExtractor:
    """An open extractor of 12 features."""
    return opened(GridPlugin(digest=digest))
