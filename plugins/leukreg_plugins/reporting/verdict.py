"""The first sentences of a report."""

from __future__ import annotations

from collections.abc import Iterator

from leukreg import Notice, RunResult, Score
from leukreg_plugins.reporting.words import counted, find, listed, percent, rows_trained_on

_SAID = {"real": "real", "rendered": "rendered", "synthetic": "synthetic"}


def verdict(result: RunResult) -> tuple[str, ...]:
    """What came out, against what would come out without looking; then what stands against it."""
    return (*warnings(result), *sentences(result))


def sentences(result: RunResult) -> Iterator[str]:
    accuracy, baseline = find(result, "accuracy"), find(result, "majority_baseline")
    balanced = find(result, "balanced_accuracy")
    if accuracy is not None:
        text = f"Accuracy is {percent(accuracy, '95 % interval ')}"
        if accuracy.value is not None and baseline is not None and baseline.value is not None:
            text += f", {_against(accuracy, baseline.value)} {100 * baseline.value:.1f} %"
            text += f" of {baseline.why}" if baseline.why else ""
        text += "." if balanced is None else f"; balanced accuracy is {_balanced(balanced)}."
        yield text
    yield scored(result)


def scored(result: RunResult) -> str:
    """What was scored: how many images, of which origin, of how many patients."""
    n = len(result.predictions)
    trained = rows_trained_on(result)
    kind = "held-out image" if not trained else "image"
    text = f"Scored on {counted(n, kind)}"
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


def warnings(result: RunResult) -> Iterator[str]:
    """What a reader must know before any figure; each begins with ``! ``."""
    for notice in result.notices:
        yield _fallback(notice)
    for text in result.facts.get("mended", ()):
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


def _fallback(notice: Notice) -> str:
    label = f"{notice.label[:1].upper()}{notice.label[1:]}: " if notice.label else ""
    why = f" ({notice.why})" if notice.why else ""
    return f"! {label}{notice.what} is {notice.used} instead of {notice.wanted}{why}."


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
