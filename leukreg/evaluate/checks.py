"""What can be said against an ``[evaluate]`` table before, and against predictions after, work."""

from __future__ import annotations

import numpy as np

from leukreg.errors import Problem, TrainingError
from leukreg.recipe.model import EvaluateSpec
from leukreg.types import Predictions


def problems(
    spec: EvaluateSpec, classes: tuple[str, ...], validation_rows: int | None = None
) -> tuple[Problem, ...]:
    """Impossible requests of ``[evaluate]``, to be asked before anything is trained.

    Args:
        spec: The checked table.
        classes: Class names of the task.
        validation_rows: Rows held out for validation, where already known.
    """
    found: list[Problem] = []
    if spec.positive is not None and spec.positive not in classes:
        found.append(Problem(f"evaluate.positive: no class {spec.positive!r} in {list(classes)}"))
    if spec.threshold is None:
        return tuple(found)
    if len(classes) != 2:
        found.append(
            Problem(f"evaluate.threshold: needs two classes, the data have {len(classes)}")
        )
    fitted = spec.threshold.rule != "fixed" and spec.threshold.fitted_on == "validation"
    if fitted and validation_rows == 0:
        found.append(
            Problem(
                "evaluate.threshold: is fitted on validation rows and there are none; "
                "set data.folds.validation above 0, or rule = 'fixed'"
            )
        )
    return tuple(found)


def refuse_broken(predictions: Predictions) -> None:
    """Stop at probabilities that are none.

    Raises:
        TrainingError: A row has a probability that is not a number, lies outside 0 to 1, or the
            row does not sum to 1.
    """
    p = predictions.probabilities
    if p.shape != (len(predictions), len(predictions.classes)):
        raise TrainingError(f"probabilities have shape {p.shape}, not (rows, classes)")
    with np.errstate(invalid="ignore"):
        good = np.isfinite(p).all(axis=1) & (p >= 0).all(axis=1)
        good &= np.abs(p.sum(axis=1) - 1) < 1e-3
    if not good.all():
        first = int(np.flatnonzero(~good)[0])
        raise TrainingError(
            f"{int((~good).sum())} of {len(predictions)} predictions are no probabilities, "
            f"the first for {predictions.path[first]}: {p[first].tolist()}; "
            "the model has probably diverged: lower the learning rate or clip gradients"
        )
