"""Published results side by side: what was reported, and what it can mean.

Figures and arithmetic only, in the same words for everyone, by data set and year, never by rank.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from leukreg.audit.figures import said
from leukreg.audit.published_register import KeptVerdict, PublishedResult
from leukreg.audit.published_table import Reported
from leukreg.section import Section, Table
from leukreg.text import counted, percent, percents

FIRST = ("accuracy", "balanced_accuracy", "f1", "auc")
"""Figures that are shown before others."""
NOT_STATED = "not stated"
HOW_TO_READ = (
    "Each line is a published table, quoted with its source, and what arithmetic says of its own"
    " figures. Nothing was run again, and nothing is ranked.",
    '"Consistent": some confusion matrix prints these figures; it does not say that they are'
    ' right. "Consistent as ...": they are, when read so. "Impossible": no matrix prints them in'
    ' any of the readings tried. "Not checkable": too little is printed to tell.',
    "The interval is Wilson's 95 % of a share of that many independent rows; images of one patient"
    " are not independent, so the true one is wider. The baseline is the share of the largest"
    " class. Both need what the quoted part of the source states.",
    "Authors may answer; the answer stands here, unshortened (CONTRIBUTING.md says how).",
)


def published_sections(results: Sequence[PublishedResult]) -> tuple[Section, ...]:
    """The page of a register, section by section."""
    listed = sorted(results, key=_by_data_set)
    return (
        Section(title="How to read this page", text=HOW_TO_READ),
        Section(title="In short", tables=(_summary(listed),)),
        Section(title="Reported figures and what they can mean", tables=(_figures(listed),)),
        Section(title="Verdicts in full", tables=(_verdicts(listed),)),
        Section(title="Sources", tables=(_sources(listed),)),
        Section(title="Answers of the authors", text=_answers(listed)),
    )


def published_table(results: Sequence[PublishedResult]) -> Table:
    """One line for each table of figures, for a console."""
    return Table(
        columns=("published", "model", "year", "data set", "figure", "test", "split", "verdict"),
        rows=tuple(
            (
                result.name,
                reported.name,
                str(result.source.year or ""),
                reported.dataset,
                _printed(reported)[0],
                f"{n:,}" if (n := reported.test_total()) else "",
                reported.split,
                says(verdict),
            )
            for result in results
            for reported, verdict in result.rows()
        ),
    )


def says(verdict: KeptVerdict | None) -> str:
    """The verdict in a few words."""
    return verdict.says if verdict else "not audited yet"


def interval(reported: Reported) -> tuple[float, float] | None:
    """Wilson's 95 % interval of the accuracy, where test rows are counted and it is no mean."""
    accuracy, rows = reported.known("accuracy"), reported.test_total()
    averaged = any(reported.count(each) for each in ("folds", "runs"))
    if accuracy is None or not rows or averaged:
        return None
    from scipy.stats import binomtest

    right = min(rows, max(0, round(float(accuracy) * rows)))
    bounds = binomtest(right, rows).proportion_ci(method="wilson")
    return float(bounds.low), float(bounds.high)


def baseline(reported: Reported) -> float | None:
    """Share of the largest class of the test, else of the data set; None where it is not stated."""
    for counts in (reported.test_supports(), reported.tally("class_counts")):
        if len(reported.classes) > 1 and counts.keys() >= set(reported.classes):
            total = sum(counts.values())
            return max(counts.values()) / total if total else None
    return None


def _by_data_set(result: PublishedResult) -> tuple[str, int, str]:
    named = next((one.dataset for one in result.reported if one.dataset), "~")
    return named, result.source.year or 0, result.name


def _printed(reported: Reported) -> list[str]:
    """The figures of the whole as printed, those of ``FIRST`` first."""
    known = dict(reported.figures)
    names = [name for name in FIRST if name in known]
    names += [name for name in known if name not in FIRST]
    lines = [f"{said(name)} {known[name].text}" for name in names]
    if reported.per_class:
        lines.append(f"{counted(len(reported.per_class), 'figure')} of classes")
    return lines or ["a confusion matrix"]


def _summary(results: Sequence[PublishedResult]) -> Table:
    rows = [(reported, verdict) for result in results for reported, verdict in result.rows()]
    said = Counter(says(verdict).partition(" as ")[0] for _, verdict in rows)
    split = Counter(reported.split or NOT_STATED for reported, _ in rows)
    sized = sum(reported.test_total() is not None for reported, _ in rows)
    patients = sum(result.source.patients is not None for result in results)
    lines = [("sources", f"{len(results):,}"), ("tables of figures", f"{len(rows):,}")]
    lines += [(f"verdict: {word}", f"{n:,}") for word, n in sorted(said.items())]
    lines += [(f"split: {word}", f"{n:,}") for word, n in sorted(split.items())]
    lines += [("size of the test stated", f"{sized:,}"), ("patients counted", f"{patients:,}")]
    return Table(columns=("of the register", "number"), rows=tuple(lines))


def _figures(results: Sequence[PublishedResult]) -> Table:
    columns = (
        "published", "data set", "reported", "interval of the accuracy", "baseline", "test rows",
        "patients", "split", "verdict",
    )  # fmt: skip
    rows = []
    for result in results:
        for reported, verdict in result.rows():
            bounds, least = interval(reported), baseline(reported)
            total, patients = reported.test_total(), result.source.patients
            rows.append(
                (
                    "\n".join(filter(None, (result.name, reported.name))),
                    reported.dataset or NOT_STATED,
                    "\n".join(_printed(reported)),
                    f"{percents(bounds[0])} to {percent(bounds[1])}" if bounds else "",
                    percent(least) if least is not None else "",
                    f"{total:,}" if total else NOT_STATED,
                    f"{patients:,}" if patients else NOT_STATED,
                    reported.split or NOT_STATED,
                    says(verdict),
                )
            )
    return Table(columns=columns, rows=tuple(rows))


def _verdicts(results: Sequence[PublishedResult]) -> Table:
    rows = []
    for result in results:
        for reported, verdict in result.rows():
            lines = [says(verdict)]
            if verdict is not None:
                lines += [verdict.reason] if verdict.reason else []
                lines += _listed("Rests on", verdict.rests_on)
                lines += _listed("Not used", verdict.unused)
                lines += _listed("Taken for granted", verdict.assumptions)
                lines += verdict.findings
            name = "\n".join(filter(None, (result.name, reported.name)))
            rows.append((name, "\n".join(lines)))
    return Table(columns=("published", "what the audit says"), rows=tuple(rows))


def _listed(head: str, texts: Sequence[str]) -> list[str]:
    return [f"{head}: {'; '.join(texts)}."] if texts else []


def _sources(results: Sequence[PublishedResult]) -> Table:
    rows = []
    for result in results:
        source = result.source
        made = ", ".join(filter(None, (source.authors, source.venue, str(source.year or ""))))
        rows.append(
            (
                result.name,
                "\n".join(filter(None, (source.title, made))),
                source.kind,
                "\n".join((source.quoted, source.address)),
                source.split or NOT_STATED,
            )
        )
    columns = ("published", "source", "kind", "quoted", "split, as described")
    return Table(columns=columns, rows=tuple(rows))


def _answers(results: Sequence[PublishedResult]) -> tuple[str, ...]:
    found = [f"{one.name}: {one.source.answer}" for one in results if one.source.answer]
    return tuple(found) or ("None has come yet.",)
