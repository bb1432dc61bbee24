"""Uncertainty: of wrong answers, of the probabilities themselves, and as sets of classes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

from leukreg import RunRecord, Score, Section, Table, plugin, record, rounded
from leukreg_plugins.audits.finding import counted, option
from leukreg_plugins.reporting.format import (
    cells_have_labels,
    find,
    interval,
    listed,
    number,
    percent,
)
from leukreg_plugins.reporting.scores import NAMES

RAW, CHANGE = "raw_", "_change"
SETS = ("set_coverage", "set_size", "set_singletons", "set_empty")
MEDIANS = (
    "Medians, in nats: the higher, the less sure. Mutual information is the part on which the"
    " passes disagree."
)
METHODS = {"lac": "LAC (Sadinle et al., 2019)", "aps": "APS (Romano et al., 2020)"}


@plugin("uncertainty")
class Uncertainty:
    """Whether wrong answers are the uncertain ones, under MC dropout or test-time augmentation."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        import numpy as np

        if not cells_have_labels(result):
            return

        rows, over = result.predictions, passes(result)
        if len(rows) == 0 or not over:
            return
        right = rows.answers == rows.label
        lines = []
        for name, chosen in (("right", right), ("wrong", ~right)):
            if chosen.any():
                entropy = np.median(rows.uncertainty[chosen])
                shared = np.median(rows.mutual_information[chosen])
                cells = (f"{name} answers", f"{chosen.sum():,}", f"{entropy:.3f}", f"{shared:.4f}")
                lines.append(cells)
        columns = ("", "images", "entropy", "mutual information")
        medians = Table(columns=columns, rows=tuple(lines), caption=MEDIANS)
        yield Section(title=f"Uncertainty ({over})", tables=(medians,), order=35)


@plugin("calibration")
class CalibrationReport:
    """Raw and calibrated probabilities side by side, and the temperatures."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        if not cells_have_labels(result):
            return
        folds = result.fitted.temperatures
        raw = [one for one in result.scores if one.name.startswith(RAW)]
        if not folds or not raw:
            return
        rows = tuple(_side_by_side(result, one) for one in raw)
        columns = ("figure", "raw", "calibrated", "calibrated - raw")
        caption = "Less is better, with 95 % intervals."
        if any(one.name == f"{RAW}ece" for one in raw):
            caption += " Resampling adds noise to the calibration error: its intervals lie high."
        figures = Table(columns=columns, rows=rows, caption=caption)
        text = (
            *_temperatures(folds),
            *_bounded(raw, "temperatures are held fixed"),
            *_worse(result),
        )
        title = "Calibration (temperature scaling)"
        yield Section(title=title, text=text, tables=(figures,), order=36)


@plugin("prediction-sets")
class PredictionSets:
    """Coverage and size of the conformal sets, in all and for each class."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        if not cells_have_labels(result):
            return
        kept = result.fitted.conformal
        whole = find(result, "set_coverage")
        if kept is None or whole is None:
            return
        labels = [None, *result.predictions.classes]
        rows = tuple(_set_line(result, label) for label in labels)
        columns = ("class", "images", "coverage", "mean size", "one class", "empty")
        caption = "Coverage: sets that hold the true class."
        figures = Table(columns=columns, rows=rows, caption=caption)
        text = (
            *_stated(kept, whole),
            *_bounded([whole], "limits are held fixed"),
            *_left_out(result, kept),
            *_doubts(result, kept),
        )
        yield Section(title="Prediction sets (conformal)", text=text, tables=(figures,), order=37)


@plugin("page-calibration")
class PageCalibration:
    """The reliability diagram, and the accuracy of what is left where uncertain ones are rejected.

    Is an answer of .8 right in 8 of 10 images? Are the uncertain answers the wrong ones?
    """

    def build(self, result: RunRecord) -> Iterable[Section]:
        from leukreg_plugins.reporting import reliability

        if not cells_have_labels(result):
            return

        if len(result.predictions) == 0:
            return
        yield Section(
            title="Reliability",
            tables=(reliability.reliability_table(result),),
            figure=partial(reliability.reliability_figure, result),
            caption="Share of right answers among images of like confidence, with 95 % intervals; "
            "on the dotted line, confidence is what it says. Below, how many images each bin has.",
            order=36,
            console=False,
        )
        yield Section(
            title="Accuracy and rejection",
            tables=(reliability.rejection_table(result),),
            figure=partial(reliability.rejection_figure, result),
            caption="Accuracy of the images that are kept when the most uncertain ones (by "
            "predictive entropy) are left to a person, with a 95 % band.",
            order=38,
            console=False,
        )


def passes(result: RunRecord) -> str:
    """What the uncertainty was measured over: ``MC dropout, 30 passes``; "" for one pass."""
    mc = option(result.recipe, "evaluate", "mc_dropout", "passes")
    count = option(result.recipe, "evaluate", "tta", "views")
    if count and mc:
        each = math.ceil(mc / count)
        return f"MC dropout over {count} views, {counted(each * count, 'pass', 'passes')}"
    if count:
        return f"test-time augmentation, {count} views"
    if mc:
        return f"MC dropout, {counted(mc, 'pass', 'passes')}"
    models = result.evaluated_from.folds if result.evaluated_from else 1
    return f"{counted(models, 'model')} together" if models > 1 else ""


def _worse(result: RunRecord) -> Iterator[str]:
    """A warning where what was to make the probabilities better did not."""
    raw, now, change = (find(result, name) for name in ("raw_nll", "nll", f"nll{CHANGE}"))
    if raw is None or now is None or raw.value is None or now.value is None:
        return
    if now.value > raw.value:
        sure = change is not None and change.low is not None and change.low > 0
        yield (
            f"! Calibration made the log loss worse, from {number(raw.value, 4)} to"
            f" {number(now.value, 4)}" + ("." if sure else ", though chance may explain it.")
        )


def _side_by_side(result: RunRecord, raw: Score) -> tuple[str, str, str, str]:
    name = raw.name.removeprefix(RAW)
    change = find(result, name + CHANGE, raw.label)
    said = NAMES.get(name, name) + (f", {raw.label}" if raw.label else "")
    return said, _cell(raw), _cell(find(result, name, raw.label)), _cell(change, signed=True)


def _cell(score: Score | None, signed: bool = False) -> str:
    if score is None or score.value is None:
        return number(None)
    value = rounded(score.value, 4, signed)
    bounds = interval(score, 4)
    if signed and score.low is not None and score.high is not None:
        bounds = " to ".join(rounded(bound, 4, signed=True) for bound in (score.low, score.high))
    return f"{value}\n{bounds}" if bounds else value


def _temperatures(folds: Sequence[record.Temperature]) -> Iterator[str]:
    values = [one.temperature for one in folds]
    if len(folds) == 1:
        rows = counted(folds[0].rows, "validation row")
        yield f"Temperature {_temperature(folds[0])}, fitted on {rows}: {_sure(folds[0])}."
        if folds[0].by:
            yield f"Its interval: {folds[0].by}."
    else:
        too = sum((one.low or 0) > 1 for one in folds)
        yield (
            f"Temperatures {min(values):.3f} to {max(values):.3f} in {len(values)} folds, each"
            " fitted on the fold's own validation rows. Above 1 means that the network was too"
            f" sure, below 1 not sure enough; in {too or 'none'} of the folds the 95 % interval"
            " lies above 1."
        )
    for one in folds:
        if one.why:
            yield f"! Fold {one.fold + 1}: temperature {one.temperature:g}, {one.why}."


def _temperature(one: record.Temperature) -> str:
    text = f"{one.temperature:.3f}"
    if one.low is None:
        return text
    return f"{text} (95 % interval {one.low:.3f}–{one.high:.3f})"


def _sure(one: record.Temperature) -> str:
    """What a temperature says of the network."""
    low, high, value = one.low, one.high, one.temperature
    if value == 1:
        return "the probabilities are left as they are"
    if low is not None and high is not None and low <= 1 <= high:
        return "it may well be 1, so the network need not be too sure, nor too unsure"
    return "the network was too sure" if value > 1 else "the network was not sure enough"


def _bounded(scores: list[Score], fixed: str) -> Iterator[str]:
    """How the intervals of these scores were made."""
    for score in scores:
        if score.low is not None:
            how = next((part for part in score.why.split("; ") if "bootstrap" in part), score.why)
            yield f"Intervals: {how}; {fixed}."
            return
    for score in scores:
        if "no interval" in score.why:
            yield f"Intervals: {score.why.partition('no interval: ')[2]}."
            return


def _set_line(result: RunRecord, label: str | None) -> tuple[str, ...]:
    coverage, size, one, none = (find(result, name, label) for name in SETS)
    n = len(result.predictions)
    if label is not None:
        n = int((result.predictions.label == result.predictions.classes.index(label)).sum())
    shares = [_share(one), _share(none)]
    sized = number(size.value if size else None, 2)
    bounds = interval(size, 2)
    return (
        label or "all",
        f"{n:,}",
        _share(coverage),
        f"{sized}\n{bounds}" if bounds else sized,
        *shares,
    )


def _share(score: Score | None) -> str:
    return percent(score).replace(" (", "\n").rstrip(")")


def _stated(kept: record.Conformal, whole: Score) -> Iterator[str]:
    least = min(min(groups) for groups in _groups(kept))
    rows = counted(least, "validation row")
    if _groups(kept) != [one.rows for one in kept.folds]:
        rows = f"{counted(least, 'group')} of validation rows (a patient's, or copies of a picture)"
    rows += " of each class" * kept.by_class
    if len(kept.folds) > 1:
        rows = f"at least {rows} in each fold"
    elif kept.by_class:
        rows = f"at least {rows}"
    method, where = kept.method, "within every class" if kept.by_class else "of images"
    yield (
        f"Sets by {METHODS.get(method, method)}, made to hold the true class of"
        f" {100 * kept.coverage:g} % {where}; limits from {rows}."
    )
    yield f"They hold it in {percent(whole, '95 % interval ')}."


def _groups(kept: record.Conformal) -> list[tuple[int, ...]]:
    """What each fold's limits rest on, by class; runs of before counted rows."""
    return [one.groups or one.rows for one in kept.folds]


def _left_out(result: RunRecord, kept: record.Conformal) -> Iterator[str]:
    """Classes that pay for the others, where the coverage is not held within each."""
    scores = [find(result, "set_coverage", label) for label in result.predictions.classes]
    low = [s.label for s in scores if s and s.high is not None and s.high < kept.coverage]
    if low and not kept.by_class:
        names = listed([str(label) for label in low])
        yield (
            f"! For {names} they hold it less often; by_class = true fits limits for every class."
        )


def _doubts(result: RunRecord, kept: record.Conformal) -> Iterator[str]:
    """What the guarantee rests on."""
    text = "The share holds for images that come as the validation rows did"
    counted_once = all(one.groups for one in kept.folds)
    if not counted_once or None in result.predictions.patient:
        text += "; those of new patients may differ"
    known = result.recipe.get("phase")
    listed_phases = known if isinstance(known, Sequence) else ()
    phases = [phase for phase in listed_phases if isinstance(phase, Mapping)]
    watched = not phases or any(p.get("restore_best") or p.get("patience") for p in phases)
    chose = ["the epochs"] * watched + ["the temperature"] * (result.predictions.raw is not None)
    if chose:
        text += f"; the same rows chose {listed(chose)}, so it holds only roughly"
    yield f"{text}."
