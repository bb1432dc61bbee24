"""Metrics of the answers. scikit-learn gives the figures; resamples are done all at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar

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

        from leukreg_plugins.metrics.formulas import decisions

        n = len(predictions)
        if n == 0:
            empty = float("nan")
            return [scored(name, empty, "no rows") for name in ("accuracy", "majority_baseline")]
        value = accuracy_score(predictions.label, decisions(predictions))
        counts = np.bincount(predictions.label)
        name = predictions.classes[int(counts.argmax())]
        baseline = Score(
            name="majority_baseline", value=counts.max() / n, why=f"always answering {name}"
        )
        return [scored("accuracy", value, ""), baseline]

    def resampled(self, predictions: Predictions, weights: Floats) -> Resampled:
        from leukreg_plugins.metrics.formulas import accuracy, confusions

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
        from leukreg_plugins.metrics.formulas import class_figures

        figures, support = class_figures(predictions)
        for i, label in enumerate(predictions.classes):
            yield Score(name="support", value=float(support[i]), label=label)
            for name, values in figures.items():
                yield scored(name, values[i], self._why(name, label), label)

    def resampled(self, predictions: Predictions, weights: Floats) -> Resampled:
        from leukreg_plugins.metrics.formulas import confusions, per_class

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

        from leukreg_plugins.metrics.formulas import class_figures

        figures, _ = class_figures(predictions)
        for name, values in figures.items():
            lacking = [predictions.classes[i] for i in np.flatnonzero(np.isnan(values))]
            why = {
                "precision": f"never answered: {', '.join(lacking)}",
                "recall": no_row(lacking),
                "f1": f"no row and no answer of {', '.join(lacking)}",
                "specificity": f"no row of any class but {', '.join(lacking)}",
            }[name]
            yield scored(f"macro_{name}", float(values.mean()), why)
        recall = float(figures["recall"].mean())
        yield scored("balanced_accuracy", recall, no_row(absent(predictions)))

    def resampled(self, predictions: Predictions, weights: Floats) -> Resampled:
        from leukreg_plugins.metrics.formulas import confusions, per_class

        figures = per_class(confusions(predictions, weights))
        means: dict[tuple[str, str | None], Floats] = {}
        for name, values in figures.items():
            means[f"macro_{name}", None] = values.mean(axis=1)
        return {**means, ("balanced_accuracy", None): means["macro_recall", None]}


@plugin("mcc")
class Mcc:
    """Matthews correlation between truth and answers (Matthews, 1975; Gorodkin, 2004)."""

    figures: ClassVar[tuple[Figure, ...]] = (Figure(name="mcc", title="MCC", low=-1.0),)

    def build(self, predictions: Predictions) -> Iterable[Score]:
        import numpy as np
        from sklearn.metrics import matthews_corrcoef

        from leukreg_plugins.metrics.formulas import decisions

        truth, answers = predictions.label, decisions(predictions)
        value = float("nan")
        why = "no rows"
        if len(truth):
            why = "all rows are of one class" if len(np.unique(truth)) < 2 else ""
            why = why or ("all answers are one class" if len(np.unique(answers)) < 2 else "")
            value = value if why else float(matthews_corrcoef(truth, answers))
        return [scored("mcc", value, why)]

    def resampled(self, predictions: Predictions, weights: Floats) -> Resampled:
        from leukreg_plugins.metrics.formulas import confusions, mcc

        return {("mcc", None): mcc(confusions(predictions, weights))}


def scored(name: str, value: float, why: str, label: str | None = None) -> Score:
    """A score, undefined where the value is NaN."""
    if value != value:
        return Score(name=name, value=None, label=label, why=why)
    return Score(name=name, value=float(value), label=label)


def absent(predictions: Predictions) -> list[str]:
    present = set(predictions.label.tolist())
    return [name for i, name in enumerate(predictions.classes) if i not in present]


def no_row(names: Iterable[str]) -> str:
    return f"no row of {', '.join(names)}"
