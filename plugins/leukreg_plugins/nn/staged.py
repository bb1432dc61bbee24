"""timm's networks as ordered stages: running them one after the other is the forward pass."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from leukreg import LeukregError
from leukreg_plugins.nn.cut import cut
from leukreg_plugins.nn.timm_weights import create

PROBE_SIZE = 64
"""Pixels a side of the picture on which a cut into stages is tried."""


@dataclass(frozen=True, slots=True)
class Contract:
    """What the network expects: channels R, G, B on the 0 to 1 scale, less mean, over std."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class StagedBackbone(nn.Module):
    """A network from images ``(b, 3, h, w)`` to its last feature map ``(b, channels, h', w')``.

    ``stages`` are named and in order; one after the other they are the whole forward pass.
    """

    def __init__(self, stages: nn.Sequential, channels: int, contract: Contract) -> None:
        super().__init__()
        self.stages = stages
        self.channels = channels
        self.contract = contract

    def forward(self, images: Tensor) -> Tensor:
        return cast(Tensor, self.stages(images))


class Whole(nn.Module):
    """A timm network in one piece; tokens and channels-last maps come out as ``(b, c, h', w')``."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.prefix = int(getattr(model, "num_prefix_tokens", 0))
        self.channels = int(cast(Any, model).num_features)

    def forward(self, images: Tensor) -> Tensor:
        features = cast(Tensor, cast(Any, self.model).forward_features(images))
        if features.ndim == 3:
            return _as_map(features[:, self.prefix :])
        if features.ndim == 4 and features.shape[1] != self.channels == features.shape[3]:
            return features.permute(0, 3, 1, 2)
        return features


def staged(name: str, weights: Path | None) -> StagedBackbone:
    """timm's model ``name`` without its classifier, cut into stages.

    Args:
        name: ``architecture`` or ``architecture.tag`` as timm knows it.
        weights: A file of its weights, or None for random ones from torch's seed.

    Raises:
        LeukregError: The file does not fit the model, or the model gives no feature map.
    """
    model = create(name, weights).eval()
    config = cast(Any, model).pretrained_cfg
    probe, features = _probe(name, model, config)
    stages = None
    if features.ndim == 4 and features.shape[1] == cast(Any, model).num_features:
        stages = cut(model, probe, features)
    if stages is None:
        stages = nn.Sequential()
        stages.add_module("features", Whole(model))
    channels = _channels(name, stages, probe)
    contract = Contract(tuple(config["mean"]), tuple(config["std"]))
    return StagedBackbone(stages, channels, contract).train()


@torch.no_grad()
def _probe(name: str, model: nn.Module, config: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """A small picture that the model takes, and what the model makes of it."""
    forward = getattr(model, "forward_features", None)
    if forward is None:
        raise LeukregError(f"timm's {name} gives no feature map; choose an image classifier")
    own_size = tuple(config["input_size"])
    reason = ""
    for size in ((3, PROBE_SIZE, PROBE_SIZE), own_size):
        probe = torch.linspace(-2, 2, math.prod(size)).sin().reshape(1, *size)
        try:
            features = forward(probe)
        except Exception as error:  # too small for this architecture, in the words of any layer
            reason = str(error)
            continue
        if isinstance(features, Tensor) and features.ndim in (3, 4):
            return probe, features
        reason = "It returns something else."
    raise LeukregError(f"timm's {name} gives no feature map of an image {own_size}. {reason}")


@torch.no_grad()
def _channels(name: str, stages: nn.Sequential, probe: Tensor) -> int:
    features = stages(probe)
    if features.ndim != 4:
        raise LeukregError(f"timm's {name} gives no feature map but {tuple(features.shape)}")
    return int(features.shape[1])


def _as_map(tokens: Tensor) -> Tensor:
    """Tokens ``(b, n, c)`` as a map ``(b, c, side, side)``, or ``(b, c, n, 1)`` if not square."""
    batch, count, channels = tokens.shape
    side = math.isqrt(count)
    shape = (side, side) if side * side == count else (count, 1)
    return tokens.transpose(1, 2).reshape(batch, channels, *shape)
