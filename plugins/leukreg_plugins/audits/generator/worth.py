"""What synthetic images are worth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated

from annotated_types import Ge, Gt, Lt

from leukreg import Evidence, Finding, percent, plugin
from leukreg_plugins.audits.generator.facts import number, tables
from leukreg_plugins.audits.told import found


@plugin("fakes-copy-training")
class FakesCopyTraining:
    """Fakes that copy training images.

    A copy adds no variety, and carries a patient's cell on where it was not meant to go.

    Do: train with more images or stronger augmentation; drop the copies.

    Reference: Meehan et al., A three sample hypothesis test for generative models, AISTATS 2020.
    """

    share: Annotated[float, Ge(0), Lt(1)] = 0.01
    """Part of the fakes that may be near copies."""

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        for name, table in tables(evidence):
            copies = number(table, "copies")
            fakes = number(table, "drawn") or number(table, "fake")
            if copies and fakes and copies > self.share * fakes:
                yield found(
                    self,
                    "error",
                    f"{name}: {copies:.0f} of {fakes:.0f} fakes ({percent(copies / fakes)}) copy"
                    " training images",
                )


@plugin("told-apart")
class ToldApart:
    """Real and fake images that are told apart too easily.

    A classifier finds the same difference, and learns "generated" in place of the class.

    Do: find what gives the fakes away (noise, borders, colour) before training on them.

    Reference: Lopez-Paz and Oquab, Revisiting classifier two-sample tests, ICLR 2017.
    """

    most: Annotated[float, Gt(0.5), Lt(1)] = 0.9
    """Share of right answers of the real-or-fake classifier that is let pass; 0.5 is ideal."""

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        for name, table in tables(evidence):
            value = number(table, "told_apart")
            if value is not None and value > self.most:
                yield found(
                    self,
                    "warning",
                    f"{name}: a plain classifier tells {percent(value)} of real and synthetic"
                    " images apart; 50 % would be ideal",
                )


@plugin("fakes-teach-nothing")
class FakesTeachNothing:
    """A training-on-fakes score no better than chance.

    A model trained on the fakes alone cannot tell real classes apart: the fakes do not carry them.

    Do: leave them out, or condition the generator better.

    Reference: Ravuri and Vinyals, Classification accuracy score, NeurIPS 2019.
    """

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        for name, table in tables(evidence):
            figures = table.get("fakes_only")
            if not isinstance(figures, Mapping):
                continue
            score, chance = number(figures, "score"), number(figures, "chance")
            low = number(figures, "low")
            if score is None or chance is None:
                continue
            if (score if low is None else low) <= chance:
                spread = "" if low is None else f" (95 % interval from {low:.3f})"
                yield found(
                    self,
                    "warning",
                    f"{name}: trained on fakes alone, {score:.3f}{spread} where"
                    f" chance is {chance:.3f}",
                )


@plugin("gain-includes-zero")
class GainIncludesZero:
    """A gain from synthetic images whose interval includes zero.

    What may be nothing is not a gain. It is set against the last run beside this one that differs
    in nothing but synthesis, on the images that both scored.

    Do: repeat with other seeds, or say that no gain was shown.
    """

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        gain = evidence.facts.get("gain")
        if not isinstance(gain, Mapping):
            return
        value, low, high = (number(gain, key) for key in ("value", "low", "high"))
        if value is not None and low is not None and high is not None and low <= 0 <= high:
            points = f"{100 * value:+.1f} points (95 % interval {100 * low:+.1f} to"
            yield found(
                self,
                "warning",
                f"synthetic images changed the accuracy by {points} {100 * high:+.1f}), which may"
                f" be nothing: run {gain.get('with')} against run {gain.get('without')}",
            )
