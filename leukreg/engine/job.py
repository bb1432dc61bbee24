"""Everything that the phases of a fold share."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from leukreg.engine.batches import EpochBatches, epoch_batches, sampled_order
from leukreg.engine.checkpoint import Checkpoints
from leukreg.engine.classifier import Classifier
from leukreg.engine.feeds import Feeds, Material
from leukreg.progress import Progress
from leukreg.recipe.model import PhaseSpec, Recipe
from leukreg.seeds import derive


@dataclass(frozen=True, slots=True)
class FoldJob:
    """Everything that the phases of a fold share."""

    recipe: Recipe
    fold: int
    model: Classifier
    criterion: nn.Module
    material: Material
    keeper: Checkpoints
    progress: Progress

    def where(self, phase: PhaseSpec) -> str:
        """Fold and phase as people read them: folds are counted from 1, in files from 0."""
        return f"fold {self.fold + 1}, phase {phase.name!r}"

    def epoch_seed(self, phase: PhaseSpec, epoch: int) -> int:
        return derive(self.recipe.seed, "fold", self.fold, "phase", phase.name, "epoch", epoch)

    def epoch_batches(self, phase: PhaseSpec, feeds: Feeds, epoch: int) -> EpochBatches:
        """The training batches of an epoch: the same ones whenever they are asked for."""
        seed = self.epoch_seed(phase, epoch)
        rows, training = self.material.train, self.recipe.training
        sampler = self.recipe.sampler
        order = sampled_order(sampler, rows, rows.groups(), derive(seed, "sampler"))
        feed = feeds.train(derive(seed, "views"))
        return epoch_batches(order, rows, feed, training.batch_size, self.material.compute)
