"""Sections of the report, each a plugin: verdict first, findings last."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from leukreg import Finding, RunRecord, Section, Table, plugin


@plugin("verdict")
class Verdict:
    """What came out, against what would come out without looking."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        from leukreg_plugins.reporting.verdict import verdict

        return [Section(title="Verdict", text=verdict(result), order=0)]


@plugin("per-class")
class PerClassReport:
    """Precision, recall, F1 and specificity of each class with intervals."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        from leukreg_plugins.reporting import score_figures
        from leukreg_plugins.reporting.score_tables import per_class, undefined_reasons

        return [
            Section(
                title="Each class",
                text=undefined_reasons(result),
                tables=(per_class(result),),
                order=10,
                page=24,
                figure=partial(score_figures.per_class, result),
                caption="Figures of each class with their 95 % intervals.",
            )
        ]


@plugin("confusion")
class Confusion:
    """The confusion matrix: true classes down, answers across."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        from leukreg_plugins.reporting import score_figures
        from leukreg_plugins.reporting.score_tables import confusion

        return [
            Section(
                title="Confusion",
                tables=(confusion(result),),
                order=20,
                page=30,
                figure=partial(score_figures.confusion, result),
                caption="Images by true class and answer; the darker a cell, the larger its share "
                "of the true class. Framed: right answers.",
            )
        ]


@plugin("whole")
class WholeReport:
    """The figures over all classes with intervals."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        from leukreg_plugins.reporting import score_figures
        from leukreg_plugins.reporting.score_tables import how_bounded, whole

        how = how_bounded(result)
        return [
            Section(
                title="All classes together",
                text=(how,) if how else (),
                tables=(whole(result),),
                order=30,
                page=20,
                figure=partial(score_figures.overall, result),
                caption="Figures over all classes with their 95 % intervals. Dotted: beside the "
                "accuracy, always answering the most frequent class; beside the balanced accuracy, "
                "the strongest guess without a look at the cells.",
            )
        ]


@plugin("each-fold")
class EachFold:
    """Figures, threshold, temperature and best epochs of each fold, with their spread."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        from leukreg_plugins.reporting.folds import sections

        return sections(result)


@plugin("how-scored")
class HowScored:
    """What was chosen between predictions and figures: positive class, threshold, epoch."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        mark = "! " if result.positive and not result.positive.stated else ""
        lines = [f"{what[:1].upper()}{what[1:]}: {said}." for what, said in result.choices]
        text = (mark + lines[0], *lines[1:])
        return [Section(title="How it was scored", text=text, order=32, page=22)]


@plugin("uncertainty")
class Uncertainty:
    """Whether wrong answers are the uncertain ones, under MC dropout or test-time augmentation."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        from leukreg_plugins.reporting.uncertainty import spread

        return spread(result)


@plugin("calibration")
class Calibration:
    """Raw and calibrated probabilities side by side, and the temperatures."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        from leukreg_plugins.reporting.uncertainty import calibration

        return calibration(result)


@plugin("prediction-sets")
class PredictionSets:
    """Coverage and size of the conformal sets, in all and for each class."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        from leukreg_plugins.reporting.uncertainty import sets

        return sets(result)


@plugin("reported")
class Reported:
    """Published figures beside those of the run."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        from leukreg_plugins.reporting import reported

        published = reported.reported(result)
        if not published:
            return []
        found = (reported.whole(result), reported.per_class(result), reported.confusion(result))
        tables = tuple(table for table in found if table is not None and table.rows)
        source = published.get("source") or published.get("title")
        text = (f"As reported by {source}.",) if source else ()
        return [Section(title="Reported and here", text=text, tables=tables, order=40, page=26)]


@plugin("elsewhere")
class Elsewhere:
    """A run's models on other images, beside the figures of the run itself."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        from leukreg_plugins.reporting import external_validation

        origin = result.evaluated_from
        if origin is None:
            return []
        text, table = (
            tuple(external_validation.lines(result, origin)),
            external_validation.table(origin),
        )
        return [Section(title="Against the original", text=text, tables=(table,), order=5, page=7)]


@plugin("changed-images")
class StressReport:
    """Figures on changed test images, the worst change first."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        from leukreg_plugins.reporting import stress_curves

        stress = result.stress
        if stress is None or not stress.changes:
            return
        yield Section(
            title="Changed images",
            text=tuple(stress_curves.lines(stress)),
            tables=(stress_curves.table(stress),),
            figure=partial(stress_curves.figure, stress),
            caption="Balanced accuracy and accuracy with 95 % bands, step by step, the worst "
            "change first; in grey, the sensitivity of each class. 0: as they are.",
            order=45,
            page=42,
        )
        yield Section(
            title="Changed images, step by step",
            tables=(stress_curves.steps_table(stress),),
            order=46,
            page=43,
            console=False,
        )


@plugin("synthetic-cells")
class SyntheticCells:
    """What the gate measured of synthetic images, and which of them were trained on."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        from leukreg_plugins.reporting import synthetic_images

        text, table = tuple(synthetic_images.lines(result)), synthetic_images.table(result)
        if not text and table is None:
            return []
        tables = (table,) if table is not None else ()
        return [Section(title="Synthetic images", text=text, tables=tables, order=55, page=70)]


@plugin("preprocessed")
class Preprocessing:
    """What every image went through before the network, and some before and after."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        from leukreg_plugins.reporting import preprocessing

        text, pictures = tuple(preprocessing.lines(result)), preprocessing.pictures(result)
        if not text:
            return []
        title = "Preprocessing"
        return [Section(title=title, text=text, pictures=pictures, order=58, page=12)]


@plugin("training")
class Training:
    """What was trained, on what, how long, and why it ended."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        from leukreg_plugins.reporting import learning_curves
        from leukreg_plugins.reporting.learning_curves import lines, phases

        return [
            Section(
                title="Training",
                text=tuple(lines(result)),
                tables=(phases(result),) if result.phases else (),
                order=60,
                page=50,
                figure=partial(learning_curves.figure, result) if result.epochs else None,
                caption="Losses and accuracy by epoch; a line for each fold, phases parted by "
                "upright lines.",
            )
        ]


@plugin("findings")
class Findings:
    """What the audit found, errors first."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        # Above the order of a section that failed: a report ends with its findings.
        if not result.findings:
            text = ("The audit found nothing.",)
            return [Section(title="Findings", text=text, order=100, page=5)]
        shown = [finding.lines() for finding in sorted(result.findings, key=self._rank)]
        rows = tuple((head, f"{first}\n{second}") for head, first, second in shown)
        table = Table(columns=("", ""), rows=rows)
        title = self._title(result.findings)
        return [Section(title=title, tables=(table,), order=100, page=5)]

    def _rank(self, finding: Finding) -> tuple[bool, int]:
        return finding.waived is not None, ("error", "warning", "note").index(finding.severity)

    def _title(self, findings: tuple[Finding, ...]) -> str:
        counts = []
        for name in ("error", "warning", "note"):
            n = sum(f.severity == name and f.waived is None for f in findings)
            counts += [f"{n} {name}{'' if n == 1 else 's'}"] if n else []
        waived = sum(f.waived is not None for f in findings)
        counts += [f"{waived} waived"] if waived else []
        return f"Findings: {', '.join(counts)}"
