"""Metrics. scikit-learn gives the figures where it has them; resamples are done all at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar

from annotated_types import Ge, Le

from leukreg import Predictions, Score, plugin

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Resampled = Mapping[tuple[str, str | None], Floats]


def _score(name: str, value: float, why: str, label: str | None = None) -> Score:
    """A score, undefined where the value is NaN."""
    if value != value:
        return Score(name=name, value=None, label=label, why=why)
    return Score(name=name, value=float(value), label=label)


def _absent(predictions: Predictions) -> list[str]:
    present = set(predictions.label.tolist())
    return [name for i, name in enumerate(predictions.classes) if i not in present]


def _no_row(names: Iterable[str]) -> str:
    return f"no row of {', '.join(names)}"


_AT = "sensitivity_at_specificity"


@plugin("accuracy")
class Accuracy:
    """Share of right answers, beside that of always answering the most frequent class."""

    def build(self, predictions: Predictions) -> Iterable[Score]:
        import numpy as np
        from sklearn.metrics import accuracy_score

        from leukreg_plugins.scoring.counts import decisions

        n = len(predictions)
        if n == 0:
            empty = float("nan")
            return [_score(name, empty, "no rows") for name in ("accuracy", "majority_baseline")]
        value = accuracy_score(predictions.label, decisions(predictions))
        counts = np.bincount(predictions.label)
        name = predictions.classes[int(counts.argmax())]
        baseline = Score(
            name="majority_baseline", value=counts.max() / n, why=f"always answering {name}"
        )
        return [_score("accuracy", value, ""), baseline]

    def resampled(self, predictions: Predictions, weights: Floats) -> Resampled:
        from leukreg_plugins.scoring.counts import accuracy, confusions

        return {("accuracy", None): accuracy(confusions(predictions, weights))}


@plugin("per-class")
class PerClass:
    """Precision, recall, F1, specificity and support of each class against the rest."""

    def build(self, predictions: Predictions) -> Iterable[Score]:
        from leukreg_plugins.scoring.points import per_class

        figures, support = per_class(predictions)
        for i, label in enumerate(predictions.classes):
            yield Score(name="support", value=float(support[i]), label=label)
            for name, values in figures.items():
                yield _score(name, values[i], self._why(name, label), label)

    def resampled(self, predictions: Predictions, weights: Floats) -> Resampled:
        from leukreg_plugins.scoring.counts import confusions, per_class

        figures = per_class(confusions(predictions, weights))
        return {
            (name, label): values[:, i]
            for name, values in figures.items()
            for i, label in enumerate(predictions.classes)
        }

    def _why(self, name: str, label: str) -> str:
        return {
            "precision": f"{label} was never answered",
            "recall": f"no row of {label}",
            "f1": f"no row of {label}, and it was never answered",
            "specificity": f"no row of any class but {label}",
        }[name]


@plugin("macro")
class Macro:
    """Means over the classes, each counting alike; balanced accuracy is the mean recall.

    Undefined as soon as one class is: a mean over the other classes would be a different figure.
    """

    def build(self, predictions: Predictions) -> Iterable[Score]:
        import numpy as np

        from leukreg_plugins.scoring.points import per_class

        figures, _ = per_class(predictions)
        absent = _absent(predictions)
        for name, values in figures.items():
            lacking = [predictions.classes[i] for i in np.flatnonzero(np.isnan(values))]
            why = {
                "precision": f"never answered: {', '.join(lacking)}",
                "recall": _no_row(lacking),
                "f1": f"no row and no answer of {', '.join(lacking)}",
                "specificity": f"no row of any class but {', '.join(lacking)}",
            }[name]
            yield _score(f"macro_{name}", float(values.mean()), why)
        recall = float(figures["recall"].mean())
        yield _score("balanced_accuracy", recall, _no_row(absent))

    def resampled(self, predictions: Predictions, weights: Floats) -> Resampled:
        from leukreg_plugins.scoring.counts import confusions, per_class

        figures = per_class(confusions(predictions, weights))
        means: dict[tuple[str, str | None], Floats] = {}
        for name, values in figures.items():
            means[f"macro_{name}", None] = values.mean(axis=1)
        return {**means, ("balanced_accuracy", None): means["macro_recall", None]}


@plugin("mcc")
class Mcc:
    """Matthews correlation between truth and answers (Matthews, 1975; Gorodkin, 2004)."""

    def build(self, predictions: Predictions) -> Iterable[Score]:
        import numpy as np
        from sklearn.metrics import matthews_corrcoef

        from leukreg_plugins.scoring.counts import decisions

        truth, answers = predictions.label, decisions(predictions)
        value = float("nan")
        why = "no rows"
        if len(truth):
            why = "all rows are of one class" if len(np.unique(truth)) < 2 else ""
            why = why or ("all answers are one class" if len(np.unique(answers)) < 2 else "")
            value = value if why else float(matthews_corrcoef(truth, answers))
        return [_score("mcc", value, why)]

    def resampled(self, predictions: Predictions, weights: Floats) -> Resampled:
        from leukreg_plugins.scoring.counts import confusions, mcc

        return {("mcc", None): mcc(confusions(predictions, weights))}


@plugin("auc")
class Auc:
    """Area under the ROC curve: each class against the rest, and their mean."""

    def build(self, predictions: Predictions) -> Iterable[Score]:
        from sklearn.metrics import roc_auc_score

        from leukreg_plugins.scoring.points import one_against_rest

        return one_against_rest("auc", roc_auc_score, predictions)

    def resampled(self, predictions: Predictions, weights: Floats) -> Resampled:
        from leukreg_plugins.scoring.points import resampled_against_rest
        from leukreg_plugins.scoring.ranks import auc

        return resampled_against_rest("auc", auc, predictions, weights)


@plugin("average-precision")
class AveragePrecision:
    """Area under the precision-recall steps: each class against the rest, and their mean."""

    def build(self, predictions: Predictions) -> Iterable[Score]:
        from sklearn.metrics import average_precision_score

        from leukreg_plugins.scoring.points import one_against_rest

        return one_against_rest("average_precision", average_precision_score, predictions)

    def resampled(self, predictions: Predictions, weights: Floats) -> Resampled:
        from leukreg_plugins.scoring.points import resampled_against_rest
        from leukreg_plugins.scoring.ranks import average_precision

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

        from leukreg_plugins.scoring.ranks import sensitivity_at

        ones = np.ones((len(predictions), 1))
        for index, label in enumerate(predictions.classes):
            truth, p = predictions.label == index, predictions.probabilities[:, index]
            value = float(sensitivity_at(truth, p, ones, self.specificity)[0])
            lacking = label if not truth.any() else f"any class but {label}"
            if value != value:
                yield _score(_AT, value, f"no row of {lacking}", label)
            else:
                why = f"at a specificity of {self.specificity:g}"
                yield Score(name=_AT, value=value, label=label, why=why)

    def resampled(self, predictions: Predictions, weights: Floats) -> Resampled:
        from leukreg_plugins.scoring.ranks import sensitivity_at

        return {
            (_AT, label): sensitivity_at(
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

    def build(self, predictions: Predictions) -> Iterable[Score]:
        from leukreg_plugins.scoring.calibration import nll_rows

        if len(predictions) == 0:
            return [Score(name="nll", value=None, why="no rows")]
        return [Score(name="nll", value=float(nll_rows(predictions).mean()))]

    def resampled(self, predictions: Predictions, weights: Floats) -> Resampled:
        from leukreg_plugins.scoring.calibration import mean_of, nll_rows

        return {("nll", None): mean_of(nll_rows(predictions), weights)}


@plugin("brier")
class Brier:
    """Mean squared error of the probabilities: 0 to 1 with two classes, 0 to 2 with more."""

    of_probabilities: ClassVar[bool] = True

    def build(self, predictions: Predictions) -> Iterable[Score]:
        from leukreg_plugins.scoring.calibration import brier_rows

        if len(predictions) == 0:
            return [Score(name="brier", value=None, why="no rows")]
        return [Score(name="brier", value=float(brier_rows(predictions).mean()))]

    def resampled(self, predictions: Predictions, weights: Floats) -> Resampled:
        from leukreg_plugins.scoring.calibration import brier_rows, mean_of

        return {("brier", None): mean_of(brier_rows(predictions), weights)}


@plugin("ece")
class Ece:
    """Expected calibration error of the most probable class (Guo et al., 2017)."""

    of_probabilities: ClassVar[bool] = True
    bins: Annotated[int, Ge(1)] = 15
    """Number of equally wide bins of confidence."""

    def build(self, predictions: Predictions) -> Iterable[Score]:
        import numpy as np

        from leukreg_plugins.scoring.calibration import ece

        if len(predictions) == 0:
            return [Score(name="ece", value=None, why="no rows")]
        value = ece(predictions, self.bins, np.ones((len(predictions), 1)))[0]
        return [Score(name="ece", value=float(value), why=f"{self.bins} equally wide bins")]

    def resampled(self, predictions: Predictions, weights: Floats) -> Resampled:
        from leukreg_plugins.scoring.calibration import ece

        return {("ece", None): ece(predictions, self.bins, weights)}


METRICS: list[type] = [
    Accuracy,
    PerClass,
    Macro,
    Mcc,
    Auc,
    AveragePrecision,
    SensitivityAtSpecificity,
    Nll,
    Brier,
    Ece,
]
