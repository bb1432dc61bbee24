"""Scores and the confusion matrix as tables."""

from __future__ import annotations

import string

from leukreg import RunRecord, Score, Table
from leukreg_plugins.reporting.format import find, interval, number, overall

NAMES = {
    "accuracy": "accuracy",
    "majority_baseline": "majority baseline",
    "balanced_accuracy": "balanced accuracy",
    "macro_precision": "macro precision",
    "macro_f1": "macro F1",
    "macro_specificity": "macro specificity",
    "mcc": "MCC",
    "auc": "AUC",
    "average_precision": "average precision",
    "nll": "log loss (NLL)",
    "brier": "Brier score",
    "ece": "calibration error (ECE)",
    "threshold": "threshold",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "specificity": "specificity",
}
PER_CLASS = ("precision", "recall", "f1", "specificity")
_SAME = {"macro_recall"}
"""Equal to the balanced accuracy, as macro specificity is with two classes."""
_ELSEWHERE = ("raw_", "set_")
"""Begin the names of figures that have a section of their own."""
WIDTH = 76


def per_class(result: RunRecord) -> Table:
    """A row per class: support, then each figure above its interval."""
    classes = result.predictions.classes
    figures = [*PER_CLASS, *(["auc"] if _fits(classes) else [])]
    rows = []
    for label in classes:
        support = find(result, "support", label)
        images = "" if support is None or support.value is None else f"{support.value:.0f}"
        rows.append((label, images, *(_cell(find(result, name, label)) for name in figures)))
    return Table(columns=("class", "images", *(NAMES[name] for name in figures)), rows=tuple(rows))


def _fits(classes: tuple[str, ...]) -> bool:
    return len(classes) > 2 and max(map(len, classes)) <= 12


def _cell(score: Score | None) -> str:
    if score is None:
        return ""
    bounds = interval(score, 2)
    return number(score.value) + (f"\n{bounds}" if bounds else "")


def undefined_reasons(result: RunRecord) -> tuple[str, ...]:
    """Why figures of classes are undefined, one line per reason."""
    reasons: dict[str, list[str]] = {}
    for score in result.scores:
        if score.label is not None and score.value is None and score.name in PER_CLASS:
            reasons.setdefault(score.why, []).append(NAMES[score.name])
    return tuple(f"Undefined {', '.join(names)}: {why}." for why, names in reasons.items())


def whole(result: RunRecord) -> Table:
    """The figures over all classes, with intervals, or the reason why there is none."""
    same = _SAME | ({"macro_specificity"} if len(result.predictions.classes) == 2 else set())
    found = {s.name: s for s in result.scores if s.label is None and s.name not in same}
    raw = {name.removeprefix("raw_") for name in found if name.startswith("raw_")}
    own = {name for name in found if name.startswith(_ELSEWHERE)}
    own |= {f"{name}_change" for name in raw}
    found = {name: score for name, score in found.items() if name not in own}
    names = [name for name in NAMES if name in found]
    names += [name for name in found if name not in NAMES]
    rows = tuple(_line(overall(result, name) or found[name]) for name in names)
    return Table(columns=("figure", "value", "95 % interval", ""), rows=rows)


def _line(score: Score) -> tuple[str, str, str, str]:
    bounds = interval(score)
    said = score.name in ("majority_baseline", "threshold") or score.value is None
    note = score.why if said or (not bounds and "no interval" in score.why) else ""
    if score.low is not None and score.value is not None and score.value < score.low:
        note = "resampling raises it"
    of = f" of {score.label}" if score.label else ""
    return NAMES.get(score.name, score.name) + of, number(score.value), bounds, note


def how_bounded(result: RunRecord) -> str:
    """How the intervals were made, from the scores themselves: the accuracy's, or another's."""
    for score in sorted(result.scores, key=lambda score: score.name != "accuracy"):
        if score.low is not None:
            how = next((part for part in score.why.split("; ") if "bootstrap" in part), score.why)
            note = "; the threshold is held fixed" if result.threshold is not None else ""
            return f"Intervals: {how}{note}.{_points(result)}"
    return ""


def _points(result: RunRecord) -> str:
    if not any(s.low is not None and s.low == s.high for s in result.scores):
        return ""
    return " Where both ends are equal no resample differed; that does not mean certainty."


def confusion(result: RunRecord) -> Table:
    """Rows are true classes, columns answers; lettered where names do not fit 80 columns."""
    classes = result.predictions.classes
    if len(classes) > 20:
        return _confused_most(result)
    cells = [[f"{n:,}" if n else "·" for n in line] for line in result.confusion]
    widths = [max(len(c), *(len(row[i]) for row in cells)) + 2 for i, c in enumerate(classes)]
    if sum(widths) + max(map(len, classes)) <= WIDTH and len(classes) <= 12:
        rows = tuple((name, *row) for name, row in zip(classes, cells, strict=True))
        return Table(columns=("true \\ answered", *classes), rows=rows)
    letters = string.ascii_lowercase[: len(classes)]
    rows = tuple(
        (f"{letter}  {name}", *row)
        for letter, name, row in zip(letters, classes, cells, strict=True)
    )
    return Table(columns=("true \\ answered", *letters), rows=rows)


def _confused_most(result: RunRecord) -> Table:
    classes = result.predictions.classes
    pairs = [
        (count, classes[i], classes[j])
        for i, line in enumerate(result.confusion)
        for j, count in enumerate(line)
        if count and i != j
    ]
    pairs.sort(key=lambda pair: -pair[0])
    rows = tuple((true, answered, f"{count:,}") for count, true, answered in pairs[:20])
    return Table(
        columns=("true", "answered", "images"), rows=rows, caption="The 20 most frequent mistakes."
    )
