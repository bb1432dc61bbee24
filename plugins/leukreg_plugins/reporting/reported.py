"""Published figures beside those of the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leukreg import RunRecord, Score, Table, rounded
from leukreg_plugins.reporting.format import find, interval, positive, table
from leukreg_plugins.reporting.score_tables import NAMES

WHOLE = (
    "accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
    "f1",
    "specificity",
    "auc",
    "brier",
    "threshold",
)
COUNTS = {"images": "images", "test_images": "test images"}
LOSSES = {"best_validation_loss": "best validation loss"}


def reported(result: RunRecord) -> Mapping[str, Any]:
    return table(result.recipe, "reported")


def whole(result: RunRecord) -> Table:
    """Figures of the whole; precision and its like belong to the positive class, else are means."""
    published = reported(result)
    rows: list[tuple[str, ...] | None]
    rows = [_row(result, name, published[name]) for name in WHOLE if name in published]
    rows += [_fact(result, name, text, published) for name, text in COUNTS.items()]
    rows += [_fact(result, name, text, published) for name, text in LOSSES.items()]
    kept = tuple(row for row in rows if row is not None)
    return Table(columns=("figure", "reported", "here", "95 % interval", "reported is"), rows=kept)


def _row(result: RunRecord, name: str, raw: Any) -> tuple[str, ...]:
    score, label = _here(result, name)
    bounds = interval(score, max(3, digits(raw)))
    return label, shown(raw), _like(score, raw), bounds, _standing(raw, score)


def _here(result: RunRecord, name: str) -> tuple[Score | None, str]:
    if name not in ("precision", "recall", "f1", "specificity"):
        return find(result, name), NAMES[name]
    label = positive(result)
    if label is not None:
        return find(result, name, label), f"{NAMES[name]} ({label})"
    return find(result, f"macro_{name}"), f"{NAMES[name]} (macro)"


def _fact(
    result: RunRecord, name: str, text: str, published: Mapping[str, Any]
) -> tuple[str, ...] | None:
    if name not in published:
        return None
    losses = [log.validation_loss for log in result.epochs if log.validation_loss is not None]
    here: dict[str, float | None] = {
        "images": len(result.samples),
        "test_images": len(result.predictions),
        "best_validation_loss": min(losses, default=None),
    }
    value, raw = here[name], published[name]
    if value is None:
        return text, shown(raw), "not recorded", "", ""
    own = f"{value:,.0f}" if name in COUNTS else rounded(value, max(3, digits(raw)))
    return text, f"{raw:,}" if isinstance(raw, int) else shown(raw), own, "", ""


def per_class(result: RunRecord) -> Table:
    """Per class two lines: as reported, and here."""
    published = table(result.recipe, "reported", "per_class")
    used = {key for row in published.values() if isinstance(row, Mapping) for key in row}
    names = [n for n in ("support", "precision", "recall", "f1", "specificity", "auc") if n in used]
    rows = []
    for label, row in published.items():
        if not isinstance(row, Mapping):
            continue
        cells = [_pair(result, name, str(label), row.get(name)) for name in names]
        rows.append((str(label), "reported\nhere", *cells))
    heads = ["images" if name == "support" else NAMES[name] for name in names]
    return Table(columns=("class", "", *heads), rows=tuple(rows))


def _pair(result: RunRecord, name: str, label: str, raw: Any) -> str:
    score = find(result, name, label)
    if name == "support":
        own = "-" if score is None or score.value is None else f"{score.value:.0f}"
    else:
        own = _like(score, raw)
    return f"{'-' if raw is None else shown(raw)}\n{own}"


def confusion(result: RunRecord) -> Table | None:
    """Both matrices in one table, where they have the same size."""
    raw = reported(result).get("confusion")
    classes = result.predictions.classes
    if not isinstance(raw, list | tuple) or len(raw) != len(classes):
        return None
    if any(not isinstance(line, list | tuple) or len(line) != len(classes) for line in raw):
        return None
    named = reported(result).get("classes")
    order = [str(n) for n in named] if isinstance(named, list | tuple) else list(classes)
    if sorted(order) != sorted(classes):
        return None
    place = [order.index(name) for name in classes]
    rows = tuple(
        (
            label,
            *(f"{raw[place[i]][place[j]]} / {own}" for j, own in enumerate(result.confusion[i])),
        )
        for i, label in enumerate(classes)
    )
    return Table(columns=("true \\ answered", *classes), rows=rows, caption="reported / here")


def shown(raw: Any) -> str:
    """A published figure with the digits it was printed with."""
    return str(raw)


def value(raw: Any) -> float | None:
    """The number behind a published figure; None where it is none."""
    text = str(raw).strip()
    try:
        return float(text.removesuffix("%")) / 100 if text.endswith("%") else float(text)
    except ValueError:
        return None


def digits(raw: Any) -> int:
    """Decimals a figure was printed with, on the scale 0 to 1."""
    text = str(raw).strip()
    decimals = len(text.removesuffix("%").strip().partition(".")[2])
    return min(6, decimals + (2 if text.endswith("%") else 0))


def _like(score: Score | None, raw: Any) -> str:
    if score is None:
        return "-"
    if score.value is None:
        return "undefined"
    return rounded(score.value, max(3, digits(raw)) if raw is not None else 3)


def _standing(raw: Any, score: Score | None) -> str:
    number = value(raw)
    if number is None or score is None or score.value is None:
        return ""
    if score.low is None or score.high is None:
        same = round(score.value, digits(raw)) == round(number, digits(raw))
        return "the same" if same else "different"
    if number > score.high:
        return "higher"
    return "lower" if number < score.low else "inside"
