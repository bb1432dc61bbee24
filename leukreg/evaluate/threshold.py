"""Where the positive class begins, and the decisions that follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukreg.choices import positive_of
from leukreg.recipe.model import EvaluateSpec, ThresholdSpec
from leukreg.text import rounded
from leukreg.types import Predictions, Score


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Thresholds by fold, and how they came about."""

    by_fold: Mapping[int, float]
    source: str
    why: str
    positive: int

    @property
    def threshold(self) -> float:
        """The one threshold, or the mean of the folds'."""
        return float(np.mean(list(self.by_fold.values()) or [0.5]))

    def score(self) -> Score:
        return Score(name="threshold", value=self.threshold, why=self.why)


def choose(predictions: Predictions, validation: Predictions | None, spec: EvaluateSpec) -> Cut:
    """A threshold for each fold of ``predictions``.

    Each fold's threshold is fitted on that fold's own validation rows: pooled over folds, a row's
    label would help to set the threshold that judges it. Where a fold has not both classes among
    them, 0.5 is taken and said.
    """
    rule = spec.threshold or ThresholdSpec()
    found = positive_of(predictions.classes, spec.positive)
    positive = 1 if found is None else predictions.classes.index(found.name)
    folds = sorted({int(fold) for fold in predictions.fold})
    if rule.rule == "fixed":
        fixed = dict.fromkeys(folds, rule.value)
        return Cut(by_fold=fixed, source="fixed", why="fixed by the recipe", positive=positive)
    rows = predictions if rule.fitted_on == "scored" else validation
    fitted = {fold: _fit(rows, fold, positive, rule.rule) for fold in folds}
    failed = [fold for fold, value in fitted.items() if value is None]
    by_fold = {fold: 0.5 if value is None else value for fold, value in fitted.items()}
    source = "fixed" if folds and len(failed) == len(folds) else rule.fitted_on
    why = _why(rule, by_fold, failed, rows)
    return Cut(by_fold=by_fold, source=source, why=why, positive=positive)


def decide(predictions: Predictions, cut: Cut) -> NDArray[np.int64]:
    """The class answered for each row, shape ``(n,)``: the positive class where its probability is
    at least the threshold of the row's fold."""
    limit = np.array([cut.by_fold[int(fold)] for fold in predictions.fold], dtype=np.float64)
    is_positive = predictions.probabilities[:, cut.positive] >= limit
    return np.where(is_positive, cut.positive, 1 - cut.positive)


def best_threshold(truth: NDArray[np.bool_], p: NDArray[np.float64], rule: str) -> float | None:
    """The observed probability with the best F1 or Youden's J (sensitivity + specificity - 1).

    Of equally good ones the nearest to 0.5. None unless both classes are present.
    """
    from sklearn.metrics import precision_recall_curve, roc_curve

    if truth.all() or not truth.any():
        return None
    if rule == "f1":
        precision, recall, limits = precision_recall_curve(truth, p)
        total = precision[:-1] + recall[:-1]
        goodness = 2 * precision[:-1] * recall[:-1] / np.where(total > 0, total, 1)
    else:
        false_positive, true_positive, limits = roc_curve(truth, p, drop_intermediate=False)
        goodness = (true_positive - false_positive)[1:]  # the first answers nothing: limit infinity
        limits = limits[1:]
    best = limits[goodness >= goodness.max() - 1e-12]
    return float(best[np.abs(best - 0.5).argmin()])


def _fit(rows: Predictions | None, fold: int, positive: int, rule: str) -> float | None:
    if rows is None:
        return None
    own = rows.fold == fold
    return best_threshold(rows.label[own] == positive, rows.probabilities[own, positive], rule)


def _why(
    rule: ThresholdSpec, by_fold: Mapping[int, float], failed: list[int], rows: Predictions | None
) -> str:
    name, n = "F1" if rule.rule == "f1" else "Youden's J", 0 if rows is None else len(rows)
    # A row about a patient has the patient's name.
    what = "patients" if rows is not None and n and rows.id == rows.patient else "rows"
    where = f"the scored {what} themselves" if rule.fitted_on == "scored" else f"validation {what}"
    if len(failed) == len(by_fold):
        return f"0.5, not fitted: no fold has both classes among {n} {where}"
    text = f"best {name} on {n} {where}"
    if len(by_fold) > 1:
        low, high = min(by_fold.values()), max(by_fold.values())
        text += f", fold by fold ({rounded(low, 4)} to {rounded(high, 4)}; the mean is given)"
    if failed:
        numbers = ", ".join(str(fold + 1) for fold in failed)
        text += f"; 0.5 for folds {numbers}, which lack one of the two classes there"
    return text
