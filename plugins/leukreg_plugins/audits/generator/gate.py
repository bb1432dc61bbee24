"""What was made of the gate's verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from leukreg import Evidence, Finding, plugin
from leukreg_plugins.audits.generator.facts import by_class, number, tables, texts
from leukreg_plugins.audits.told import found, plural, some
from leukreg_plugins.audits.views import is_real, option, rows_of


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
