"""Metrics: of the answers, of the ranking, and of the probabilities themselves.

Formulas that do all resamples at once are in :mod:`leukreg_plugins.metric_formulas`; the ranking
figures of the scored rows themselves are scikit-learn's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar

from annotated_types import Ge, Le

from leukreg import Figure, Predictions, Score, plugin

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Resampled = Mapping[tuple[str, str | None], Floats]


@plugin("accuracy")
class Accuracy:
    """Share of right answers, beside that of always answering the most frequent class."""

    figures: ClassVar[tuple[Figure, ...]] = (
        Figure(name="accuracy", title="accuracy"),
        Figure(name="majority_baseline", title="majority baseline", higher_is_better=None),
    )

    def build(self, predictions: Predictions) -> Iterable[Score]:
        import numpy as np

        from leukreg_plugins.metric_formulas import once

        yield _defined("accuracy", once(self, predictions)["accuracy", None], "no rows")
        if not len(predictions):
            yield Score(name="majority_baseline", value=None, why="no rows")
            return
        counts = np.bincount(predictions.label)
        why = f"always answering {predictions.classes[int(counts.argmax())]}"
        yield Score(name="majority_baseline", value=counts.max() / len(predictions), why=why)

    def resampled(self, predictions: Predictions, weights: Floats) -> Resampled:
        from leukreg_plugins.metric_formulas import accuracy, confusions

        return {("accuracy", None): accuracy(confusions(predictions, weights))}


@plugin("per-class")
class PerClass:
    """Precision, recall, F1, specificity and support of each class against the rest."""

    figures: ClassVar[tuple[Figure, ...]] = (
        Figure(name="precision", title="precision"),
        Figure(name="recall", title="recall"),
        Figure(name="f1", title="F1"),
        Figure(name="specificity", title="specificity"),
    )

    def build(self, predictions: Predictions) -> Iterable[Score]:
        from leukreg_plugins.metric_formulas import once

        found = once(self, predictions)
        for i, label in enumerate(predictions.classes):
            support = float((predictions.label == i).sum())
            yield Score(name="support", value=support, label=label)
            whys = {
                "precision": f"{label} was never answered",
                "recall": f"no row of {label}",
                "f1": f"no row of {label}, and it was never answered",
                "specificity": f"no row of any class but {label}",
            }
            for name, why in whys.items():
                yield _defined(name, found[name, label], why, label)

    def resampled(self, predictions: Predictions, weights: Floats) -> Resampled:
        from leukreg_plugins.metric_formulas import confusions, per_class

        figures = per_class(confusions(predictions, weights))
        return {
            (name, label): values[:, i]
            for name, values in figures.items()
            for i, label in enumerate(predictions.classes)
        }


@plugin("macro")
class Macro:
    """Means over the classes, each counting alike; balanced accuracy is the mean recall.

    Undefined as soon as one class is: a mean over the other classes would be a different figure.
    """

    figures: ClassVar[tuple[Figure, ...]] = (
        Figure(
            name="balanced_accuracy", title="balanced accuracy", headline=True, mean_of="recall"
        ),
        Figure(name="macro_f1", title="macro F1", mean_of="f1"),
        Figure(name="macro_precision", title="macro precision", main=False, mean_of="precision"),
        Figure(name="macro_recall", title="macro recall", main=False, mean_of="recall"),
        Figure(
            name="macro_specificity", title="macro specificity", main=False, mean_of="specificity"
        ),
    )

    def build(self, predictions: Predictions) -> Iterable[Score]:
        from leukreg_plugins.metric_formulas import once

        found, single = once(self, predictions), once(PerClass(), predictions)
        for (name, _), value in found.items():
            of = "recall" if name == "balanced_accuracy" else name.removeprefix("macro_")
            lacking = ", ".join(c for c in predictions.classes if single[of, c] != single[of, c])
            why = {
                "precision": f"never answered: {lacking}",
                "recall": f"no row of {lacking}",
                "f1": f"no row and no answer of {lacking}",
                "specificity": f"no row of any class but {lacking}",
            }[of]
            yield _defined(name, value, why)

    def resampled(self, predictions: Predictions, weights: Floats) -> Resampled:
        from leukreg_plugins.metric_formulas import confusions, per_class

        figures = per_class(confusions(predictions, weights))
        means: dict[tuple[str, str | None], Floats] = {
            (f"macro_{name}", None): values.mean(axis=1) for name, values in figures.items()
        }
        return {**means, ("balanced_accuracy", None): means["macro_recall", None]}


@plugin("mcc")
class Mcc:
    """Matthews correlation between truth and answers (Matthews, 1975; Gorodkin, 2004)."""

    figures: ClassVar[tuple[Figure, ...]] = (Figure(name="mcc", title="MCC", low=-1.0),)

    def build(self, predictions: Predictions) -> Iterable[Score]:
        from leukreg_plugins.metric_formulas import once

        why = "all answers are one class"
        if len(set(predictions.label.tolist())) < 2:
            why = "all rows are of one class" if len(predictions) else "no rows"
        return [_defined("mcc", once(self, predictions)["mcc", None], why)]

    def resampled(self, predictions: Predictions, weights: Floats) -> Resampled:
        from leukreg_plugins.metric_formulas import confusions, mcc

        return {("mcc", None): mcc(confusions(predictions, weights))}


@plugin("auc")
class Auc:
    """Area under the ROC curve: each class against the rest, and their mean."""

    figures: ClassVar[tuple[Figure, ...]] = (Figure(name="auc", title="AUC"),)

    def build(self, predictions: Predictions) -> Iterable[Score]:
        from sklearn.metrics import roc_auc_score

        from leukreg_plugins.metric_formulas import one_against_rest

        return one_against_rest("auc", roc_auc_score, predictions)

    def resampled(self, predictions: Predictions, weights: Floats) -> Resampled:
        from leukreg_plugins.metric_formulas import auc, resampled_against_rest

        return resampled_against_rest("auc", auc, predictions, weights)


@plugin("average-precision")
class AveragePrecision:
    """Area under the precision-recall steps: each class against the rest, and their mean."""

    figures: ClassVar[tuple[Figure, ...]] = (
        Figure(name="average_precision", title="average precision"),
    )

    def build(self, predictions: Predictions) -> Iterable[Score]:
        from sklearn.metrics import average_precision_score

        from leukreg_plugins.metric_formulas import one_against_rest

        return one_against_rest("average_precision", average_precision_score, predictions)

    def resampled(self, predictions: Predictions, weights: Floats) -> Resampled:
        from leukreg_plugins.metric_formulas import average_precision, resampled_against_rest

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
        from leukreg_plugins.metric_formulas import once

        for index, ((name, label), value) in enumerate(once(self, predictions).items()):
            if value == value:
                why = f"at a specificity of {self.specificity:g}"
                yield Score(name=name, value=value, label=label, why=why)
            else:
                here = (predictions.label == index).any()
                lacking = f"any class but {label}" if here else label
                yield Score(name=name, value=None, label=label, why=f"no row of {lacking}")

    def resampled(self, predictions: Predictions, weights: Floats) -> Resampled:
        from leukreg_plugins.metric_formulas import sensitivity_at

        return {
            ("sensitivity_at_specificity", label): sensitivity_at(
                predictions.label == index,
                predictions.probabilities[:, index],
                weights,
                self.specificity,
            )
            for index, label in enumerate(predictions.classes)
        }


@plugin("nll")
class Nll:
    """Negative log-likelihood of the true classes (log loss), in nats a row."""

    of_probabilities: ClassVar[bool] = True
    figures: ClassVar[tuple[Figure, ...]] = (
        Figure(name="nll", title="log loss", higher_is_better=False, high=None),
    )

    def build(self, predictions: Predictions) -> Iterable[Score]:
        from leukreg_plugins.metric_formulas import nll_rows

        return [_mean("nll", nll_rows(predictions))]

    def resampled(self, predictions: Predictions, weights: Floats) -> Resampled:
        from leukreg_plugins.metric_formulas import mean_of, nll_rows

        return {("nll", None): mean_of(nll_rows(predictions), weights)}


@plugin("brier")
class Brier:
    """Mean squared error of the probabilities: 0 to 1 with two classes, 0 to 2 with more."""

    of_probabilities: ClassVar[bool] = True
    figures: ClassVar[tuple[Figure, ...]] = (
        Figure(name="brier", title="Brier score", higher_is_better=False, high=2.0),
    )

    def build(self, predictions: Predictions) -> Iterable[Score]:
        from leukreg_plugins.metric_formulas import brier_rows

        return [_mean("brier", brier_rows(predictions))]

    def resampled(self, predictions: Predictions, weights: Floats) -> Resampled:
        from leukreg_plugins.metric_formulas import brier_rows, mean_of

        return {("brier", None): mean_of(brier_rows(predictions), weights)}


@plugin("ece")
class Ece:
    """Expected calibration error of the most probable class (Guo et al., 2017)."""

    of_probabilities: ClassVar[bool] = True
    figures: ClassVar[tuple[Figure, ...]] = (
        Figure(name="ece", title="calibration error", higher_is_better=False),
    )
    bins: Annotated[int, Ge(1)] = 15
    """Number of equally wide bins of confidence."""

    def build(self, predictions: Predictions) -> Iterable[Score]:
        from leukreg_plugins.metric_formulas import once

        value, why = once(self, predictions)["ece", None], f"{self.bins} equally wide bins"
        defined = value == value
        yield Score(name="ece", value=value if defined else None, why=why if defined else "no rows")

    def resampled(self, predictions: Predictions, weights: Floats) -> Resampled:
        from leukreg_plugins.metric_formulas import ece

        return {("ece", None): ece(predictions, self.bins, weights)}


def _defined(name: str, value: float, why: str, label: str | None = None) -> Score:
    """A score, undefined where the value is NaN."""
    if value != value:
        return Score(name=name, value=None, label=label, why=why)
    return Score(name=name, value=float(value), label=label)


def _mean(name: str, rows: Floats) -> Score:
    if len(rows) == 0:
        return Score(name=name, value=None, why="no rows")
    return Score(name=name, value=float(rows.mean()))
