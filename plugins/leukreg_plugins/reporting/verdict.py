"""The first sentences of a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from leukreg import RunRecord, Score, Section, Table, plugin
from leukreg import percent as rounded_percent
from leukreg_plugins.audits.finding import counted, option, pictures_of, rows_trained_on
from leukreg_plugins.reporting.format import (
    cells_have_labels,
    find,
    listed,
    percent,
)

if TYPE_CHECKING:
    from leukreg_plugins.audits.confounding import Probe

MOST_ERRORS = 3
"""Errors of the audit that are named; more are counted."""
MARKS = ("error", "warning", "note", "waived")


@plugin("verdict")
class Verdict:
    """What came out, against what would come out without looking."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        text = (*warnings(result), *of_patients(result), *sentences(result))
        yield Section(title="Verdict", text=text, order=0)


@plugin("how-scored")
class HowScored:
    """What was chosen between predictions and figures: positive class, threshold, epoch."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        mark = "! " if result.positive and not result.positive.stated else ""
        lines = [f"{what[:1].upper()}{what[1:]}: {said}." for what, said in result.choices]
        text = (mark + lines[0], *lines[1:])
        yield Section(title="How it was scored", text=text, order=32, page=22)


@plugin("findings")
class Findings:
    """What the audit found, errors first."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        shown = sorted((f.lines() for f in result.findings), key=lambda said: MARKS.index(said[0]))
        counts = Counter(mark for mark, *_ in shown)
        said = [f"{n} {m}{'s' * (n != 1 and m != 'waived')}" for m in MARKS if (n := counts[m])]
        rows = tuple((mark, f"{first}\n{second}") for mark, first, second in shown)
        # Above the order of a section that failed: a report ends with its findings.
        yield Section(
            title=f"Findings: {', '.join(said)}" if said else "Findings",
            text=() if said else ("The audit found nothing.",),
            tables=(Table(columns=("", ""), rows=rows),) if said else (),
            order=100,
            page=5,
        )


def of_patients(result: RunRecord) -> Iterator[str]:
    """What came out for patients, the first that is asked of a smear."""
    of = result.patients
    if of is None:
        return
    found = {score.name: score for score in of.scores if score.label is None}
    balanced, majority = found.get("balanced_accuracy"), found.get("majority_baseline")
    text = f"Of patients {percent(found.get('accuracy'), '95 % interval ')} are answered rightly"
    if majority is not None and majority.value is not None:
        text += f", where {majority.why} reaches {percent(majority)}"
    if balanced is not None:
        text += f"; balanced accuracy is {percent(balanced)}"
    n = counted(len(set(of.predictions.id)), "patient")
    yield f"{text} ({n}, aggregator {of.aggregator!r})."


def sentences(result: RunRecord) -> Iterator[str]:
    accuracy, majority = find(result, "accuracy"), find(result, "majority_baseline")
    balanced, probe = find(result, "balanced_accuracy"), strongest_probe(result)
    if accuracy is not None:
        over = " over cells" if result.patients else ""
        text = f"Accuracy{over} is {percent(accuracy, '95 % interval ')}"
        if accuracy.value is not None and majority is not None and majority.value is not None:
            standing = _against(accuracy, majority.value)
            of = f"{percent(majority)} of {majority.why}"
            # What a probe does better is no merit, however far above the majority.
            plain = probe is not None and standing == "above the"
            reached = f"where {majority.why} reaches {percent(majority)}"
            text += f", {reached if plain else f'{standing} {of}'}"
        if balanced is not None:
            said = f"undefined ({balanced.why})" if balanced.value is None else percent(balanced)
            text += f"; balanced accuracy is {said}"
            if probe is not None and balanced.value is not None:
                plural = probe.name.endswith("statistics")
                text += f", {_against(balanced, probe.reached)} {rounded_percent(probe.reached)}"
                text += f" that {probe.name} alone {'reach' if plural else 'reaches'}"
        yield f"{text}."
    yield from _earlier(result)
    yield scored(result)


def strongest_probe(result: RunRecord) -> Probe | None:
    """What guesses best without looking at a cell, of what the audit probes; None below chance."""
    from leukreg_plugins.audits.confounding import Shortcut

    options = option(result.recipe, "audit", "rules", "shortcut") or {}
    rule = Shortcut(**{key: value for key, value in options.items() if value is not None})
    best = max(rule.probes(result), key=lambda probe: probe.reached, default=None)
    return best if best is not None and best.reached > best.chance else None


def _earlier(result: RunRecord) -> Iterator[str]:
    """The best of the runs before, where there are some that were scored on the same images."""
    before = result.earlier.earlier_scores
    reached = {run: scores.get("balanced_accuracy") for run, scores in before.items()}
    known = {run: value for run, value in reached.items() if value is not None}
    if known:
        best = max(known, key=lambda run: known[run])
        of = "The earlier run" if len(known) == 1 else f"The best of {len(known):,} earlier runs"
        value = rounded_percent(known[best])
        whose = "" if cells_have_labels(result) else " over patients"
        yield f"{of} on the same images, {best}, has a balanced accuracy of {value}{whose}."


def scored(result: RunRecord) -> str:
    """What was scored: how many images, of which origin, of how many patients."""
    n = len(result.predictions)
    trained = rows_trained_on(result)
    kind = "held-out image" if not trained else "image"
    text = f"Scored on {counted(n, kind)}"
    seen = len(set(pictures_of(result, result.predictions).tolist()))
    text += f" that are {counted(seen, 'picture')}" if seen < n else ""
    origins = [(o, result.predictions.origin.count(o)) for o in ("real", "rendered", "synthetic")]
    present = [(o, count) for o, count in origins if count]
    if len(present) == 1:
        text += f", all {present[0][0]}"
    elif present:
        text += ", " + listed([f"{count:,} {o}" for o, count in present])
    patients = {p for p in result.predictions.patient if p is not None}
    if patients and None not in result.predictions.patient:
        text += f", of {counted(len(patients), 'patient')}"
    elif n and not patients:
        text += ", patients unknown"
    folds = len({fold.index for fold in result.folds})
    return text + (f", in {folds} folds." if folds > 1 else ".")


def warnings(result: RunRecord) -> Iterator[str]:
    """What a reader must know before any figure; each begins with ``! ``."""
    for notice in result.notices:
        label = f"{notice.label[:1].upper()}{notice.label[1:]}: " if notice.label else ""
        # The reason was said before work started, and stands in short among the findings.
        yield f"! {label}{notice.what} is {notice.used} instead of {notice.wanted}."
    for text in result.mended:
        yield f"! {text}"
    origins = result.predictions.origin
    if "rendered" in origins and not any("not real" in notice.label for notice in result.notices):
        yield "! Rendered cells, not real."
    synthetic = origins.count("synthetic")
    if synthetic:
        yield f"! {synthetic:,} of {len(origins):,} scored images are synthetic."
    trained = rows_trained_on(result)
    if trained:
        yield f"! {trained:,} of {len(origins):,} scored images were trained on."
    errors = [f for f in result.findings if f.severity == "error" and f.waived is None]
    for finding in errors[:MOST_ERRORS]:
        yield f"! The audit finds an error ({finding.rule}): {finding.message}."
    if len(errors) > MOST_ERRORS:
        more = len(errors) - MOST_ERRORS
        yield f"! It finds {counted(more, 'more error')}: see the findings."


def _against(accuracy: Score, baseline: float) -> str:
    if accuracy.low is not None and accuracy.low > baseline:
        return "above the"
    if accuracy.high is not None and accuracy.high < baseline:
        return "below the"
    if accuracy.low is None or accuracy.high is None:
        return "beside the"
    return "not distinguishable from the"
