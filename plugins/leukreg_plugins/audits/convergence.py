"""What training did: phases, losses and accuracies over the epochs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from typing import Annotated

from annotated_types import Ge, Gt, Le

from leukreg import Finding, RunRecord, percent, plugin, rounded
from leukreg_plugins.audits.finding import found, option
from leukreg_plugins.audits.published_table import published


@plugin("idle-phase")
class IdlePhase:
    """A phase that changed no parameter.

    Its layers were frozen, its rate was zero or its best epoch came before it: what the recipe
    calls fine-tuning did not happen.

    Do: check what the phase unfreezes and its learning rate.
    """

    def build(self, evidence: RunRecord) -> Iterable[Finding]:
        for log in evidence.phases:
            if log.epochs > 0 and log.changed == 0:
                yield found(
                    self,
                    "error",
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

    def build(self, evidence: RunRecord) -> Iterable[Finding]:
        logs = sorted(evidence.epochs, key=lambda e: e.fold)
        first: list[int] = []
        for fold, course in itertools.groupby(logs, key=lambda e: e.fold):
            losses = [e.validation_loss for e in course if e.validation_loss is not None]
            if len(losses) < self.least:
                continue
            best = min(losses)
            first += [fold + 1] if losses[0] == best else []
            yield from self._said(f"fold {fold + 1}", None, best, losses[-1])
        if first:
            names = f"fold{'s' * (len(first) > 1)} {', '.join(map(str, first))}"
            yield found(self, "warning", f"{names}: the first epoch was the best")
        reported = published(evidence)
        if reported is not None:
            best_loss = reported.figure("best_validation_loss")
            last = reported.figure("final_validation_loss")
            values = [float(v) for v in (best_loss, last) if v is not None]
            pair = (values[0], values[1]) if len(values) == 2 else (None, None)
            yield from self._said("reported", reported.count("best_epoch"), *pair)

    def _said(
        self, who: str, epoch: int | None, best: float | None, last: float | None
    ) -> Iterable[Finding]:
        parts = ["the first epoch was the best"] if epoch == 1 else []
        if best is not None and last is not None and 0 < best * self.rise < last:
            parts.append(f"validation loss rose from {best:.4g} to {last:.4g}")
        if parts:
            yield found(self, "warning", f"{who}: {'; '.join(parts)}")


@plugin("below-chance")
class BelowChance:
    """Validation accuracy far under chance.

    Worse than guessing is not bad luck: labels are permuted, the validation rows are of a class
    that was not trained on, or the figure is not what its name says.

    Do: check the label order and what the validation rows hold.
    """

    share: Annotated[float, Gt(0), Le(1)] = 0.5
    """Part of chance (one over the classes) below which it is reported."""

    def build(self, evidence: RunRecord) -> Iterable[Finding]:
        classes = len(evidence.samples.classes)
        last = {
            e.fold: e.validation_accuracy
            for e in evidence.epochs
            if e.validation_accuracy is not None
        }
        best: dict[int, float] = {}
        for e in evidence.epochs:
            if e.validation_accuracy is not None:
                best[e.fold] = max(best.get(e.fold, 0.0), e.validation_accuracy)
        low = {fold: v for fold, v in last.items() if classes > 1 and v < self.share / classes}
        if low:
            fold = min(low, key=lambda name: low[name])
            yield self._said(self._who(len(low), len(last), fold), low[fold], classes, best[fold])
        reported = published(evidence)
        printed = reported.figure("validation_accuracy") if reported else None
        if reported and printed is not None and len(reported.classes) > 1:
            value = float(printed)
            if value < self.share / len(reported.classes):
                who = "reported: validation accuracy is"
                yield self._said(who, value, len(reported.classes), value)

    def _who(self, low: int, folds: int, lowest: int) -> str:
        end = "after the last epoch validation accuracy is"
        if folds == 1:
            return end
        where = f"in fold {lowest + 1}, the lowest, it is"
        return f"in {low} of {folds} folds {end} far under chance; {where}"

    def _said(self, who: str, value: float, classes: int, best: float) -> Finding:
        peak = f" (best epoch: {percent(best)})" if best > value else ""
        return found(
            self,
            "warning",
            f"{who} {percent(value)}{peak}, where guessing among {classes} classes gives"
            f" {percent(1 / classes)}",
        )


@plugin("chance-loss")
class ChanceLoss:
    """A best loss no better than that of uniform answers.

    Cross-entropy of one over k is ln k whatever the image: nothing was learned.

    Do: check that labels, images and learning rate belong together before changing the model.
    """

    share: Annotated[float, Gt(0), Le(1)] = 0.95
    """Part of ln k from which on a loss counts as chance."""

    def build(self, evidence: RunRecord) -> Iterable[Finding]:
        reported = published(evidence)
        printed = reported.figure("best_validation_loss") if reported else None
        if reported is not None and printed is not None and len(reported.classes) > 1:
            yield from self._said(
                "reported: best validation loss", float(printed), len(reported.classes)
            )
        losses = [e.validation_loss for e in evidence.epochs if e.validation_loss is not None]
        # Other losses than cross-entropy have other values at chance.
        plain = option(evidence.recipe, "loss", "use") == "cross-entropy"
        if (
            losses
            and plain
            and evidence.samples
            and not option(evidence.recipe, "loss", "smoothing")
        ):
            yield from self._said(
                "best validation loss", min(losses), len(evidence.samples.classes)
            )

    def _said(self, who: str, value: float, classes: int) -> Iterable[Finding]:
        chance = math.log(classes)
        if classes > 1 and value >= self.share * chance:
            better = "hardly" if value < chance else "no"
            yield found(
                self,
                "warning",
                f"{who} {rounded(value, 4)} is {better} better than the {rounded(chance, 4)} of"
                f" equal probabilities for {classes} classes, whatever the image",
            )


RULES: list[type] = [
    IdlePhase,
    NoBetterThanStart,
    BelowChance,
    ChanceLoss,
]
