"""Which layers a phase trains, and the modes that follow from it."""

from __future__ import annotations

import math
from typing import Literal

from torch import nn

from leukreg.engine.classifier import Classifier


def layers(model: Classifier) -> list[str]:
    """The backbone's layers that own parameters directly, in their order in the stages."""
    return [
        name
        for name, module in model.backbone.named_modules()
        if name.startswith("stages.") and next(module.parameters(recurse=False), None) is not None
    ]


def chosen(model: Classifier, unfreeze: int | float | Literal["all"]) -> tuple[str, ...]:
    """The layers that ``unfreeze`` names (see :class:`leukreg.recipe.model.PhaseSpec`).

    Raises:
        ValueError: More stages are asked for than there are, or a share outside 0 to 1.
    """
    names = layers(model)
    if unfreeze == "all" or (isinstance(unfreeze, float) and unfreeze == 1):
        return tuple(names)
    if isinstance(unfreeze, float):
        if not 0 <= unfreeze <= 1:
            raise ValueError(f"unfreeze is {unfreeze}; a share lies between 0 and 1")
        count = math.ceil(round(unfreeze * len(names), 9))
        return tuple(names[len(names) - count :])
    stages = [name for name, _ in model.stages.named_children()]
    if not 0 <= unfreeze <= len(stages):
        raise ValueError(f"unfreeze is {unfreeze}; the backbone has {len(stages)} stages")
    last = set(stages[len(stages) - unfreeze :])
    return tuple(name for name in names if name.split(".")[1] in last)


def unfreeze(model: Classifier, names: tuple[str, ...]) -> None:
    """Let these backbone layers, the attention and the head train, and nothing else."""
    model.requires_grad_(False)
    model.attention.requires_grad_(True)
    model.head.requires_grad_(True)
    for name in names:
        for parameter in model.backbone.get_submodule(name).parameters(recurse=False):
            parameter.requires_grad_(True)


def train_mode(model: Classifier) -> None:
    """Put what trains into train mode and the frozen rest into eval mode.

    A layer with frozen parameters is in eval mode, batch norm included; a layer without any (such
    as dropout) follows the block it stands in.
    """
    model.eval()
    for stage in model.stages.children():
        _set_mode(stage, False)
    model.attention.train()
    model.head.train()


def _set_mode(module: nn.Module, above: bool) -> None:
    parameters = list(module.parameters())
    mode = any(p.requires_grad for p in parameters) if parameters else above
    own = list(module.parameters(recurse=False))
    if own and not any(p.requires_grad for p in own):
        module.training = False
    else:
        module.training = mode
    for child in module.children():
        _set_mode(child, mode)


def trainable(model: nn.Module) -> int:
    """Number of trainable scalar parameters."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def groups(model: Classifier) -> list[dict[str, object]]:
    """Parameter groups for the optimizer, named "backbone", "attention" and "head"."""
    found: list[dict[str, object]] = []
    for name in ("backbone", "attention", "head"):
        params = [p for p in model.get_submodule(name).parameters() if p.requires_grad]
        if params:
            found.append({"params": params, "name": name})
    return found


def touched(model: Classifier) -> list[str]:
    """Names in the state dict that training in the present modes may change."""
    names = []
    for prefix, module in model.named_modules():
        dot = f"{prefix}." if prefix else ""
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.requires_grad:
                names.append(dot + name)
        if module.training:
            names.extend(dot + name for name, _ in module.named_buffers(recurse=False))
    kept = model.state_dict().keys()
    return [name for name in names if name in kept]
