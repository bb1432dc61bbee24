"""Whose fault it is that a training step failed."""

from __future__ import annotations

import traceback
from collections.abc import Sequence

from torch import nn

from leukreg.engine.classifier import Classifier
from leukreg.errors import LeukregError, PluginFault, TrainingError
from leukreg.recipe.model import PhaseSpec, Recipe
from leukreg.registry.plugin_call import (
    Choice,
    failed,
    is_outer,
    module_of,
    named,
    out_of_memory,
    place_of,
)

Part = tuple[Choice, nn.Module | None]
"""A chosen plugin, and the module that it built, where it builds one."""


def parts_of(recipe: Recipe, model: Classifier, phase: PhaseSpec) -> list[Part]:
    """The plugins whose code runs in a training step, besides those that are called by name."""
    spec = recipe.model
    pairs: list[tuple[Choice | None, nn.Module | None]] = [
        (spec.backbone, model.backbone),
        (spec.attention, model.attention),
        (spec.head, model.head),
        (phase.schedule, None),
    ]
    return [(choice, module) for choice, module in pairs if choice is not None]


def in_training(where: str, error: Exception, parts: Sequence[Part]) -> LeukregError:
    """What to raise for an error of a training step; ``where`` says which step.

    A plugin is blamed only where its own code stands in the traceback: networks of a library fail
    for reasons that lie in the recipe.
    """
    text = f"{where}: {type(error).__name__}: {error}"
    if out_of_memory(error):
        return TrainingError(f"{text}. A smaller training.batch_size or image.size needs less")
    if "more than 1 value per channel" in str(error):
        return TrainingError(f"{text}. Batch norm needs training.batch_size = 2 or more")
    suspects = [] if is_outer(error) else _suspects(error, parts)
    if not suspects:
        return TrainingError(text)
    who = " or ".join(named(choice) for choice in suspects)
    fault = failed(f"{where}: {who} failed", suspects[0].plugin, error)
    return PluginFault(fault, suspects[0].owner)


def _suspects(error: Exception, parts: Sequence[Part]) -> list[Choice]:
    """The plugins whose own code raised: one where the failing module is known to be its own."""
    mine = [
        (choice, module) for choice, module in parts if place_of(error, module_of(choice.plugin))
    ]
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        owner = frame.f_locals.get("self")
        for choice, module in mine:
            if module is not None and any(each is owner for each in module.modules()):
                return [choice]
    return [choice for choice, _ in mine]
