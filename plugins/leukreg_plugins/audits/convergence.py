"""What training did: phases, losses and accuracies over the epochs."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Annotated

from annotated_types import Ge, Gt, Le

from leukreg import Finding, RunRecord, percent, plugin, rounded
from leukreg_plugins.audits.finding import error, option, warning
from leukreg_plugins.audits.published_table import published


@plugin("idle-phase")
class IdlePhase:
    """A phase that changed no parameter.

    Its layers were frozen, its rate was zero or its best epoch came before it: what the recipe
    calls fine-tuning did not happen.

    Do: check what the phase unfreezes and its learning rate.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for log in run.phases:
            if log.epochs > 0 and log.changed == 0:
                yield error(
                    self,
                    f"phase {log.phase!r} (fold {log.fold + 1}) changed no parameter in"
                    f" {log.epochs} epochs ({log.trainable:,} were trainable)",
                )


@plugin("no-better-than-start")
class NoBetterThanStart:
    """The first epoch was the best, or the loss rose well above its best.

    From then on the model fitted the training rows only; a longer run does not help.

    Do: lower the learning rate, train fewer layers, or get more images.
    """

    least: Annotated[int, Ge(2)] = 3
    """Epochs with a validation loss that are needed to say so."""
    rise: Annotated[float, Gt(1)] = 1.5
    """Last loss as a multiple of the best that is reported."""

    def build(self, run: RunRecord) -> Iterable[Finding]:
        logs = sorted(run.epochs, key=lambda e: e.fold)
        first: list[int] = []
        # Losses of patients and of images are no course of one figure.
        for (fold, _), course in itertools.groupby(logs, key=lambda e: (e.fold, e.of_patients)):
            losses = [e.validation_loss for e in course if e.validation_loss is not None]
            if len(losses) < self.least:
                continue
            best = min(losses)
            first += [fold + 1] if losses[0] == best and fold + 1 not in first else []
            for rose in self._rose(best, losses[-1]):
                yield warning(self, f"fold {fold + 1}: {rose}")
        if first:
            names = f"fold{'s' * (len(first) > 1)} {', '.join(map(str, first))}"
            yield warning(self, f"{names}: the first epoch was the best")
        for reported in published(run):
            parts = ["the first epoch was the best"] if reported.count("best_epoch") == 1 else []
            lowest, last = (
                reported.known(f"{which}_validation_loss") for which in ("best", "final")
            )
            if lowest is not None and last is not None:
                parts += self._rose(float(lowest), float(last))
            if parts:
                yield warning(self, f"{reported.who}: {'; '.join(parts)}")

    def _rose(self, best: float, last: float) -> Iterator[str]:
        if 0 < best * self.rise < last:
            yield f"validation loss rose from {best:.4g} to {last:.4g}"


@plugin("below-chance")
class BelowChance:
    """Validation accuracy far under chance.

    Worse than guessing is not bad luck: labels are permuted, the validation rows are of a class
    that was not trained on, or the figure is not what its name says.

    Do: check the label order and what the validation rows hold.
    """

    share: Annotated[float, Gt(0), Le(1)] = 0.5
    """Part of chance (one over the classes) below which it is reported."""

    def build(self, run: RunRecord) -> Iterable[Finding]:
        classes, folds = len(run.samples.classes), defaultdict[int, list[float]](list)
        for epoch in run.epochs:
            if epoch.validation_accuracy is not None and not epoch.of_patients:
                folds[epoch.fold].append(epoch.validation_accuracy)
        low = [f for f, v in folds.items() if classes > 1 and v[-1] < self.share / classes]
        if low:
            worst = min(low, key=lambda fold: folds[fold][-1])
            who = "after the last epoch validation accuracy is"
            if len(folds) > 1:
                where = f"in fold {worst + 1}, the lowest, it is"
                who = f"in {len(low)} of {len(folds)} folds {who} far under chance; {where}"
            yield self._said(who, folds[worst][-1], classes, max(folds[worst]))
        for reported in published(run):
            printed, classes = reported.known("validation_accuracy"), len(reported.classes)
            if printed is not None and classes > 1 and float(printed) < self.share / classes:
                who = f"{reported.who}: validation accuracy is"
                yield self._said(who, float(printed), classes, float(printed))

    def _said(self, who: str, value: float, classes: int, best: float) -> Finding:
        peak = f" (best epoch: {percent(best)})" if best > value else ""
        chance = f"guessing among {classes} classes gives {percent(1 / classes)}"
        return warning(self, f"{who} {percent(value)}{peak}, where {chance}")


@plugin("chance-loss")
class ChanceLoss:
    """A best loss no better than that of uniform answers.

    Cross-entropy of one over k is ln k whatever the image: nothing was learned.

    Do: check that labels, images and learning rate belong together before changing the model.
    """

    share: Annotated[float, Gt(0), Le(1)] = 0.95
    """Part of ln k from which on a loss counts as chance."""

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for reported in published(run):
            printed, classes = reported.known("best_validation_loss"), len(reported.classes)
            if printed is not None and classes > 1:
                who = f"{reported.who}: best validation loss"
                yield from self._said(who, float(printed), classes)
        losses = run.validation_losses
        # Other losses than cross-entropy have other values at chance.
        plain = option(run.recipe, "loss", "use") == "cross-entropy"
        if losses and plain and run.samples and not option(run.recipe, "loss", "smoothing"):
            yield from self._said("best validation loss", min(losses), len(run.samples.classes))

    def _said(self, who: str, value: float, classes: int) -> Iterable[Finding]:
        chance = math.log(classes)
        if classes > 1 and value >= self.share * chance:
            better = "hardly" if value < chance else "no"
            yield warning(
                self,
                f"{who} {rounded(value, 4)} is {better} better than the {rounded(chance, 4)} of"
                f" equal probabilities for {classes} classes, whatever the image",
            )
