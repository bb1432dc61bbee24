"""The trained models of a run, one per fold."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from leukreg.engine.device import Compute, compute_for, session
from leukreg.engine.outcome import MODEL
from leukreg.engine.predict import load_model
from leukreg.errors import NotAvailable, RunError
from leukreg.prepare import labels_of
from leukreg.recipe.model import Recipe
from leukreg.runs.listing import EVALUATED_FROM
from leukreg.types import RunResult

if TYPE_CHECKING:
    from leukreg.engine.classifier import Classifier


@dataclass(frozen=True, slots=True, eq=False)
class FoldModel:
    """A fold's trained model, in eval mode on its device."""

    fold: int
    model: Classifier
    compute: Compute


def model_paths(result: RunResult) -> tuple[Path, ...]:
    """The model file of every fold.

    Raises:
        RunError: The run has no models of its own, or they are gone; all missing files are named.
    """
    came_from = result.facts.get(EVALUATED_FROM)
    if came_from is not None:
        raise RunError(
            f"{result.folder}: is the evaluation of another run and holds no model; "
            f"take the run itself: {came_from.get('folder')}"
        )
    paths = tuple(result.folder / f"fold-{fold.index}" / MODEL for fold in result.folds)
    missing = [path for path in paths if not path.is_file()]
    if missing:
        named = "\n  ".join(map(str, missing))
        raise RunError(f"{result.folder}: the trained models are no longer there:\n  {named}")
    return paths


def load_models(result: RunResult, recipe: Recipe) -> tuple[FoldModel, ...]:
    """Every fold's model.

    Raises:
        RunError: A model is missing, damaged or does not fit the recipe.
        NotAvailable: A part of the model needs something that is not on this machine.
    """
    paths = model_paths(result)
    compute = compute_for(recipe.training)
    with session(compute):
        return tuple(
            FoldModel(fold.index, _load(recipe, result, fold.train, path, compute), compute)
            for fold, path in zip(result.folds, paths, strict=True)
        )


def _load(
    recipe: Recipe, result: RunResult, train: Sequence[int], path: Path, compute: Compute
) -> Classifier:
    labels = labels_of(recipe, result.samples, train)
    try:
        return load_model(recipe, labels, path, compute)
    except NotAvailable:
        # The weights it began with are not needed: all are in the file that training left.
        untrained = without_weights(recipe)
        if untrained is None:
            raise
        return load_model(untrained, labels, path, compute)


def without_weights(recipe: Recipe) -> Recipe | None:
    """The recipe with a backbone that starts from random weights; None where it has no choice."""
    choice = recipe.model.backbone
    if not hasattr(choice.plugin, "weights") or not dataclasses.is_dataclass(choice.plugin):
        return None
    plugin = replace(choice.plugin, weights="random")  # type: ignore[type-var]
    return replace(recipe, model=replace(recipe.model, backbone=replace(choice, plugin=plugin)))
