"""Cut a network into stages and make sure that the stages, in order, are the network.

timm's convolutional networks register their parts in the order in which they run, but not every
network does. So the parts are run one after the other on a probe picture and compared with the
network itself; what does not agree is not cut.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn


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
        if same(value, features):
            reached = [*parts]
    return reached


def same(one: Tensor, other: Tensor) -> bool:
    """Equal up to rounding."""
    return one.shape == other.shape and torch.allclose(one, other, rtol=1e-4, atol=1e-6)


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
