"""What can be said against an ``[evaluate]`` table before, and against predictions after, work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from leukreg.errors import Problem, Problems, TrainingError
from leukreg.evaluate.conformal import rows_needed
from leukreg.recipe.model import ConformalSpec, EvaluateSpec, Recipe
from leukreg.types import Fold, Predictions, Samples


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


def unfitted(
    spec: EvaluateSpec, predictions: Predictions, validation: Predictions | None
) -> tuple[Problem, ...]:
    """Folds of the scored rows whose validation rows cannot carry what is to be fitted on them."""
    counts: dict[int, tuple[int, ...]] = {}
    for fold in sorted({int(fold) for fold in predictions.fold}):
        none = np.zeros(0, dtype=np.int64)
        own = none if validation is None else validation.label[validation.fold == fold]
        counts[fold] = tuple(np.bincount(own, minlength=len(predictions.classes)).tolist())
    return too_few(spec, predictions.classes, counts)


def refuse_too_few(recipe: Recipe, samples: Samples, folds: Sequence[Fold]) -> None:
    """Stop before training where a fold's validation rows are too few.

    Raises:
        Problems: For calibration there are none, or fewer than the stated coverage needs.
    """
    counts = {
        fold.index: tuple(
            sum(samples.rows[row].label == name for row in fold.validation)
            for name in samples.classes
        )
        for fold in folds
    }
    found = too_few(recipe.evaluate, samples.classes, counts)
    if found:
        keys = [problem.message.partition(":")[0] for problem in found]
        raise Problems([recipe.problem(k, p.message) for k, p in zip(keys, found, strict=True)])


def too_few(
    spec: EvaluateSpec, classes: tuple[str, ...], counts: Mapping[int, tuple[int, ...]]
) -> tuple[Problem, ...]:
    """What these validation rows cannot carry; ``counts`` has a fold's rows of each class."""
    bare = [fold for fold, rows in counts.items() if not sum(rows)]
    found = []
    if spec.calibration is not None and bare:
        text = f"evaluate.calibration: no validation rows to fit it on in {_folds(bare, counts)}"
        found.append(Problem(f"{text}; set data.folds.validation above 0, or calibration = false"))
    if spec.conformal is None:
        return tuple(found)
    lack = _lacking(spec.conformal, classes, counts)
    if lack:
        need = f"needs {rows_needed(spec.conformal.coverage):,} validation rows"
        stated = f"evaluate.conformal: {100 * spec.conformal.coverage:g} % coverage {need}"
        more = " of every class" if spec.conformal.by_class else ""
        advice = "lower the coverage or hold more rows out for validation"
        advice += ", or set by_class = false" if spec.conformal.by_class else ""
        found.append(Problem(f"{stated}{more}, {lack}; {advice}"))
    return tuple(found)


def _lacking(
    spec: ConformalSpec, classes: tuple[str, ...], counts: Mapping[int, tuple[int, ...]]
) -> str:
    """Where there are fewest rows, in words; "" where there are enough."""
    need = rows_needed(spec.coverage)
    if not spec.by_class:
        least = min(counts, key=lambda fold: sum(counts[fold]), default=None)
        if least is None or (n := sum(counts[least])) >= need:
            return ""
        return f"{_folds([least], counts)} has {n:,}"
    short = []
    for index, name in enumerate(classes):
        least = min(counts, key=lambda fold: counts[fold][index], default=None)
        if least is not None and (n := counts[least][index]) < need:
            short.append((n, f"{_folds([least], counts)} has {n:,} of {name!r}"))
    more = f" (and {len(short) - 1} other classes lack rows)" if len(short) > 2 else ""
    more = " (and 1 other class lacks rows)" if len(short) == 2 else more
    return min(short)[1] + more if short else ""


def _folds(some: Sequence[int], of: Mapping[int, object]) -> str:
    if len(of) == 1:
        return "the only fold"
    return f"fold{'' if len(some) == 1 else 's'} {', '.join(str(fold + 1) for fold in some)}"


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
