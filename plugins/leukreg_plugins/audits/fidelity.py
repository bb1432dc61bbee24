"""The figures of synthetic images, as a run keeps them in ``facts["fidelity"]``.

One table per class and fold, and one over the classes of a fold (a list of them, or a mapping by
name); all keys optional::

    class, fold                      what it is of; over several classes: classes, a list
    generator, snapshot              who made the images, and the digest of what was trained
    extractor, dimensions, size      what saw them ("cells@0123456789ab"), features, pixels a side
    real, fake                       images that distances are of
    held_against                     which real images: "validation rows", "training rows", ...
    fid, kid, kid_std, precision, recall, density, coverage
    floor_kid, floor_coverage, ...   the same between two halves of the real images
    kid_ratio                        kid as a multiple of floor_kid
    compared_with                    run, extractor, size, real, fake: what the same class's figures
                                     rest on in the last run that differs in synthesis alone
    copies, drawn                    images that copy a training image, of so many that were drawn
    told_apart                       share of right answers, real or fake, of a plain classifier
    fakes_only                       score, chance, low, high of training on fakes alone; real: of
                                     training on real images; pupil: who was trained
    unjudged                         why there are no distances, "" where there are
    passes_for                       class, kid_ratio: another class whose real images they are like
    passed, why                      whether the gate lets them pass, and what speaks against it
    entered                          how many of them entered training
    notes                            what a reader should know of the figures
    seconds                          time it took to measure
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, Lt

from leukreg import Evidence, Finding, percent, plugin
from leukreg_plugins.audits.finding import found, is_real, option, plural, rows_of, some


def tables(evidence: Evidence) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each table with what it is of."""
    kept = evidence.facts.get("fidelity")
    if isinstance(kept, Mapping) and kept and all(isinstance(v, Mapping) for v in kept.values()):
        yield from ((str(name), table) for name, table in kept.items())
    elif isinstance(kept, Mapping) and kept:
        yield _name(kept), kept
    elif isinstance(kept, Sequence) and not isinstance(kept, str):
        yield from ((_name(table), table) for table in kept if isinstance(table, Mapping))


def by_class(evidence: Evidence) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each table of a single class."""
    return ((name, table) for name, table in tables(evidence) if "class" in table)


def number(table: Mapping[str, Any], key: str) -> float | None:
    """A figure, or None where it is absent or no number."""
    value = table.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    return float(value)


def texts(table: Mapping[str, Any], key: str) -> list[str]:
    """Lines of text; empty where they are absent."""
    value = table.get(key)
    return [str(line) for line in value] if isinstance(value, list | tuple) else []


def _name(table: Mapping[str, Any]) -> str:
    fold = f" (fold {table['fold'] + 1})" if "fold" in table else ""
    return f"{table.get('class', 'synthetic images')}{fold}"


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

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        for name, table in tables(evidence):
            sizes = [n for n in (number(table, "real"), number(table, "fake")) if n is not None]
            features = number(table, "dimensions")
            fid = self.fid if features is None else 2 * features
            for distance, least in (("fid", fid), ("kid", self.kid)):
                if sizes and number(table, distance) is not None and min(sizes) < least:
                    yield found(
                        self,
                        "warning",
                        f"{name}: {distance.upper()} {number(table, distance):.4g} rests on"
                        f" {min(sizes):.0f} images; {least:,.0f} are needed",
                    )


@plugin("distances-differ")
class DistancesDiffer:
    """Distances that cannot be set beside those of the last run that differs in synthesis alone.

    A distance changes with the extractor, the image size and the number of images; a smaller one
    then says nothing of the generator.

    Do: compute both with the same extractor, image size and counts (`leukreg fidelity`).

    Reference: Parmar et al., On aliased resizing, CVPR 2022.
    """

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        for name, table in tables(evidence):
            other = table.get("compared_with")
            if not isinstance(other, Mapping):
                continue
            keys = ("extractor", "size", "real", "fake")
            differ = [
                f"{key} {table[key]} and {other[key]}"
                for key in keys
                if key in table and key in other and table[key] != other[key]
            ]
            if differ:
                beside = f"{name}: not to be compared with run {other.get('run')}"
                yield found(self, "note", f"{beside}: {', '.join(differ)}")


@plugin("low-coverage")
class LowCoverage:
    """Synthetic images that cover little of the real ones.

    A generator that repeats a few cells adds those few; the class's variety is missing.

    Do: train longer, on more images, or sample with less truncation.

    Reference: Naeem et al., Reliable fidelity and diversity metrics, ICML 2020.
    """

    least: Annotated[float, Gt(0), Le(1)] = 0.4
    """Coverage below which it is reported."""

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        for name, table in tables(evidence):
            value = number(table, "coverage")
            if value is not None and value < self.least:
                yield found(
                    self, "warning", f"{name}: the fakes cover {percent(value)} of the real images"
                )


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

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        for name, table in tables(evidence):
            ratio = number(table, "kid_ratio")
            if ratio is not None and ratio > self.most:
                kid, floor = number(table, "kid"), number(table, "floor_kid")
                both = "" if kid is None or floor is None else f" ({kid:.4g} against {floor:.4g})"
                yield found(self, "warning", f"{name}: KID is {ratio:.1f} times its floor{both}")


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


@plugin("failed-gate-trained")
class FailedGateTrained:
    """A classifier trained on synthetic images that failed the gate.

    They were found to copy, to lie far from real cells or to teach nothing, and a classifier was
    taught by them all the same: its figures are no evidence that synthesis helps.

    Do: let the gate leave them out (`fails = "leave-out"`), or mend the generator.
    """

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        for name, table in tables(evidence):
            entered = number(table, "entered")
            if table.get("passed") is False and entered:
                why = "; ".join(texts(table, "why")) or "no reason kept"
                text = plural(int(entered), "synthetic image")
                yield found(self, "error", f"{name}: {text} trained on that failed the gate: {why}")


@plugin("left-out-by-gate")
class LeftOutByGate:
    """Synthetic images that failed the gate and were left out of training.

    The run went on without them: whatever it shows, it does not show what they would have done.

    Do: look at the images and the figures, and mend the generator before trying again.
    """

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        for name, table in by_class(evidence):
            if "passed" in table and number(table, "entered") == 0:
                why = "; ".join(texts(table, "why")) or "they passed alone, not all together"
                yield found(self, "warning", f"{name}: left out of training: {why}")


@plugin("unmeasured-synthetic")
class UnmeasuredSynthetic:
    """Synthetic training images of which nothing was measured.

    Whether they are like real cells, copies of them, or the cells of another class under a new
    name is not known; the classifier was taught by them all the same.

    Do: switch the gate on (`[synthesis.gate]`), or run `leukreg fidelity` on the images.
    """

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        rows = rows_of(evidence)
        measured = {
            (table.get("class"), table.get("fold"))
            for _, table in by_class(evidence)
            if "passed" in table
        }
        counts: Counter[str] = Counter()
        for fold in evidence.folds:
            for row in (rows[r] for r in fold.train if not is_real(rows[r])):
                of = row.lineage.fold if row.lineage else None
                if not {(row.label, fold.index), (row.label, of)} & measured:
                    counts[row.label] += 1
        if counts:
            listed = ", ".join(f"{n:,} {label}" for label, n in counts.most_common(4))
            text = plural(sum(counts.values()), "synthetic training image")
            yield found(self, "warning", f"{text} never measured: {listed}")


@plugin("held-against-training")
class HeldAgainstTraining:
    """Synthetic images that were measured against the generator's own training images.

    A generator is nearest to what it was fitted on, so every distance is kinder than one to real
    images it has not seen.

    Do: give validation rows to the class, at least 20.

    Reference: Meehan et al., A three sample hypothesis test for generative models, AISTATS 2020.
    """

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        for name, table in tables(evidence):
            if "training" in str(table.get("held_against", "")) and "class" in table:
                real = number(table, "real") or 0
                which = f"{plural(int(real), 'image')} ({table['held_against']})"
                yield found(self, "note", f"{name}: measured against {which}")


@plugin("real-replaced")
class RealReplaced:
    """Real training images left out in favour of synthetic ones.

    It tells what the synthetic ones teach alone; it is no way to a better classifier, since the
    real images are there.

    Do: train on both (`mix = "add"`) for anything but that question.

    Reference: Ravuri and Vinyals, Classification accuracy score, NeurIPS 2019.
    """

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        if option(evidence.recipe, "synthesis", "mix") == "replace":
            classes = option(evidence.recipe, "synthesis", "classes") or ()
            text = f"{some(classes)} are learned from synthetic images alone"
            yield found(self, "warning", f"{text}: the real ones are left out of training")


RULES: list[type] = [
    TooFewForDistance,
    DistancesDiffer,
    LowCoverage,
    FarFromReal,
    FakesCopyTraining,
    ToldApart,
    FakesTeachNothing,
    GainIncludesZero,
    FailedGateTrained,
    LeftOutByGate,
    UnmeasuredSynthetic,
    HeldAgainstTraining,
    RealReplaced,
]
