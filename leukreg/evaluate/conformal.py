"""Conformal prediction sets: split conformal, each fold's limits from its own validation rows.

A class is in an image's set where it conforms no worse than the validation rows did. If the image
is exchangeable with them, its set holds the true class with at least the stated coverage, however
poor the model (Vovk et al., 2005; Papadopoulos et al., 2002). Copies of a picture, and images of
one patient, are not exchangeable with a new one's, but the groups of them are: each group weighs
one, and as many groups as otherwise rows are needed. Rows that also chose the epoch are slightly
too good.

Written here in place of a library: mapie and crepes wrap an estimator that is fitted and asked for
features, while this stands after the predictions, fold by fold, and must be kept as plain numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukreg.evaluate.bootstrap import units_of
from leukreg.fitted import Conformal, ConformalFold
from leukreg.recipe.model import ConformalSpec
from leukreg.seeds import derive
from leukreg.types import Predictions, Score

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def rank(n: int, coverage: float) -> int:
    """Which of ``n`` scores, from the smallest, is the limit; above ``n`` there is none."""
    # 100 * 0.55 is 55.00000000000001 to a computer, and must not ask for one score more.
    return math.ceil((n + 1) * coverage - 1e-9)


def rows_needed(coverage: float) -> int:
    """Fewest groups of rows from which sets with this coverage can be made (99 % needs 99)."""
    return math.ceil(coverage / (1 - coverage) - 1e-9)


def fit_conformal(
    validation: Predictions, folds: Sequence[int], spec: ConformalSpec, seed: int
) -> Conformal:
    """Limits for each of these folds from its validation rows, each group of them weighing one.

    Enough groups are taken for granted (see :func:`leukreg.evaluate.refuse_too_few`): with fewer
    than :func:`rows_needed` every class is in every set.

    Args:
        validation: The rows, with the probabilities that sets are to be made from.
        spec: Method, coverage, and whether it holds within every class.
        seed: The recipe's; randomised scores are drawn from it and the image's id.
    """
    scores, unit = nonconformity(validation, spec.method, seed), units_of(validation)
    own = scores[np.arange(len(validation)), validation.label]
    classes = range(len(validation.classes))
    fitted = []
    for fold in folds:
        here = validation.fold == fold
        chosen = [here & (validation.label == c) if spec.by_class else here for c in classes]
        fitted.append(
            ConformalFold(
                fold=fold,
                rows=tuple(int(each.sum()) for each in chosen),
                groups=tuple(len(np.unique(unit[each])) for each in chosen),
                limits=tuple(_limit(own[each], unit[each], spec.coverage) for each in chosen),
            )
        )
    return Conformal(
        method=spec.method,
        coverage=spec.coverage,
        by_class=spec.by_class,
        seed=seed,
        folds=tuple(fitted),
    )


def _limit(scores: Floats, unit: NDArray[np.int64], coverage: float) -> float:
    """The least score that groups of this weight do not exceed, each row a part of its group.

    A random image of a new group is then covered (Dunn et al., 2022; Lee et al., 2023); were the
    rows counted, copies of a few easy pictures would make the limit, and hard ones fall out.
    """
    _, group, size = np.unique(unit, return_inverse=True, return_counts=True)
    place, order = rank(len(size), coverage), np.argsort(scores, kind="stable")
    if place > len(size):
        return math.inf
    reached = np.cumsum(1 / size[group][order])
    return float(scores[order[np.searchsorted(reached, place - 1e-9)]])


def nonconformity(predictions: Predictions, method: str, seed: int) -> Floats:
    """How badly each class conforms to each row, ``(n, k)``, 0 to 1; labels are not looked at.

    "lac" is one minus the probability (Sadinle et al., 2019). "aps" is the probability of all more
    probable classes and a random part of the class's own (Romano et al., 2020); the part depends on
    seed and image id alone, so that an image always gets the same set.
    """
    p = predictions.probabilities
    if method == "lac":
        return np.asarray(1 - p)
    order = np.argsort(-p, axis=1, kind="stable")
    ranked = np.take_along_axis(p, order, axis=1)
    part = np.array([derive(seed, "conformal", name) / 2**63 for name in predictions.id])
    scores = np.empty_like(p)
    above = np.cumsum(ranked, axis=1) - ranked
    np.put_along_axis(scores, order, above + part.reshape(-1, 1) * ranked, axis=1)
    return scores


def conformal_sets(predictions: Predictions, conformal: Conformal) -> Bools:
    """Which classes are in each row's set, ``(n, k)``, by the limits of the row's fold.

    With "lac" a set may be empty: the image is like none of the classes. With "aps" the most
    probable class is always in, as Romano et al. do; that can only raise the coverage.

    Raises:
        KeyError: A row's fold was not fitted.
    """
    n, k = predictions.probabilities.shape
    by_fold = {one.fold: one.limits for one in conformal.folds}
    limits = np.array([by_fold[int(fold)] for fold in predictions.fold], dtype=np.float64)
    sets = nonconformity(predictions, conformal.method, conformal.seed) <= limits.reshape(n, k)
    if conformal.method == "aps":
        sets[np.arange(n), predictions.probabilities.argmax(axis=1)] = True
    return np.asarray(sets)


def voted_sets(parts: Sequence[Predictions], conformal: Conformal) -> Bools:
    """Sets of an ensemble: the classes in more than half of its models' sets, ``(n, k)``.

    The share of sets without the true class is at most twice that of one model (Gasparin and
    Ramdas, 2024); in practice it is close to it.

    Args:
        parts: The same rows in the same order, as each fold's model predicts them.
    """
    votes = np.sum([conformal_sets(part, conformal) for part in parts], axis=0)
    return np.asarray(2 * votes > len(parts))


FIGURES = ("set_coverage", "set_size", "set_singletons", "set_empty")
"""Share of sets with the true class in them, mean number of classes, shares of sets with one class
and with none."""


@dataclass(frozen=True, slots=True)
class SetFigures:
    """A metric over rows that have conformal sets: the figures of all rows and of each class."""

    def build(self, predictions: Predictions) -> Iterator[Score]:
        ones = np.ones((len(predictions), 1))
        for (name, label), (value,) in self.resampled(predictions, ones).items():
            if np.isnan(value):
                why = "no rows" if label is None else f"no row of {label}"
                yield Score(name=name, value=None, label=label, why=why)
            else:
                yield Score(name=name, value=float(value), label=label)

    def resampled(
        self, predictions: Predictions, weights: Floats
    ) -> Mapping[tuple[str, str | None], Floats]:
        """Each figure over resamples, ``(b,)``; ``weights`` has shape ``(n, b)``."""
        sets = predictions.sets
        assert sets is not None, "rows without sets"
        size = sets.sum(axis=1)
        covered = sets[np.arange(len(predictions)), predictions.label]
        rows = np.stack([covered, size, size == 1, size == 0]).astype(np.float64)
        found: dict[tuple[str, str | None], Floats] = {}
        for label in (None, *predictions.classes):
            own = slice(None)
            if label is not None:
                own = predictions.label == predictions.classes.index(label)
            total = weights[own].sum(axis=0)
            means = np.full((len(FIGURES), weights.shape[1]), np.nan)
            np.divide(rows[:, own] @ weights[own], total, out=means, where=total > 0)
            found |= {(name, label): mean for name, mean in zip(FIGURES, means, strict=True)}
        return found
