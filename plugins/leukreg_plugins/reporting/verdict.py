"""The first sentences of a report."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from leukreg import RunRecord, Score, record
from leukreg import percent as rounded_percent
from leukreg_plugins.audits.finding import pictures_of
from leukreg_plugins.reporting.format import (
    counted,
    find,
    listed,
    percent,
    rows_trained_on,
    table,
)

if TYPE_CHECKING:
    from leukreg_plugins.audits.confounding import Probe

MOST_ERRORS = 3
"""Errors of the audit that are named; more are counted."""
_SAID = {"real": "real", "rendered": "rendered", "synthetic": "synthetic"}


def verdict(result: RunRecord) -> tuple[str, ...]:
    """What came out, against what would come out without looking; then what stands against it."""
    return (*warnings(result), *sentences(result))


def sentences(result: RunRecord) -> Iterator[str]:
    accuracy, majority = find(result, "accuracy"), find(result, "majority_baseline")
    balanced, probe = find(result, "balanced_accuracy"), strongest_probe(result)
    if accuracy is not None:
        text = f"Accuracy is {percent(accuracy, '95 % interval ')}"
        if accuracy.value is not None and majority is not None and majority.value is not None:
            standing = _against(accuracy, majority.value)
            of = f"{percent(majority)} of {majority.why}"
            # What a probe does better is no merit, however far above the majority.
            plain = probe is not None and standing == "above the"
            reached = f"where {majority.why} reaches {percent(majority)}"
            text += f", {reached if plain else f'{standing} {of}'}"
        if balanced is not None:
            text += f"; balanced accuracy is {_balanced(balanced)}"
            if probe is not None and balanced.value is not None:
                text += f", {_against(balanced, probe.reached)} {rounded_percent(probe.reached)}"
                text += f" that {probe.name} alone {_reach(probe.name)}"
        yield f"{text}."
    yield from _earlier(result)
    yield scored(result)


def strongest_probe(result: RunRecord) -> Probe | None:
    """What guesses best without looking at a cell, of what the audit probes; None below chance."""
    from leukreg_plugins.audits.confounding import Shortcut

    options = table(result.recipe, "audit", "rules", "shortcut")
    rule = Shortcut(**{key: value for key, value in options.items() if value is not None})
    best = max(rule.probes(_images(result)), key=lambda probe: probe.reached, default=None)
    return best if best is not None and best.reached > best.chance else None


def _images(result: RunRecord) -> RunRecord:
    """What is known of the images themselves."""
    return RunRecord(
        samples=result.samples,
        pixels=result.pixels,
        near_duplicates=result.near_duplicates,
        statistics=result.statistics,
    )


def _reach(name: str) -> str:
    return "reach" if name.endswith("statistics") else "reaches"


def _earlier(result: RunRecord) -> Iterator[str]:
    """The best of the runs before, where there are some that were scored on the same images."""
    before = result.earlier.earlier_scores
    reached = {run: scores.get("balanced_accuracy") for run, scores in before.items()}
    known = {run: value for run, value in reached.items() if value is not None}
    if known:
        best = max(known, key=lambda run: known[run])
        of = "The earlier run" if len(known) == 1 else f"The best of {len(known):,} earlier runs"
        value = rounded_percent(known[best])
        yield f"{of} on the same images, {best}, has a balanced accuracy of {value}."


def scored(result: RunRecord) -> str:
    """What was scored: how many images, of which origin, of how many patients."""
    n = len(result.predictions)
    trained = rows_trained_on(result)
    kind = "held-out image" if not trained else "image"
    text = f"Scored on {counted(n, kind)}"
    seen = len(set(pictures_of(_images(result), result.predictions).tolist()))
    text += f" that are {counted(seen, 'picture')}" if seen < n else ""
    origins = [(o, result.predictions.origin.count(o)) for o in _SAID]
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
        yield _fallback(notice)
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
    yield from _errors(result)


def _errors(result: RunRecord) -> Iterator[str]:
    errors = [f for f in result.findings if f.severity == "error" and f.waived is None]
    for finding in errors[:MOST_ERRORS]:
        yield f"! The audit finds an error ({finding.rule}): {finding.message}."
    if len(errors) > MOST_ERRORS:
        more = len(errors) - MOST_ERRORS
        yield f"! It finds {counted(more, 'more error')}: see the findings."


def _fallback(notice: record.Notice) -> str:
    label = f"{notice.label[:1].upper()}{notice.label[1:]}: " if notice.label else ""
    # The reason was said before work started, and stands in short among the findings.
    return f"! {label}{notice.what} is {notice.used} instead of {notice.wanted}."


def _against(accuracy: Score, baseline: float) -> str:
    if accuracy.low is not None and accuracy.low > baseline:
        return "above the"
    if accuracy.high is not None and accuracy.high < baseline:
        return "below the"
    if accuracy.low is None or accuracy.high is None:
        return "beside the"
    return "not distinguishable from the"


def _balanced(score: Score) -> str:
    return f"undefined ({score.why})" if score.value is None else percent(score)
