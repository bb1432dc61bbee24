"""Sections of the report, each a plugin: verdict first, findings last."""

from __future__ import annotations

from collections.abc import Iterable

from leukreg import Finding, RunResult, Section, Table, plugin


@plugin("verdict")
class Verdict:
    """What came out, against what would come out without looking."""

    def build(self, result: RunResult) -> Iterable[Section]:
        from leukreg_plugins.reporting.verdict import verdict

        return [Section(title="Verdict", text=verdict(result), order=0)]


@plugin("per-class")
class PerClass:
    """Precision, recall, F1 and specificity of each class with intervals."""

    def build(self, result: RunResult) -> Iterable[Section]:
        from leukreg_plugins.reporting.figures import per_class, undefined_reasons

        text = undefined_reasons(result)
        return [Section(title="Each class", text=text, tables=(per_class(result),), order=10)]


@plugin("confusion")
class Confusion:
    """The confusion matrix: true classes down, answers across."""

    def build(self, result: RunResult) -> Iterable[Section]:
        from leukreg_plugins.reporting.figures import confusion

        return [Section(title="Confusion", tables=(confusion(result),), order=20)]


@plugin("whole")
class Whole:
    """The figures over all classes with intervals."""

    def build(self, result: RunResult) -> Iterable[Section]:
        from leukreg_plugins.reporting.figures import how_bounded, whole

        how = how_bounded(result)
        text = (how,) if how else ()
        return [Section(title="All classes together", text=text, tables=(whole(result),), order=30)]


@plugin("uncertainty")
class Uncertainty:
    """Whether wrong answers are the uncertain ones, under MC dropout."""

    def build(self, result: RunResult) -> Iterable[Section]:
        import numpy as np

        from leukreg_plugins.scoring.counts import decisions

        rows = result.predictions
        if len(rows) == 0 or not rows.mutual_information.any():
            return []
        right = decisions(rows) == rows.label
        lines = []
        for name, chosen in (("right", right), ("wrong", ~right)):
            if chosen.any():
                entropy = np.median(rows.uncertainty[chosen])
                shared = np.median(rows.mutual_information[chosen])
                cells = (f"{name} answers", f"{chosen.sum():,}", f"{entropy:.3f}", f"{shared:.4f}")
                lines.append(cells)
        columns = ("", "images", "entropy", "mutual information")
        table = Table(columns=columns, rows=tuple(lines), caption="Medians, in nats.")
        return [Section(title="Uncertainty (MC dropout)", tables=(table,), order=35)]


@plugin("reported")
class Reported:
    """Published figures beside those of the run."""

    def build(self, result: RunResult) -> Iterable[Section]:
        from leukreg_plugins.reporting import reported

        published = reported.reported(result)
        if not published:
            return []
        found = (reported.whole(result), reported.per_class(result), reported.confusion(result))
        tables = tuple(table for table in found if table is not None and table.rows)
        source = published.get("source") or published.get("title")
        text = (f"As reported by {source}.",) if source else ()
        return [Section(title="Reported and here", text=text, tables=tables, order=40)]


@plugin("training")
class Training:
    """What was trained, on what, how long, and why it ended."""

    def build(self, result: RunResult) -> Iterable[Section]:
        from leukreg_plugins.reporting.training import lines, phases

        tables = (phases(result),) if result.phases else ()
        return [Section(title="Training", text=tuple(lines(result)), tables=tables, order=60)]


@plugin("findings")
class Findings:
    """What the audit found, errors first."""

    def build(self, result: RunResult) -> Iterable[Section]:
        # Above the order of a section that failed: a report ends with its findings.
        if not result.findings:
            text = ("The audit found nothing.",)
            return [Section(title="Findings", text=text, order=100)]
        shown = [finding.lines() for finding in sorted(result.findings, key=self._rank)]
        rows = tuple((head, f"{first}\n{second}") for head, first, second in shown)
        table = Table(columns=("", ""), rows=rows)
        return [Section(title=self._title(result.findings), tables=(table,), order=100)]

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


REPORTS: list[type] = [
    Verdict,
    PerClass,
    Confusion,
    Whole,
    Uncertainty,
    Reported,
    Training,
    Findings,
]
