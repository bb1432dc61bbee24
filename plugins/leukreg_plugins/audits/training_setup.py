"""How training was set up."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from annotated_types import Ge, Gt

from leukreg import Finding, RunRecord, plugin
from leukreg_plugins.audits.finding import brief, error, option, warning


@plugin("input-range")
class InputRange:
    """Input outside the range that the backbone was trained with.

    Dividing by 255 in front of a network that rescales by itself leaves nearly black images: the
    pre-trained features then answer to hardly anything. It costs accuracy without any error.

    Do: leave the scaling to the backbone's contract (`input = "contract"`).
    """

    least: Annotated[float, Gt(0)] = 0.2
    """Smallest part of the expected range that ordinary images fill."""
    beyond: Annotated[float, Ge(0)] = 0.02
    """Part of the expected range that input may lie outside it."""

    def build(self, run: RunRecord) -> Iterable[Finding]:
        folds = run.training.folds
        ranges = [fold.input_range for fold in folds if fold.input_range is not None]
        for low, high, least, most in ranges[:1]:
            width = most - least
            outside = max(least - low, high - most) > self.beyond * width
            if outside or high - low < self.least * width:
                saw = f"the network saw input from {low:.3g} to {high:.3g}"
                yield error(self, f"{saw}; its weights expect {least:.3g} to {most:.3g}")
        if not ranges and option(run.recipe, "model", "input") == "divided-twice":
            yield error(self, "the recipe divides by 255 before a network that rescales")


@plugin("fallback-taken")
class FallbackTaken:
    """Something else was used than the recipe asks for first.

    Rendered cells in place of real ones, another network or random weights in place of trained
    ones: the run shows that the line works, and its figures are not those of the experiment.

    Do: provide what is missing, or run with --strict.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for notice in run.notices:
            label = f" ({notice.label})" if notice.label else ""
            wanted = f"{notice.what}: {notice.used} in place of {notice.wanted}"
            yield warning(self, f"{wanted}{label}: {brief(notice.why)}")
        devices = [text for fold in run.training.folds for text in fold.device_fallbacks]
        for text in dict.fromkeys(devices):
            yield warning(self, f"training: {text}")


@plugin("learning-rate")
class LearningRate:
    """A realised learning rate that is not the recipe's.

    A schedule, a framework's default or a resumed state can replace the rate that the paper names.

    Do: look at the schedule, and report the realised rate.
    """

    tolerance: Annotated[float, Ge(0)] = 0.01
    """Relative difference that is let pass."""
    steady: tuple[str, ...] = ("constant", "plateau")
    """Schedules that begin at the recipe's rate; others may begin lower and never go above it."""

    def build(self, run: RunRecord) -> Iterable[Finding]:
        phases = option(run.recipe, "phase")
        uses = {p["name"]: option(p, "schedule", "use") for p in phases or () if "name" in p}
        for log in run.phases:
            if log.lr_asked <= 0:
                continue
            own = [e.lr for e in run.epochs if (e.fold, e.phase) == (log.fold, log.phase)]
            schedule = uses.get(log.phase)
            highest = max([log.lr_first, *(rate for rates in own for rate in rates)])
            above = highest > log.lr_asked * (1 + self.tolerance)
            late = log.lr_first < log.lr_asked * (1 - self.tolerance)
            if above or (late and (schedule is None or schedule in self.steady)):
                ran = f"ran at a learning rate of {highest if above else log.lr_first:.3g}"
                asked = f"the recipe asks for {log.lr_asked:.3g}"
                yield warning(self, f"phase {log.phase!r} (fold {log.fold + 1}) {ran}; {asked}")


@plugin("double-correction")
class DoubleCorrection:
    """Two corrections of class imbalance at once.

    Weighting a loss whose batches are balanced already counts the rare class twice over: it is
    over-called, and probabilities lose their meaning.

    Do: keep one of them.
    """

    samplers: tuple[str, ...] = ("class-balanced",)
    """Samplers that balance the classes."""
    losses: tuple[str, ...] = ("class-balanced",)
    """Losses that weigh the classes by themselves."""

    def build(self, run: RunRecord) -> Iterable[Finding]:
        recipe = run.recipe
        taken = []
        if weights := option(recipe, "loss", "class_weights", "use"):
            taken.append(f"class weights {weights!r}")
        loss = option(recipe, "loss", "use")
        if loss in self.losses:
            taken.append(f"loss {loss!r}")
        if loss == "focal" and option(recipe, "loss", "alpha") is not None:
            taken.append("focal loss with alpha")
        sampler = option(recipe, "sampler", "use")
        if sampler in self.samplers or option(recipe, "sampler", "within_class"):
            taken.append(f"sampler {sampler!r}")
        if len(taken) > 1:
            yield warning(self, f"imbalance is corrected {len(taken)} times: {', '.join(taken)}")


@plugin("mc-changed-batch-norm")
class McChangedBatchNorm:
    """Batch-norm statistics changed by MC dropout passes.

    Switching the whole network to training mode for dropout also lets batch norm learn from the
    test rows: the model that is scored is not the one that was trained.

    Do: switch on dropout layers only.

    Reference: Gal and Ghahramani, Dropout as a Bayesian approximation, ICML 2016.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        if any(fold.bn_changed_by_mc for fold in run.training.folds):
            yield error(self, "MC dropout passes changed the batch-norm statistics")


@plugin("nothing-to-drop")
class NothingToDrop:
    """MC dropout asked of a network without dropout.

    Every pass is then the same, and an uncertainty over the passes is zero whatever the image.

    Do: give the head a dropout above 0, or leave `mc_dropout` out.

    Reference: Gal and Ghahramani, Dropout as a Bayesian approximation, ICML 2016.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        if any(fold.mc_dropout_layers == 0 for fold in run.training.folds):
            passes = option(run.recipe, "evaluate", "mc_dropout", "passes")
            text = "the network has no layer that drops anything"
            yield warning(self, f"{text}: all {passes} passes of MC dropout are the same")
