"""What a run's models bear, and what they cannot do without (``leukreg stress``)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar

from annotated_types import Ge, Gt, Le

from leukreg import Finding, RunRecord, Score, percent, plugin, record
from leukreg_plugins.audits.finding import warning


def last_step(stress: record.Stress | None, name: str) -> record.StressStep | None:
    """The strongest step of a change; None where it was not measured."""
    changes = stress.changes if stress else ()
    return next((one.steps[-1] for one in changes if one.name == name and one.steps), None)


def balanced(scores: Iterable[Score]) -> Score | None:
    return next((one for one in scores if one.name == "balanced_accuracy"), None)


def chance(stress: record.Stress) -> float:
    """Balanced accuracy of always answering the same."""
    tested = [one for one in stress.scores if one.label is not None and one.value is not None]
    return 1 / max(1, len(tested))


def measured(run: RunRecord, name: str) -> tuple[record.StressStep, Score, Score, float] | None:
    """The strongest step of a change, balanced accuracy before and after it, and chance; None where
    something of it is unknown, or has no interval."""
    step = last_step(run.stress, name)
    if run.stress is None or step is None:
        return None
    before, after = balanced(run.stress.scores), balanced(step.scores)
    if before is None or after is None or None in (before.value, before.low, after.low):
        return None
    return step, before, after, chance(run.stress)


def in_words(one: Score) -> str:
    if one.value is None or one.low is None or one.high is None:
        return "undefined"
    return f"{percent(one.value)} (95 % interval {percent(one.low)} to {percent(one.high)})"


@plugin("centre-not-needed")
class CentreNotNeeded:
    """Answers that stay right when the middle of the pictures is masked.

    Where a picture shows one cell, the cell lies in its middle. A model that does without it reads
    the class from the ground, the neighbours or the border: from the slide, not from the cell. In
    pictures of whole fields, whose cells lie anywhere, it may well be right.

    Do: look at the pictures of `leukreg explain`; crop to the cell (`centre-crop`), and split by
    slide or patient.

    Reference: Geirhos et al., Shortcut learning in deep neural networks, Nature Machine
    Intelligence 2020.
    """

    needs: ClassVar[str] = "stress"
    kept: Annotated[float, Gt(0), Le(1)] = 0.5
    """Part of the balanced accuracy above chance that is kept, from which on it is told."""

    def build(self, run: RunRecord) -> Iterable[Finding]:
        found = measured(run, "centre masked")
        if found is None:
            return
        step, before, after, guess = found
        assert before.value is not None
        assert before.low is not None
        assert after.low is not None
        if before.low <= guess:
            return
        if after.low >= guess + self.kept * (before.value - guess):
            yield warning(
                self,
                f"with the middle masked ({step.said}) balanced accuracy is {in_words(after)},"
                f" without {percent(before.value)}, by chance {percent(guess)}",
            )


@plugin("stain-decides")
class StainDecides:
    """Answers no better than chance once the colours are those of another class.

    Only mean and deviation of R, G and B were moved, as they differ between the classes in training
    on average; every shape stayed as it was. So colour decides, and colour is what differs most
    between laboratories, scanners and days. Where a class is told by its stain, that is right, and
    still does not travel.

    Do: normalise the stain (`preprocessing`), vary it in training (`stain-jitter`), and test on
    slides of another laboratory.

    Reference: Tellez et al., Medical Image Analysis 2019.
    """

    needs: ClassVar[str] = "stress"
    excess: Annotated[float, Ge(0), Le(1)] = 0.0
    """How far above chance still counts as chance."""

    def build(self, run: RunRecord) -> Iterable[Finding]:
        found = measured(run, "stain of another class")
        if found is None:
            return
        step, before, after, guess = found
        lost = step.loss.low is not None and step.loss.low > 0
        assert before.low is not None
        assert after.low is not None
        if lost and before.low > guess + self.excess >= after.low:
            yield warning(
                self,
                f"with the colours of another class balanced accuracy is {in_words(after)}, with"
                f" their own {in_words(before)}, by chance {percent(guess)}",
            )
