"""Metrics of the probabilities themselves: how far they may be taken at their word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar

from annotated_types import Ge

from leukreg import Figure, Predictions, Score, plugin

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Resampled = Mapping[tuple[str, str | None], Floats]


@plugin("nll")
class Nll:
    """Negative log-likelihood of the true classes (log loss), in nats a row."""

    of_probabilities: ClassVar[bool] = True
    figures: ClassVar[tuple[Figure, ...]] = (
        Figure(name="nll", title="log loss", higher_is_better=False, high=None),
    )

    def build(self, predictions: Predictions) -> Iterable[Score]:
        from leukreg_plugins.metrics.formulas import nll_rows

        if len(predictions) == 0:
            return [Score(name="nll", value=None, why="no rows")]
        return [Score(name="nll", value=float(nll_rows(predictions).mean()))]

    def resampled(self, predictions: Predictions, weights: Floats) -> Resampled:
        from leukreg_plugins.metrics.formulas import mean_of, nll_rows

        return {("nll", None): mean_of(nll_rows(predictions), weights)}


@plugin("brier")
class Brier:
    """Mean squared error of the probabilities: 0 to 1 with two classes, 0 to 2 with more."""

    of_probabilities: ClassVar[bool] = True
    figures: ClassVar[tuple[Figure, ...]] = (
        Figure(name="brier", title="Brier score", higher_is_better=False, high=2.0),
    )

    def build(self, predictions: Predictions) -> Iterable[Score]:
        from leukreg_plugins.metrics.formulas import brier_rows

        if len(predictions) == 0:
            return [Score(name="brier", value=None, why="no rows")]
        return [Score(name="brier", value=float(brier_rows(predictions).mean()))]

    def resampled(self, predictions: Predictions, weights: Floats) -> Resampled:
        from leukreg_plugins.metrics.formulas import brier_rows, mean_of

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

        from leukreg_plugins.metrics.formulas import ece

        if len(predictions) == 0:
            return [Score(name="ece", value=None, why="no rows")]
        value = ece(predictions, self.bins, np.ones((len(predictions), 1)))[0]
        return [Score(name="ece", value=float(value), why=f"{self.bins} equally wide bins")]

    def resampled(self, predictions: Predictions, weights: Floats) -> Resampled:
        from leukreg_plugins.metrics.formulas import ece

        return {("ece", None): ece(predictions, self.bins, weights)}
