"""The figures of each fold, beside those of all folds pooled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from leukreg import Predictions, RunRecord, Section, Table, plugin, rounded
from leukreg_plugins.audits.confidence import spread
from leukreg_plugins.reporting.format import cells_have_labels, number

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@plugin("each-fold")
class EachFold:
    """Figures, threshold, temperature and best epochs of each fold, with their spread."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        if not cells_have_labels(result):
            return
        rows = result.predictions
        folds = sorted(set(rows.fold.tolist()))
        if len(folds) < 2:
            return
        pooled = {n: v[0] for n, v in figures(replace(rows, fold=rows.fold * 0), [0]).items()}
        value, text = within(rows, folds), [*_thresholds(result)]
        if value is not None and pooled["AUC"] == pooled["AUC"]:
            both = f"AUC within folds {rounded(value)}, pooled {rounded(pooled['AUC'])}"
            why = "within, only images that one model scored are ranked against each other."
            text.insert(0, f"{both}: {why}")
        tables = (_table(result, folds, pooled),)
        yield Section(title="Each fold", text=tuple(text), tables=tables, order=34, page=23)


def figures(rows: Predictions, folds: list[int]) -> dict[str, Floats]:
    """Accuracy, balanced accuracy and AUC of each fold, ``(f,)`` each, NaN where undefined."""
    import numpy as np

    from leukreg_plugins.metric_formulas import accuracy, confusions, per_class

    weights, aucs = _aucs(rows, folds)
    counts = confusions(rows, weights)
    return {
        "accuracy": accuracy(counts),
        "balanced accuracy": per_class(counts)["recall"].mean(axis=1),
        "AUC": np.mean(aucs, axis=0),
    }


def within(rows: Predictions, folds: list[int]) -> float | None:
    """AUC from pairs of images of one fold: pairs won over pairs, summed over the folds.

    With more than two classes the mean over them, each against the rest; None where a class has no
    pair in any fold.
    """
    import numpy as np

    weights, aucs = _aucs(rows, folds)
    found = []
    for index, each in enumerate(aucs):
        truth = rows.label == index
        pairs = weights[truth].sum(axis=0) * weights[~truth].sum(axis=0)
        if not pairs.any():
            return None
        found.append(float(each[pairs > 0] @ pairs[pairs > 0]) / float(pairs.sum()))
    return float(np.mean(found))


def _aucs(rows: Predictions, folds: list[int]) -> tuple[Floats, list[Floats]]:
    """1 where a row is of a fold, ``(n, f)``; and of each class the AUC in each fold, ``(f,)``."""
    import numpy as np

    from leukreg_plugins.metric_formulas import auc

    weights = np.asarray(rows.fold[:, None] == np.array(folds)[None, :], dtype=np.float64)
    classes = range(len(rows.classes))
    return weights, [auc(rows.label == c, rows.probabilities[:, c], weights) for c in classes]


def _table(result: RunRecord, folds: list[int], pooled: dict[str, float]) -> Table:
    import pandas as pd

    rows, fitted = result.predictions, result.fitted
    frame = pd.DataFrame(figures(rows, folds), index=folds)
    if fitted.thresholds:
        frame["threshold"] = pd.Series({one.fold: one.threshold for one in fitted.thresholds})
    if fitted.temperatures:
        frame["temperature"] = pd.Series(fitted.temperature_by_fold())
    lines, columns = [], [str(name) for name in frame]
    for fold in folds:
        # Of each phase, in their order.
        best = ", ".join(str(log.best_epoch) for log in result.phases if log.fold == fold)
        images = f"{(rows.fold == fold).sum():,}"
        lines.append((str(fold + 1), images, *_cells(columns, frame.loc[fold]), best))
    for name, ends in (("lowest", frame.min()), ("highest", frame.max())):
        lines.append((name, "", *_cells(columns, ends.dropna()), ""))
    lines.append(("pooled", f"{len(rows):,}", *_cells(columns, pooled), ""))
    heads = ("fold", "images", *columns, "best epochs")
    if not any(line[-1] for line in lines):
        heads, lines = heads[:-1], [line[:-1] for line in lines]
    caption = "Pooled: all folds' images as one table, not a mean of the folds' figures."
    return Table(columns=heads, rows=tuple(lines), caption=caption)


def _cells(columns: Iterable[str], row: Any) -> Iterator[str]:
    """A mapping's or series' values; empty where it lacks one, undefined where it is NaN."""
    for column in columns:
        if column not in row:
            yield ""
        else:  # thresholds as finely as elsewhere: cuts of two folds may lie close together
            value = float(row[column])
            yield number(value if value == value else None, 4 if column == "threshold" else 3)


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
