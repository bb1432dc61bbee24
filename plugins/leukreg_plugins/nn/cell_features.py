"""Features of single cells: the pooled last map of the small network."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from leukreg import LeukregError
from leukreg_plugins.nn.cellnet import CellNet

SIDE = 64
"""Pixels a side that every image is brought to, as the network was trained."""


class CellFeatures(nn.Module):
    """From uint8 images ``(b, 3, h, w)`` to features ``(b, 128)``."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: CellNet) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.dimensions = network.channels
        for name in ("mean", "std"):
            figures = 255 * torch.tensor(getattr(network.contract, name)).view(1, 3, 1, 1)
            self.register_buffer(name, figures, persistent=False)
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        pixels = images.float()
        if images.shape[-2:] != (SIDE, SIDE):
            pixels = nn.functional.interpolate(
                pixels, (SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False
            )
        maps = self.network((pixels - self.mean) / self.std)
        return cast(Tensor, maps.mean((2, 3)))


def read_metadata(path: Path) -> dict[str, str]:
    """What a safetensors file says of itself; nothing for other files.

    Raises:
        LeukregError: It is no safetensors file.
    """
    if path.suffix != ".safetensors":
        return {}
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise LeukregError(f"the weights file {path} cannot be read: {error}") from error
