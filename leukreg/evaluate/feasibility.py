"""What can be said against an ``[evaluate]`` table before, and against predictions after, work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from leukreg.data.groups import groups_of
from leukreg.errors import Problem, Problems, TrainingError
from leukreg.evaluate.bootstrap import units_of
from leukreg.evaluate.conformal import rows_needed
from leukreg.recipe.model import ConformalSpec, EvaluateSpec, Recipe
from leukreg.types import Fold, Predictions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leukreg.data.image_store import ImageStore


def problems(spec: EvaluateSpec, classes: tuple[str, ...]) -> tuple[Problem, ...]:
    """Requests of ``[evaluate]`` that are impossible with these classes."""
    found: list[Problem] = []
    if spec.positive is not None and spec.positive not in classes:
        found.append(Problem(f"evaluate.positive: no class {spec.positive!r} in {list(classes)}"))
    if spec.threshold is not None and len(classes) != 2:
        found.append(
            Problem(f"evaluate.threshold: needs two classes, the data have {len(classes)}")
        )
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Held:
    """Validation rows of a fold, and what they are as evidence: copies and patients count once."""

    rows: int
    groups: int
    of_class: tuple[int, ...]
    """Groups with rows of each class."""

    @classmethod
    def of(cls, label: NDArray[np.int64], unit: NDArray[np.int64], k: int) -> _Held:
        of_class = tuple(len(np.unique(unit[label == c])) for c in range(k))
        return cls(len(label), len(np.unique(unit)), of_class)


def unfitted(
    spec: EvaluateSpec, predictions: Predictions, validation: Predictions | None
) -> tuple[Problem, ...]:
    """Folds of the scored rows whose validation rows cannot carry what is to be fitted on them."""
    if validation is None:
        validation = predictions.take(np.zeros(0, dtype=np.int64))
    unit, label = units_of(validation), validation.label
    held = {}
    for fold in sorted({int(fold) for fold in predictions.fold}):
        here = validation.fold == fold
        held[fold] = _Held.of(label[here], unit[here], len(predictions.classes))
    return _too_few(spec, predictions.classes, held)


def refuse_too_few(recipe: Recipe, images: ImageStore, folds: Sequence[Fold]) -> None:
    """Stop before training where validation rows are too few for what is to be fitted on them.

    Raises:
        Problems: For a threshold or for calibration there are none, or there are fewer than the
            stated coverage needs.
    """
    samples, spec = images.samples, recipe.evaluate
    number = {name: index for index, name in enumerate(samples.classes)}
    label = np.array([number[row.label] for row in samples.rows], dtype=np.int64)
    unit = groups_of(samples.rows, images.digests, images.near_duplicates)
    held = {
        fold.index: _Held.of(label[rows], unit[rows], len(number))
        for fold, rows in ((f, np.array(f.validation, dtype=np.int64)) for f in folds)
    }
    found = list(_too_few(spec, samples.classes, held))
    rule = spec.threshold
    fitted = rule is not None and rule.rule != "fixed" and rule.fitted_on == "validation"
    if fitted and not any(one.rows for one in held.values()):
        found.append(
            Problem(
                "evaluate.threshold: is fitted on validation rows and there are none; "
                "set data.folds.validation above 0, or rule = 'fixed'"
            )
        )
    if found:
        keys = [problem.message.partition(":")[0] for problem in found]
        raise Problems([recipe.problem(k, p.message) for k, p in zip(keys, found, strict=True)])


def _too_few(
    spec: EvaluateSpec, classes: tuple[str, ...], held: Mapping[int, _Held]
) -> tuple[Problem, ...]:
    """What these validation rows, by fold, cannot carry."""
    bare = [fold for fold, one in held.items() if not one.rows]
    found = []
    if spec.calibration is not None and bare:
        text = f"evaluate.calibration: no validation rows to fit it on in {_folds(bare, held)}"
        found.append(Problem(f"{text}; set data.folds.validation above 0, or calibration = false"))
    if spec.conformal is None:
        return tuple(found)
    lack = _lacking(spec.conformal, classes, held)
    if lack:
        need = f"needs {rows_needed(spec.conformal.coverage):,} validation rows"
        stated = f"evaluate.conformal: {100 * spec.conformal.coverage:g} % coverage {need}"
        more = " of every class" if spec.conformal.by_class else ""
        if any(one.groups < one.rows for one in held.values()):
            lack += " (copies of a picture, and images of one patient, count as one)"
        advice = "lower the coverage or hold more rows out for validation"
        advice += ", or set by_class = false" if spec.conformal.by_class else ""
        found.append(Problem(f"{stated}{more}, {lack}; {advice}"))
    return tuple(found)


def _lacking(spec: ConformalSpec, classes: tuple[str, ...], held: Mapping[int, _Held]) -> str:
    """Where there are fewest rows, in words; "" where there are enough."""
    sizes = {"": {fold: one.groups for fold, one in held.items()}}
    if spec.by_class:
        sizes = {
            f" of {name!r}": {fold: one.of_class[index] for fold, one in held.items()}
            for index, name in enumerate(classes)
        }
    short = []
    for of, by_fold in sizes.items():
        least = min(by_fold, key=lambda fold: by_fold[fold], default=None)
        if least is not None and (n := by_fold[least]) < rows_needed(spec.coverage):
            short.append((n, f"{_folds([least], held)} has {n:,}{of}"))
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
