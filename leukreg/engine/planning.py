"""What each phase will train, said before anything runs."""

from __future__ import annotations

from leukreg.engine.assembly import assemble
from leukreg.engine.classifier import Classifier
from leukreg.engine.device import compute_for, session
from leukreg.engine.outcome import PhasePlan
from leukreg.engine.unfreeze import chosen, trainable, unfreeze
from leukreg.errors import Problem, Problems
from leukreg.recipe.model import Recipe
from leukreg.types import Labels


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
    total = sum(parameter.numel() for parameter in model.parameters())
    for index, phase in enumerate(recipe.phases):
        try:
            names = chosen(model, phase.unfreeze)
        except ValueError as error:
            problems.append(_problem(recipe, index, str(error)))
            continue
        unfreeze(model, names)
        lr = phase.optimizer.options.get("lr")
        plans.append(
            PhasePlan(
                name=phase.name,
                trainable=trainable(model),
                unfrozen=names,
                total=total,
                epochs=phase.epochs,
                lr=float(lr) if isinstance(lr, int | float) else None,
            )
        )
        if len(plans) > 1 and plans[-2].unfrozen == names:
            problems.append(_problem(recipe, index, _nothing_new(recipe, index, names)))
    if problems:
        raise Problems(problems)
    return tuple(plans)


def _nothing_new(recipe: Recipe, index: int, names: tuple[str, ...]) -> str:
    before, phase = recipe.phases[index - 1], recipe.phases[index]
    layers = f"{len(names)} backbone layers" if names else "no backbone layer"
    return (
        f"unfreezes nothing new: with unfreeze = {phase.unfreeze!r} it trains {layers}, as phase "
        f"{before.name!r} before it does; join the two, or unfreeze more"
    )


def _problem(recipe: Recipe, index: int, message: str) -> Problem:
    text = f"phase {recipe.phases[index].name!r}: {message}"
    return recipe.problem(f"phase.{index}.unfreeze", text)
