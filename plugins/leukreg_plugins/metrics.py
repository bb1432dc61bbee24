"""Metrics: of the answers, of the ranking, and of the probabilities themselves.

scikit-learn gives the figures of the scored rows; resamples are done all at once by
:mod:`leukreg_plugins.metric_formulas`.
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
        from sklearn.metrics import accuracy_score

        n = len(predictions)
        if n == 0:
            for figure in self.figures:
                yield Score(name=figure.name, value=None, why="no rows")
            return
        value = accuracy_score(predictions.label, predictions.answers)
        yield Score(name="accuracy", value=float(value))
        counts = np.bincount(predictions.label)
        why = f"always answering {predictions.classes[int(counts.argmax())]}"
        yield Score(name="majority_baseline", value=counts.max() / n, why=why)

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
        from leukreg_plugins.metric_formulas import class_figures

        figures, support = class_figures(predictions)
        for i, label in enumerate(predictions.classes):
            yield Score(name="support", value=float(support[i]), label=label)
            whys = {
                "precision": f"{label} was never answered",
                "recall": f"no row of {label}",
                "f1": f"no row of {label}, and it was never answered",
                "specificity": f"no row of any class but {label}",
            }
            for name, values in figures.items():
                yield _defined(name, values[i], whys[name], label)

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
        import numpy as np

        from leukreg_plugins.metric_formulas import class_figures

        figures, _ = class_figures(predictions)
        for name, values in figures.items():
            lacking = ", ".join(predictions.classes[i] for i in np.flatnonzero(np.isnan(values)))
            why = {
                "precision": f"never answered: {lacking}",
                "recall": f"no row of {lacking}",
                "f1": f"no row and no answer of {lacking}",
                "specificity": f"no row of any class but {lacking}",
            }[name]
            yield _defined(f"macro_{name}", values.mean(), why)
            if name == "recall":
                balanced = _defined("balanced_accuracy", values.mean(), why)
        yield balanced

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
        import numpy as np
        from sklearn.metrics import matthews_corrcoef

        truth, answers = predictions.label, predictions.answers
        why = "" if len(truth) else "no rows"
        if not why and len(np.unique(truth)) < 2:
            why = "all rows are of one class"
        elif not why and len(np.unique(answers)) < 2:
            why = "all answers are one class"
        value = None if why else float(matthews_corrcoef(truth, answers))
        return [Score(name="mcc", value=value, why=why)]

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
        import numpy as np

        found = self.resampled(predictions, np.ones((len(predictions), 1)))
        for index, ((name, label), (value,)) in enumerate(found.items()):
            if value == value:
                why = f"at a specificity of {self.specificity:g}"
                yield Score(name=name, value=float(value), label=label, why=why)
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
        import numpy as np

        if len(predictions) == 0:
            return [Score(name="ece", value=None, why="no rows")]
        value = self.resampled(predictions, np.ones((len(predictions), 1)))["ece", None][0]
        return [Score(name="ece", value=float(value), why=f"{self.bins} equally wide bins")]

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
