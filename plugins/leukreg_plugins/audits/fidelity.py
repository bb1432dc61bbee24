"""What the gate measured of synthetic images, and what was made of its verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt

from leukreg import Finding, RunRecord, percent, plugin, record
from leukreg_plugins.audits.finding import counted, error, is_real, note, option, some, warning


def tables(run: RunRecord) -> Iterator[tuple[str, record.GateFigures]]:
    """What was measured, with what it is of."""
    for table in run.synthesis.fidelity:
        fold = "" if table.fold is None else f" (fold {table.fold + 1})"
        yield f"{table.label or 'synthetic images'}{fold}", table


@plugin("too-few-for-distance")
class TooFewForDistance:
    """Too few images for the distance that is reported.

    FID is biased upwards with few images, more so than most differences between generators; KID is
    unbiased but scatters.

    Do: use more images, or report KID with its spread.

    Reference: Binkowski et al., Demystifying MMD GANs, ICLR 2018.
    """

    fid: Annotated[int, Ge(2)] = 2048
    """Images on either side that an FID needs, where its number of features is not known; else
    twice as many as there are features."""
    kid: Annotated[int, Ge(2)] = 100
    """Images on either side that a KID needs."""

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for name, table in tables(run):
            sizes = [n for n in (table.real, table.fake) if n is not None]
            fid = self.fid if table.dimensions is None else 2 * table.dimensions
            for distance, value, least in (("FID", table.fid, fid), ("KID", table.kid, self.kid)):
                if sizes and value is not None and min(sizes) < least:
                    text = f"{name}: {distance} {value:.4g} rests on {min(sizes)} images"
                    yield warning(self, f"{text}; {least:,} are needed")


@plugin("distances-differ")
class DistancesDiffer:
    """Distances that cannot be set beside those of the last run that differs in synthesis alone.

    A distance changes with the extractor, the image size and the number of images; a smaller one
    then says nothing of the generator.

    Do: compute both with the same extractor, image size and counts (`leukreg fidelity`).

    Reference: Parmar et al., On aliased resizing, CVPR 2022.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for name, table in tables(run):
            other = table.compared_with
            keys = ("extractor", "size", "real", "fake") if other else ()
            both = [(key, getattr(table, key), getattr(other, key)) for key in keys]
            differ = [f"{k} {a} and {b}" for k, a, b in both if None not in (a, b) and a != b]
            if other and differ:
                beside = f"{name}: not to be compared with run {other.run}"
                yield note(self, f"{beside}: {', '.join(differ)}")


@plugin("low-coverage")
class LowCoverage:
    """Synthetic images that cover little of the real ones.

    A generator that repeats a few cells adds those few; the class's variety is missing.

    Do: train longer, on more images, or sample with less truncation.

    Reference: Naeem et al., Reliable fidelity and diversity metrics, ICML 2020.
    """

    least: Annotated[float, Gt(0), Le(1)] = 0.4
    """Coverage below which it is reported."""

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for name, table in tables(run):
            if table.coverage is not None and table.coverage < self.least:
                text = f"{name}: the fakes cover {percent(table.coverage)} of the real images"
                yield warning(self, text)


@plugin("far-from-real")
class FarFromReal:
    """Synthetic images much farther from the real ones than these are from each other.

    The floor is the distance between two halves of the real images: what a perfect generator would
    reach. A classifier that is taught by images far above it learns something else than the class.

    Do: train the generator longer or on more images, or leave its images out.

    Reference: Binkowski et al., Demystifying MMD GANs, ICLR 2018.
    """

    most: Annotated[float, Gt(1)] = 10.0
    """KID, as a multiple of its floor, above which it is reported."""

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for name, table in tables(run):
            ratio = table.kid_ratio
            if ratio is not None and ratio > self.most:
                kid, floor = table.kid, table.floor_kid
                both = "" if kid is None or floor is None else f" ({kid:.4g} against {floor:.4g})"
                yield warning(self, f"{name}: KID is {ratio:.1f} times its floor{both}")


@plugin("fakes-copy-training")
class FakesCopyTraining:
    """Fakes that copy training images.

    A copy adds no variety, and carries a patient's cell on where it was not meant to go.

    Do: train with more images or stronger augmentation; drop the copies.

    Reference: Meehan et al., A three sample hypothesis test for generative models, AISTATS 2020.
    """

    share: Annotated[float, Ge(0), Lt(1)] = 0.01
    """Part of the fakes that may be near duplicates."""

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for name, table in tables(run):
            copies, fakes = table.copies, table.drawn or table.fake
            if copies and fakes and copies > self.share * fakes:
                part = f"{copies} of {fakes} fakes ({percent(copies / fakes)})"
                yield error(self, f"{name}: {part} copy training images")


@plugin("told-apart")
class ToldApart:
    """Real and fake images that are told apart too easily.

    A classifier finds the same difference, and learns "generated" in place of the class.

    Do: find what gives the fakes away (noise, borders, colour) before training on them.

    Reference: Lopez-Paz and Oquab, Revisiting classifier two-sample tests, ICLR 2017.
    """

    most: Annotated[float, Gt(0.5), Lt(1)] = 0.9
    """Share of right answers of the real-or-fake classifier that is let pass; 0.5 is ideal."""

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for name, table in tables(run):
            value = table.told_apart
            if value is not None and value > self.most:
                text = f"{name}: a plain classifier tells {percent(value)} of real and synthetic"
                yield warning(self, f"{text} images apart; 50 % would be ideal")


@plugin("fakes-teach-nothing")
class FakesTeachNothing:
    """A training-on-fakes score no better than chance.

    A model trained on the fakes alone cannot tell real classes apart: the fakes do not carry them.

    Do: leave them out, or condition the generator better.

    Reference: Ravuri and Vinyals, Classification accuracy score, NeurIPS 2019.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for name, table in tables(run):
            figures = table.fakes_only
            if figures is None:
                continue
            score, low, chance = figures.score, figures.low, figures.chance
            if (score if low is None else low) <= chance:
                spread = "" if low is None else f" (95 % interval from {low:.3f})"
                text = f"{name}: trained on fakes alone, {score:.3f}{spread}"
                yield warning(self, f"{text} where chance is {chance:.3f}")


@plugin("gain-includes-zero")
class GainIncludesZero:
    """A gain from synthetic images whose interval includes zero.

    What may be nothing is not a gain. It is set against the last run beside this one that differs
    in nothing but synthesis, on the images that both scored.

    Do: repeat with other seeds, or say that no gain was shown.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        gain = run.synthesis.gain
        if gain is None or gain.low is None or gain.high is None:
            return
        if gain.low <= 0 <= gain.high:
            interval = f"95 % interval {100 * gain.low:+.1f} to {100 * gain.high:+.1f}"
            yield warning(
                self,
                f"synthetic images changed the accuracy by {100 * gain.value:+.1f} points"
                f" ({interval}), which may be nothing: run {gain.taught} against run"
                f" {gain.untaught}",
            )


@plugin("failed-gate-trained")
class FailedGateTrained:
    """A classifier trained on synthetic images that failed the gate.

    They were found to copy, to lie far from real cells or to teach nothing, and a classifier was
    taught by them all the same: its figures are no evidence that synthesis helps.

    Do: let the gate leave them out (`fails = "leave-out"`), or mend the generator.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for name, table in tables(run):
            if table.passed is False and table.entered:
                why = "; ".join(table.why) or "no reason kept"
                text = counted(table.entered, "synthetic image")
                yield error(self, f"{name}: {text} trained on that failed the gate: {why}")


@plugin("left-out-by-gate")
class LeftOutByGate:
    """Synthetic images that failed the gate and were left out of training.

    The run went on without them: whatever it shows, it does not show what they would have done.

    Do: look at the images and the figures, and mend the generator before trying again.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for name, table in tables(run):
            if table.label is not None and table.passed is not None and table.entered == 0:
                why = "; ".join(table.why) or "they passed alone, not all together"
                yield warning(self, f"{name}: left out of training: {why}")


@plugin("unmeasured-synthetic")
class UnmeasuredSynthetic:
    """Synthetic training images of which nothing was measured.

    Whether they are like real cells, copies of them, or the cells of another class under a new
    name is not known; the classifier was taught by them all the same.

    Do: switch the gate on (`[synthesis.gate]`), or run `leukreg fidelity` on the images.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        rows = run.samples.rows
        measured = {
            (table.label, table.fold)
            for _, table in tables(run)
            if table.label is not None and table.passed is not None
        }
        counts: Counter[str] = Counter()
        for fold in run.folds:
            for row in (rows[r] for r in fold.train if not is_real(rows[r])):
                of = row.lineage.fold if row.lineage else None
                if not {(row.label, fold.index), (row.label, of)} & measured:
                    counts[row.label] += 1
        if counts:
            listed = ", ".join(f"{n:,} {label}" for label, n in counts.most_common(4))
            text = counted(sum(counts.values()), "synthetic training image")
            yield warning(self, f"{text} never measured: {listed}")


@plugin("held-against-training")
class HeldAgainstTraining:
    """Synthetic images that were measured against the generator's own training images.

    A generator is nearest to what it was fitted on, so every distance is kinder than one to real
    images it has not seen.

    Do: give validation rows to the class, at least 20.

    Reference: Meehan et al., A three sample hypothesis test for generative models, AISTATS 2020.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        for name, table in tables(run):
            if "training" in table.held_against and table.label is not None:
                which = f"{counted(table.real or 0, 'image')} ({table.held_against})"
                yield note(self, f"{name}: measured against {which}")


@plugin("real-replaced")
class RealReplaced:
    """Real training images left out in favour of synthetic ones.

    It tells what the synthetic ones teach alone; it is no way to a better classifier, since the
    real images are there.

    Do: train on both (`mix = "add"`) for anything but that question.

    Reference: Ravuri and Vinyals, Classification accuracy score, NeurIPS 2019.
    """

    def build(self, run: RunRecord) -> Iterable[Finding]:
        if option(run.recipe, "synthesis", "mix") == "replace":
            classes = option(run.recipe, "synthesis", "classes") or ()
            text = f"{some(classes)} are learned from synthetic images alone"
            yield warning(self, f"{text}: the real ones are left out of training")
