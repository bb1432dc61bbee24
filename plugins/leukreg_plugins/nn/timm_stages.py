"""timm's networks as ordered stages: running these one after the other is the forward pass.

timm's convolutional networks register their parts in the order in which they run, but not every
network does. So the parts are run one after the other on a probe picture and compared with the
network itself; what does not agree is not cut. Vision Transformers are cut at their blocks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from leukreg import LeukregError
from leukreg_plugins.pretrained_weights import Convert, create

PROBE_SIZES = (64, 56)
"""Pixels a side of the pictures on which a cut into stages is tried; patches of 14 px fill the
second."""
UNUSED = ("fc_norm", "attn_pool", "head", "head_dist")
"""What a Vision Transformer has behind its last tokens, where a head of the recipe stands here."""


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


class Tokens(nn.Module):
    """What a Vision Transformer does before its first block.

    Images ``(b, 3, h, w)`` become tokens ``(b, n, c)``, one a patch, to which their places are
    added: embeddings that timm interpolates to the size of the image. Class and register tokens
    stand before them.
    """

    def __init__(self, model: nn.Module) -> None:
        """Of a model whose blocks and last norm have been taken out."""
        super().__init__()
        self.model = model
        self.patch = int(cast(Any, model).patch_embed.feat_ratio())

    def forward(self, images: Tensor) -> Tensor:
        """Raises LeukregError where the patches do not fill the image."""
        height, width = images.shape[-2:]
        if height % self.patch or width % self.patch:
            below = width // self.patch * self.patch
            sizes = " or ".join(str(side) for side in (below, below + self.patch) if side)
            raise LeukregError(
                f"images of {width} px are not filled by patches of {self.patch} px; "
                f"image.size = {sizes} would be"
            )
        return cast(Tensor, cast(Any, self.model).forward_features(images))


class PatchMap(nn.Module):
    """Tokens ``(b, n, c)`` to the map ``(b, c, h', w')`` of those that are patches."""

    def __init__(self, prefix: int) -> None:
        super().__init__()
        self.prefix = prefix

    def forward(self, tokens: Tensor) -> Tensor:
        return _as_map(tokens[:, self.prefix :])


def staged(
    name: str, weights: Path | None, convert: Convert | None = None, **options: Any
) -> StagedBackbone:
    """timm's model ``name`` without its classifier, cut into stages.

    Args:
        name: ``architecture`` or ``architecture.tag`` as timm knows it.
        weights: A file of its weights, or None for random ones from torch's seed.
        convert: What brings the file's tensors under timm's names, where they have others.
        options: What timm is told besides.

    Raises:
        LeukregError: The file does not fit the model, or the model gives no feature map.
    """
    model = create(name, weights, convert, **options).eval()
    config = cast(Any, model).pretrained_cfg
    contract = Contract(tuple(config["mean"]), tuple(config["std"]))
    if (stages := transformer_stages(model)) is not None:
        return StagedBackbone(stages, int(cast(Any, model).num_features), contract).train()
    probe, features = _probe(name, model, config)
    stages = None
    if features.ndim == 4 and features.shape[1] == cast(Any, model).num_features:
        stages = cut(model, probe, features)
    if stages is None:
        stages = nn.Sequential()
        stages.add_module("features", Whole(model))
    with torch.no_grad():
        maps = stages(probe)
    if maps.ndim != 4:
        raise LeukregError(f"timm's {name} gives no feature map but {tuple(maps.shape)}")
    return StagedBackbone(stages, maps.shape[1], contract).train()


def transformer_stages(model: nn.Module) -> nn.Sequential | None:
    """What makes tokens, then one stage a block, the last of which gives the map of the patches.

    None for what is no Vision Transformer of timm's, or passes more than tokens from block to block
    (as rotary embeddings are passed).
    """
    from timm.models.vision_transformer import VisionTransformer

    own = getattr(type(model), "forward_features", None)
    if own is not VisionTransformer.forward_features:
        return None
    parts: Any = model
    blocks, norm, prefix = list(parts.blocks), parts.norm, int(parts.num_prefix_tokens)
    parts.blocks, parts.norm = nn.Sequential(), nn.Identity()
    for name in UNUSED:
        if isinstance(getattr(parts, name, None), nn.Module):
            setattr(parts, name, nn.Identity())
    blocks[-1] = nn.Sequential(blocks[-1], norm, PatchMap(prefix))
    stages = nn.Sequential()
    stages.add_module("stem", Tokens(model))
    for number, block in enumerate(blocks):
        stages.add_module(f"blocks{number}", block)
    return stages


@torch.no_grad()
def _probe(name: str, model: nn.Module, config: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """A small picture that the model takes, and what the model makes of it."""
    forward = getattr(model, "forward_features", None)
    if forward is None:
        raise LeukregError(f"timm's {name} gives no feature map; choose an image classifier")
    own_size = tuple(config["input_size"])
    reason = ""
    for size in (*((3, side, side) for side in PROBE_SIZES), own_size):
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


def _as_map(tokens: Tensor) -> Tensor:
    """Tokens ``(b, n, c)`` as a map ``(b, c, side, side)``, or ``(b, c, n, 1)`` if not square."""
    batch, count, channels = tokens.shape
    side = math.isqrt(count)
    shape = (side, side) if side * side == count else (count, 1)
    return tokens.transpose(1, 2).reshape(batch, channels, *shape)


@torch.no_grad()
def cut(model: nn.Module, probe: Tensor, features: Tensor) -> nn.Sequential | None:
    """The parts of ``model`` up to its last feature map, grouped into named stages.

    Args:
        model: A network in eval mode.
        probe: A picture, shape ``(1, 3, h, w)``.
        features: What the network makes of it, shape ``(1, c, h', w')``.

    Returns:
        The stages, or None where running the parts in their order is not the network.
    """
    owns_tensors = next(model.parameters(recurse=False), None) is not None
    if owns_tensors or not bool(features.isfinite().all()) or float(features.std()) == 0.0:
        return None  # a position embedding, or nothing that could tell two networks apart
    parts = _run_until(model, probe, features)
    return _grouped(parts) if parts else None


def _run_until(model: nn.Module, probe: Tensor, features: Tensor) -> list[tuple[str, nn.Module]]:
    """Parts in order, up to the last one after which ``features`` have been reached."""
    parts: list[tuple[str, nn.Module]] = []
    reached: list[tuple[str, nn.Module]] = []
    value = probe
    for name, child in model.named_children():
        before = value.shape[-1]
        try:
            value = child(value.clone())
        except Exception:  # a head that wants another shape: the end of what can be run in order
            break
        if not isinstance(value, Tensor) or value.ndim != 4:
            break
        parts += _opened(name, child, shrinks=value.shape[-1] * 4 <= before)
        if value.shape == features.shape and torch.allclose(value, features, rtol=1e-4, atol=1e-6):
            reached = [*parts]
    return reached


def _opened(name: str, child: nn.Module, shrinks: bool) -> Iterator[tuple[str, nn.Module]]:
    """A sequence that halves the picture more than once holds stages; anything else is a part."""
    if not (isinstance(child, nn.Sequential) and shrinks):
        yield name, child
        return
    for inner, module in child.named_children():
        yield (f"{name}{inner}" if inner.isdigit() else inner), module


def _grouped(parts: list[tuple[str, nn.Module]]) -> nn.Sequential:
    """Parts without weights join the stage before; what precedes the first block is the stem."""
    stages: list[tuple[str, list[nn.Module]]] = []
    stem_ends = next((i for i, (_, part) in enumerate(parts) if _weight_layers(part) > 1), 0)
    for index, (name, part) in enumerate(parts):
        if isinstance(part, nn.Identity):
            continue
        opens = _weight_layers(part) > 0 and index >= stem_ends
        if not stages or (opens and any(_weight_layers(module) for module in stages[-1][1])):
            stages.append((name if stages else "stem", []))
        stages[-1][1].append(part)
    grouped = nn.Sequential()
    for name, modules in stages:
        grouped.add_module(name, modules[0] if len(modules) == 1 else nn.Sequential(*modules))
    return grouped


def _weight_layers(part: nn.Module) -> int:
    return sum(isinstance(module, nn.Conv2d | nn.Linear) for module in part.modules())
