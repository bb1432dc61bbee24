"""Which layers a phase trains, and the modes that follow from it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from torch import nn

from leukreg.engine.assembly import assemble
from leukreg.engine.classifier import Classifier
from leukreg.engine.device import compute_for, session
from leukreg.errors import Problem, Problems
from leukreg.recipe.model import Recipe
from leukreg.types import Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class PhasePlan:
    """What a phase will train."""

    name: str
    trainable: int
    """Number of trainable scalar parameters."""
    unfrozen: tuple[str, ...]
    """Names of the backbone layers that train."""
    total: int
    """Number of scalar parameters of the whole model."""
    epochs: int
    lr: float | None
    """The optimizer's ``lr`` option, or None where it has none."""
    bags: int | None = None
    """Cells of a patient that a step is of, where it learns from patients."""


def plan(recipe: Recipe, labels: Labels) -> tuple[PhasePlan, ...]:
    """One plan per phase, in order.

    Raises:
        Problems: A phase trains exactly what the phase before it trained, or asks for more stages
            than there are.
        PluginError: A part of the model breaks its contract.
    """
    with session(compute_for(recipe.training)):
        return phase_plans(recipe, assemble(recipe, labels))


def phase_plans(recipe: Recipe, model: Classifier) -> tuple[PhasePlan, ...]:
    """The plans for a model that is already there; leaves the last phase's layers unfrozen."""
    plans: list[PhasePlan] = []
    problems: list[Problem] = []

    def refuse(index: int, message: str) -> None:
        text = f"phase {recipe.phases[index].name!r}: {message}"
        problems.append(recipe.problem(f"phase.{index}.unfreeze", text))

    for index, phase in enumerate(recipe.phases):
        try:
            names = chosen(model, phase.unfreeze)
        except ValueError as error:
            refuse(index, str(error))
            continue
        of_patients = phase.bags is not None
        before = (plans[-1].unfrozen, plans[-1].bags is not None) if plans else None
        if before == (names, of_patients):
            trains = f"{len(names)} backbone layers" if names else "no backbone layer"
            refuse(
                index,
                f"unfreezes nothing new: with unfreeze = {phase.unfreeze!r} it trains {trains}, as "
                f"phase {plans[-1].name!r} before it does; join the two, or unfreeze more",
            )
        unfreeze(model, names, of_patients)
        lr = phase.optimizer.options.get("lr")
        plans.append(
            PhasePlan(
                name=phase.name,
                trainable=trainable(model),
                unfrozen=names,
                total=sum(parameter.numel() for parameter in model.parameters()),
                epochs=phase.epochs,
                lr=float(lr) if isinstance(lr, int | float) else None,
                bags=phase.bags,
            )
        )
    if problems:
        raise Problems(problems)
    return tuple(plans)


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


def unfreeze(model: Classifier, names: Iterable[str], of_patients: bool = False) -> None:
    """Let these backbone layers, the attention and the head train, and nothing else.

    With ``of_patients`` it is the aggregator, where there is one yet, in place of the head.
    """
    model.requires_grad_(False)
    model.attention.requires_grad_(True)
    if (learner := model.aggregator if of_patients else model.head) is not None:
        learner.requires_grad_(True)
    for name in names:
        for parameter in model.backbone.get_submodule(name).parameters(recurse=False):
            parameter.requires_grad_(True)


def train_mode(model: Classifier, of_patients: bool = False) -> None:
    """Put what trains into train mode and the frozen rest into eval mode.

    A layer with frozen parameters is in eval mode, batch norm included; a layer without any (such
    as dropout) follows the block it stands in. With ``of_patients`` batch norm keeps its statistics
    everywhere: a batch is of one patient, perhaps of one cell, and what is made of a cell must not
    depend on the patient's others.
    """
    model.eval()
    for stage in model.stages.children():
        _set_mode(stage, False)
    model.attention.train()
    if (learner := model.aggregator if of_patients else model.head) is not None:
        learner.train()
    for part in model.modules() if of_patients else ():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.eval()


def _set_mode(module: nn.Module, above: bool) -> None:
    parameters = list(module.parameters())
    mode = any(p.requires_grad for p in parameters) if parameters else above
    own = list(module.parameters(recurse=False))
    module.training = any(p.requires_grad for p in own) if own else mode
    for child in module.children():
        _set_mode(child, mode)


def trainable(model: nn.Module) -> int:
    """Number of trainable scalar parameters."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def groups(model: Classifier, layer_decay: float | None = None) -> list[dict[str, object]]:
    """Parameter groups for the optimizer, named "backbone", "attention", "head", "aggregator".

    With ``layer_decay`` each stage of the backbone is one, such as "backbone.stages.layer4", and
    all say at what ``scale`` of the optimizer's learning rate they train.
    """
    behind = dict.fromkeys(("attention", "head", "aggregator"), 1.0)
    scales = {"backbone": 1.0} | behind
    if layer_decay is not None:
        stages = [name for name, _ in model.stages.named_children()]
        decays = [layer_decay ** (len(stages) - number) for number in range(len(stages))]
        own = (f"backbone.stages.{name}" for name in stages)
        scales = dict(zip(own, decays, strict=True)) | behind
    found: list[dict[str, object]] = []
    for name, scale in scales.items():
        named = model.named_parameters()
        params = [p for key, p in named if key.startswith(f"{name}.") and p.requires_grad]
        if params:
            more = {} if layer_decay is None else {"scale": scale}
            found.append({"params": params, "name": name, **more})
    return found


def touched(model: Classifier) -> set[str]:
    """Names in the state dict that training in the present modes may change, or has fitted."""
    names = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    for prefix, module in model.named_modules():
        if module.training:
            buffers = module.named_buffers(prefix, recurse=False)
            names.update(name for name, _ in buffers)
    state = model.state_dict().keys()
    return names & state | {name for name in state if name.startswith("preprocessing.")}
