"""The figures of each fold, beside those of all folds pooled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from leukreg import Predictions, RunRecord, Section, Table, rounded
from leukreg_plugins.audits.confidence import spread
from leukreg_plugins.reporting.format import number

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def sections(result: RunRecord) -> Iterator[Section]:
    """A table of the folds with their spread; nothing where there is one."""
    folds = sorted(set(result.predictions.fold.tolist()))
    if len(folds) > 1:
        text = (*_within(result, folds), *_thresholds(result))
        tables = (_table(result, folds),)
        yield Section(title="Each fold", text=text, tables=tables, order=34, page=23)


def figures(rows: Predictions, folds: list[int]) -> dict[str, Floats]:
    """Accuracy, balanced accuracy and AUC of each fold, ``(f,)`` each, NaN where undefined."""
    import numpy as np

    from leukreg_plugins.metric_formulas import accuracy, confusions, per_class

    weights = _inside(rows, folds)
    counts = confusions(rows, weights)
    each = _aucs(rows, weights)
    return {
        "accuracy": accuracy(counts),
        "balanced accuracy": per_class(counts)["recall"].mean(axis=1),
        "AUC": np.mean(each, axis=0),
    }


def within(rows: Predictions, folds: list[int]) -> float | None:
    """AUC from pairs of images of one fold: pairs won over pairs, summed over the folds.

    With more than two classes the mean over them, each against the rest; None where a class has no
    pair in any fold.
    """
    import numpy as np

    weights = _inside(rows, folds)
    found = []
    for index, each in enumerate(_aucs(rows, weights)):
        truth = rows.label == index
        pairs = weights[truth].sum(axis=0) * weights[~truth].sum(axis=0)
        if not pairs.any():
            return None
        found.append(float(each[pairs > 0] @ pairs[pairs > 0]) / float(pairs.sum()))
    return float(np.mean(found))


def _inside(rows: Predictions, folds: list[int]) -> Floats:
    """1 where a row is of a fold, ``(n, f)``."""
    import numpy as np

    return np.asarray(rows.fold[:, None] == np.array(folds)[None, :], dtype=np.float64)


def _aucs(rows: Predictions, weights: Floats) -> list[Floats]:
    """Of each class, the AUC in each fold."""
    from leukreg_plugins.metric_formulas import auc

    return [
        auc(rows.label == index, rows.probabilities[:, index], weights)
        for index in range(len(rows.classes))
    ]


def _table(result: RunRecord, folds: list[int]) -> Table:
    import numpy as np

    rows = result.predictions
    columns: dict[str, dict[int, float]] = {
        name: dict(zip(folds, values.tolist(), strict=True))
        for name, values in figures(rows, folds).items()
    }
    fitted = result.fitted
    if fitted.thresholds:
        columns["threshold"] = {one.fold: one.threshold for one in fitted.thresholds}
    if fitted.temperatures:
        columns["temperature"] = fitted.temperature_by_fold()
    best = {fold: _best(result, fold) for fold in folds}
    lines = [
        (
            str(fold + 1),
            f"{(rows.fold == fold).sum():,}",
            *(_cell(name, values.get(fold)) for name, values in columns.items()),
            best[fold],
        )
        for fold in folds
    ]
    for name, end in (("lowest", np.nanmin), ("highest", np.nanmax)):
        ends = [
            end(list(values.values())) if np.isfinite(list(values.values())).any() else None
            for values in columns.values()
        ]
        lines.append(
            (name, "", *(_cell(head, value) for head, value in zip(columns, ends, strict=True)), "")
        )
    pooled = {name: values[0] for name, values in figures(rows_as_one(rows), [0]).items()}
    lines.append(
        ("pooled", f"{len(rows):,}", *(_cell(name, pooled.get(name)) for name in columns), "")
    )
    if not any(best.values()):
        lines = [line[:-1] for line in lines]
    heads = ("fold", "images", *columns, *(["best epochs"] if any(best.values()) else []))
    caption = "Pooled: all folds' images as one table, not a mean of the folds' figures."
    return Table(columns=heads, rows=tuple(lines), caption=caption)


def rows_as_one(rows: Predictions) -> Predictions:
    """The same rows as if they were of one fold."""
    from dataclasses import replace

    return replace(rows, fold=rows.fold * 0)


def _cell(column: str, value: float | None) -> str:
    if value is None:
        return ""
    if column == "threshold":  # as finely as elsewhere: cuts of two folds may lie close together
        return rounded(value, 4)
    return number(value if value == value else None)


def _best(result: RunRecord, fold: int) -> str:
    """The best epoch of each phase, in their order."""
    return ", ".join(str(log.best_epoch) for log in result.phases if log.fold == fold)


def _within(result: RunRecord, folds: list[int]) -> Iterator[str]:
    value = within(result.predictions, folds)
    pooled = figures(rows_as_one(result.predictions), [0])["AUC"][0]
    if value is not None and pooled == pooled:
        yield (
            f"AUC within folds {rounded(value)}, pooled {rounded(pooled)}: within, only"
            " images that one model scored are ranked against each other."
        )


def _thresholds(result: RunRecord) -> Iterator[str]:
    apart = spread(result)
    if apart is None:
        return
    if not any(finding.rule == "thresholds-differ" for finding in result.findings):
        text = str(apart)
        yield f"{text[:1].upper()}{text[1:]}."
    cuts = [one.threshold for one in result.fitted.thresholds]
    yield (
        f"leukreg predict answers by the mean of the folds' thresholds,"
        f" {rounded(sum(cuts) / len(cuts), 4)}, which was never scored."
    )
