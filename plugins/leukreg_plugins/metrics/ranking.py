"""Metrics of how probabilities rank the rows, wherever a threshold may lie."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar

from annotated_types import Ge, Le

from leukreg import Figure, Predictions, Score, plugin
from leukreg_plugins.metrics.answers import scored

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Resampled = Mapping[tuple[str, str | None], Floats]


_AT = "sensitivity_at_specificity"


@plugin("auc")
class Auc:
    """Area under the ROC curve: each class against the rest, and their mean."""

    figures: ClassVar[tuple[Figure, ...]] = (Figure(name="auc", title="AUC"),)

    def build(self, predictions: Predictions) -> Iterable[Score]:
        from sklearn.metrics import roc_auc_score

        from leukreg_plugins.metrics.formulas import one_against_rest

        return one_against_rest("auc", roc_auc_score, predictions)

    def resampled(self, predictions: Predictions, weights: Floats) -> Resampled:
        from leukreg_plugins.metrics.formulas import auc, resampled_against_rest

        return resampled_against_rest("auc", auc, predictions, weights)


@plugin("average-precision")
class AveragePrecision:
    """Area under the precision-recall steps: each class against the rest, and their mean."""

    figures: ClassVar[tuple[Figure, ...]] = (
        Figure(name="average_precision", title="average precision"),
    )

    def build(self, predictions: Predictions) -> Iterable[Score]:
        from sklearn.metrics import average_precision_score

        from leukreg_plugins.metrics.formulas import one_against_rest

        return one_against_rest("average_precision", average_precision_score, predictions)

    def resampled(self, predictions: Predictions, weights: Floats) -> Resampled:
        from leukreg_plugins.metrics.formulas import average_precision, resampled_against_rest

        return resampled_against_rest("average_precision", average_precision, predictions, weights)


@plugin("sensitivity-at-specificity")
class SensitivityAtSpecificity:
    """Sensitivity of each class at the threshold that keeps a given specificity.

    The threshold is read off the scored rows themselves: it tells how far a class stands apart, not
    what a threshold chosen beforehand would have found.
    """

    specificity: Annotated[float, Ge(0), Le(1)] = 0.9
    """At least so many of the other classes' rows are not answered with the class."""

    def build(self, predictions: Predictions) -> Iterable[Score]:
        import numpy as np

        from leukreg_plugins.metrics.formulas import sensitivity_at

        ones = np.ones((len(predictions), 1))
        for index, label in enumerate(predictions.classes):
            truth, p = predictions.label == index, predictions.probabilities[:, index]
            value = float(sensitivity_at(truth, p, ones, self.specificity)[0])
            lacking = label if not truth.any() else f"any class but {label}"
            if value != value:
                yield scored(_AT, value, f"no row of {lacking}", label)
            else:
                why = f"at a specificity of {self.specificity:g}"
                yield Score(name=_AT, value=value, label=label, why=why)

    def resampled(self, predictions: Predictions, weights: Floats) -> Resampled:
        from leukreg_plugins.metrics.formulas import sensitivity_at

        return {
            (_AT, label): sensitivity_at(
                predictions.label == index,
                predictions.probabilities[:, index],
                weights,
                self.specificity,
            )
            for index, label in enumerate(predictions.classes)
        }
