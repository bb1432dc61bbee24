"""What the phases of a fold share: model, loss, rows, and what is computed on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import nn

from leukreg.engine.assembly import Criterion, assemble
from leukreg.engine.bags import (
    LabelledBags,
    PatientLoss,
    build_aggregator,
    by_patient,
    class_labels,
    labelled_bags,
    patient_chain,
    require_each_class,
    width_of_cells,
)
from leukreg.engine.batches import Augment, Rows, checked, rows_of
from leukreg.engine.classifier import Classifier, Link
from leukreg.engine.device import Compute
from leukreg.engine.preprocessing import FITTED_ON, preprocessed
from leukreg.engine.unfreeze import PhasePlan, phase_plans
from leukreg.progress import Progress
from leukreg.recipe.model import PhaseSpec, Recipe
from leukreg.registry.kinds import Images
from leukreg.registry.plugin_call import breach, call
from leukreg.seeds import derive
from leukreg.types import EpochLog, Fold, Labels

EpochWatch = Callable[[Sequence[EpochLog]], None]
"""Told a fold's epochs so far after each; whatever it raises ends the training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldJob:
    """What the phases of a fold share."""

    recipe: Recipe
    fold: int
    """From 0."""
    labels: Labels
    """With the counts, and the class weights, of the training rows."""
    model: Classifier
    plans: tuple[PhasePlan, ...]
    criterion: Criterion
    train: Rows
    """With pixels as preprocessing leaves them, as those of validation."""
    validation: Rows | None
    train_bags: LabelledBags | None
    """The training patients, where a phase learns from these."""
    validation_bags: LabelledBags | None
    augment: Augment | None
    compute: Compute
    folder: Path
    progress: Progress
    watch: EpochWatch | None = None

    def where(self, phase: PhaseSpec) -> str:
        """Fold and phase as people read them: folds are counted from 1, in files from 0."""
        return f"fold {self.fold + 1}, phase {phase.name!r}"

    def chain(self, phase: PhaseSpec) -> list[Link]:
        """From images to the logits that a phase learns by: of cells, or with bags of a patient."""
        return self.model.chain() if phase.bags is None else patient_chain(self.model)

    def criterion_of(self, phase: PhaseSpec) -> Criterion | PatientLoss:
        """The loss of those logits."""
        return self.criterion if phase.bags is None else PatientLoss()

    def seed(self, phase: PhaseSpec, *what: str | int) -> int:
        return derive(self.recipe.seed, "fold", self.fold, "phase", phase.name, *what)


def setup_fold(
    recipe: Recipe,
    labels: Labels,
    images: Images,
    fold: Fold,
    compute: Compute,
    folder: Path,
    progress: Progress,
    fitted_on: int = FITTED_ON,
) -> FoldJob:
    """Build model, loss and augmentation, the model on its device with its first weights.

    Preprocessing is fitted on at most ``fitted_on`` training rows.

    Class counts, and class weights where the recipe has them, are taken from the fold's training
    rows, whatever ``labels`` says.

    Raises:
        PluginFault: A plugin fails or breaks its contract.
        Problems: A phase unfreezes nothing new.
    """
    labels = _weighted(recipe, labels, rows_of(images, fold.train, labels))
    model = assemble(recipe, labels)
    if recipe.preprocessing:
        with progress.task(f"fold {fold.index + 1}, fitting the preprocessing"):
            model.preprocessing.fit(images, fold.train, fitted_on)
    images = preprocessed(images, model.preprocessing)
    train = rows_of(images, fold.train, labels)
    validation = rows_of(images, fold.validation, labels) if fold.validation else None
    bags, held = None, None
    if any(phase.bags is not None for phase in recipe.phases):
        model.aggregator = _aggregator(recipe, model, labels, train, fold.index)
        bags, held = labelled_bags(train), labelled_bags(validation) if validation else None
    plans = phase_plans(recipe, model)
    model.to(compute.device)
    model.set_channels_last(compute.channels_last)
    criterion = Criterion(recipe.loss.loss, labels).to(compute.device)
    choice = recipe.augmentation
    augment = checked(call(choice, choice.plugin.build, recipe.image), choice) if choice else None
    return FoldJob(
        recipe=recipe,
        fold=fold.index,
        labels=labels,
        model=model,
        plans=plans,
        criterion=criterion,
        train=train,
        validation=validation,
        train_bags=bags,
        validation_bags=held,
        augment=augment,
        compute=compute,
        folder=folder,
        progress=progress,
    )


def _aggregator(
    recipe: Recipe, model: Classifier, labels: Labels, train: Rows, fold: int
) -> nn.Module:
    """A fresh one, for patients as the training rows have them."""
    samples = train.images.samples
    of_patients = class_labels(recipe, samples, by_patient(samples, train.rows.tolist()))
    require_each_class(of_patients, fold)
    return build_aggregator(recipe, of_patients, width_of_cells(labels, model)).module


def _weighted(recipe: Recipe, labels: Labels, train: Rows) -> Labels:
    """The labels with counts and class weights of these training rows."""
    counts = np.bincount(train.targets.numpy(), minlength=len(labels))
    labels = replace(labels, counts=tuple(int(count) for count in counts))
    choice = recipe.loss.class_weights
    if choice is None:
        return labels
    weights = call(choice, lambda: tuple(float(w) for w in choice.plugin.build(labels)))
    if len(weights) != len(labels) or not all(0 < w < float("inf") for w in weights):
        raise breach(
            choice,
            f" gives weights {weights} for {len(labels)} classes; "
            "it must give one positive figure per class",
        )
    return replace(labels, weights=weights)
