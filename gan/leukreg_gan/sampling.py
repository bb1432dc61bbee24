"""Images out of a trained generator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOGETHER = 256
"""Images made in one pass."""


def noise_for(seeds: Sequence[int], latent: int, truncation: float = 1.0) -> Tensor:
    """Standard normal noise times ``truncation``, one line of ``latent`` figures for each seed.

    An image's noise follows from its own seed alone, the same on every device, so that the image
    can be made again without the others (to the rounding of a grey value).
    """
    rows = [np.random.default_rng(seed).standard_normal(latent, np.float32) for seed in seeds]
    return torch.from_numpy(np.array(rows, np.float32).reshape(-1, latent) * np.float32(truncation))


@torch.no_grad()
def made_images(
    generator: nn.Module, noise: Tensor, conditions: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Images ``(n, size, size, 3)`` of noise ``(n, latent)`` and condition vectors ``(n, d)``.

    The generator must be in eval mode: each image then depends on its own noise alone.
    """
    device = next(generator.parameters()).device
    told = torch.from_numpy(np.ascontiguousarray(conditions))
    parts = []
    for start in range(0, len(noise), TOGETHER):
        part = slice(start, start + TOGETHER)
        images = generator(noise[part].to(device), told[part].to(device)).float()
        grey = images.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
        parts.append(grey.permute(0, 2, 3, 1).cpu().numpy())
    return np.ascontiguousarray(np.concatenate(parts))
