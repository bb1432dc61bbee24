"""Figures of the scored rows themselves, by scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukreg import Predictions, Score
from leukreg_plugins.scoring.counts import Floats, decisions, ratio

Against = Callable[[NDArray[np.bool_], Floats, Floats], Floats]


def per_class(predictions: Predictions) -> tuple[dict[str, Floats], NDArray[np.int64]]:
    """Precision, recall, F1 and specificity, each ``(k,)`` with NaN for 0/0; and the support."""
    from sklearn.metrics import multilabel_confusion_matrix, precision_recall_fscore_support

    k = len(predictions.classes)
    names = ("precision", "recall", "f1", "specificity")
    if len(predictions) == 0:
        return {name: np.full(k, np.nan) for name in names}, np.zeros(k, dtype=np.int64)
    truth, answers, labels = predictions.label, decisions(predictions), np.arange(k)
    precision, recall, f1, support = precision_recall_fscore_support(
        truth, answers, labels=labels, zero_division=np.nan
    )
    cells = multilabel_confusion_matrix(truth, answers, labels=labels).astype(np.float64)
    specificity = ratio(cells[:, 0, 0], cells[:, 0, 0] + cells[:, 0, 1])
    return dict(zip(names, (precision, recall, f1, specificity), strict=True)), support


def one_against_rest(
    name: str, figure: Callable[..., Any], predictions: Predictions
) -> Iterable[Score]:
    """A ranking figure of each class against the rest, then of the whole.

    The whole is the mean over classes; with two classes and the AUC both are one figure. Undefined
    as soon as one class is.
    """
    scores = [
        _against(name, figure, predictions, index) for index in range(len(predictions.classes))
    ]
    lacking = [score for score in scores if score.value is None]
    if lacking:
        return [*scores, Score(name=name, value=None, why=lacking[0].why)]
    values = [score.value for score in scores if score.value is not None]
    return [*scores, Score(name=name, value=float(np.mean(values)))]


def _against(name: str, figure: Callable[..., Any], predictions: Predictions, index: int) -> Score:
    label = predictions.classes[index]
    truth = predictions.label == index
    if not truth.any() or truth.all():
        why = f"no row of {label}" if not truth.any() else f"no row of any class but {label}"
        return Score(name=name, value=None, label=label, why=why if len(truth) else "no rows")
    value = float(figure(truth, predictions.probabilities[:, index]))
    return Score(name=name, value=value, label=label)


def resampled_against_rest(
    name: str, figure: Against, predictions: Predictions, weights: Floats
) -> Mapping[tuple[str, str | None], Floats]:
    """The same over resamples; ``weights`` has shape ``(n, b)``."""
    found: dict[tuple[str, str | None], Floats] = {}
    for index, label in enumerate(predictions.classes):
        p = predictions.probabilities[:, index]
        found[name, label] = figure(predictions.label == index, p, weights)
    return {**found, (name, None): np.mean(list(found.values()), axis=0)}
