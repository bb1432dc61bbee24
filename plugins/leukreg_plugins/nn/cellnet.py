"""A small residual network for single cells, and the loading of its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from leukreg import LeukregError, load_tensors
from leukreg_plugins.nn.timm_stages import Contract, StagedBackbone

WIDTHS = (32, 64, 128, 128)
"""Channels of the four stages; each but the first halves the side of the map."""
DEPTHS = (1, 2, 2, 1)
"""Residual blocks of the four stages."""


CONTRACT = Contract(mean=(0.875, 0.750, 0.722), std=(0.159, 0.182, 0.086))
"""Mean and deviation of the channels over Romanowsky-stained single cells, 0 to 1 scale."""
SIDE = 64
"""Pixels a side that every image is brought to for its features, as the network was trained."""


class Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut (He et al., 2016); ``stride`` shrinks the map."""

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or width_in != width:
            # Averaging before the 1x1 convolution loses no pixel (He et al., 2019, "ResNet-D").
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride, ceil_mode=True) if stride != 1 else nn.Identity(),
                nn.Conv2d(width_in, width, 1, bias=False),
                nn.BatchNorm2d(width),
            )

    def forward(self, maps: Tensor) -> Tensor:
        inner = torch.relu(self.norm1(self.conv1(maps)))
        return torch.relu(self.norm2(self.conv2(inner)) + self.shortcut(maps))


class CellNet(StagedBackbone):
    """From normalised images ``(b, 3, h, w)`` to maps ``(b, 128, h / 16, w / 16)``.

    1.0 million parameters. ``stages`` are named and in order.
    """

    def __init__(self) -> None:
        stages = nn.Sequential()
        stem = nn.Sequential(
            nn.Conv2d(3, WIDTHS[0], 3, 2, 1, bias=False), nn.BatchNorm2d(WIDTHS[0]), nn.ReLU()
        )
        stages.add_module("stem", stem)
        width_in = WIDTHS[0]
        for number, (width, depth) in enumerate(zip(WIDTHS, DEPTHS, strict=True), start=1):
            first = Residual(width_in, width, stride=1 if number == 1 else 2)
            rest = (Residual(width, width, stride=1) for _ in range(depth - 1))
            stages.add_module(f"stage{number}", nn.Sequential(first, *rest))
            width_in = width
        super().__init__(stages, WIDTHS[-1], CONTRACT)


def load_cellnet(path: Path) -> CellNet:
    """The network with the weights of a file (.safetensors, .pth).

    Raises:
        LeukregError: The file cannot be read, or is not of this network.
    """
    model = CellNet()
    try:
        if path.suffix == ".safetensors":
            model.load_state_dict(load_file(path))
        else:
            model.load_state_dict(cast("dict[str, Any]", load_tensors(path)))
    except Exception as error:  # torch, safetensors and pickle each raise their own
        reason = " ".join(str(error).split())[:300]
        raise LeukregError(f"the weights file {path} does not fit cellnet: {reason}") from error
    return model


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
    try:
        with safe_open(path, "pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise LeukregError(f"the weights file {path} cannot be read: {error}") from error
