"""A run's answers about new patients: its folds' aggregators over what its models see."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from leukreg.choices import positive_of
from leukreg.engine.aggregation import STATE, cells_at, load_aggregator
from leukreg.engine.bags import FoldAggregator, reads_features
from leukreg.errors import DataError, LeukregError
from leukreg.evaluate.calibration import entropy, tempered
from leukreg.patient_results import PatientResults
from leukreg.predict.ensemble import Scan
from leukreg.predict.prediction_table import Predicted
from leukreg.recipe.model import Recipe
from leukreg.record import RunRecord

Floats = NDArray[np.float64]


def require_patients(result: RunRecord) -> PatientResults:
    """The run's own answers about patients.

    Raises:
        LeukregError: It makes none.
    """
    if result.patients is None:
        raise LeukregError(
            f"{result.name} makes no answers about patients: its recipe has no [patients] table"
        )
    return result.patients


def load_aggregators(result: RunRecord, recipe: Recipe) -> tuple[FoldAggregator, ...]:
    """The aggregator of every fold.

    Raises:
        RunError: A file is missing or damaged.
    """
    return tuple(
        load_aggregator(recipe, result.samples, result.folder / f"fold-{fold.index}" / STATE)
        for fold in result.folds
    )


def aggregated(
    result: RunRecord,
    recipe: Recipe,
    aggregators: Sequence[FoldAggregator],
    seen: Scan,
    bags: Sequence[Sequence[int]],
) -> tuple[Floats, list[Floats]]:
    """Probabilities ``(patients, k)``, calibrated as the run's were, and each patient's weights of
    its cells: means of the folds'.

    Args:
        seen: What the models make of the images.
        bags: The places in it of each patient's readable images, at least one each.
    """
    heat = require_patients(result).fitted.temperature_by_fold()
    found, weights = [], []
    for own, one in zip(aggregators, seen.folds, strict=True):
        read = one.features if reads_features(recipe) else one.probabilities
        assert read is not None, "an aggregator's features are kept"
        each = [own.answer(cells_at(torch.from_numpy(read), bag)) for bag in bags]
        p = np.array([answer for answer, _ in each])
        found.append(tempered(p, heat[one.fold]) if one.fold in heat else p)
        weights.append([own_weights for _, own_weights in each])
    by_patient = [np.asarray(np.mean(one, axis=0)) for one in zip(*weights, strict=True)]
    return np.asarray(np.mean(found, axis=0)), by_patient


def answer_patients(
    result: RunRecord,
    recipe: Recipe,
    aggregators: Sequence[FoldAggregator],
    seen: Scan,
    patients: Sequence[str],
) -> tuple[Predicted, Floats]:
    """A row a patient, in the order of their first images, the run's threshold applied; and of each
    image its share in the answer, NaN for one that cannot be read.

    Args:
        patients: Whose each image is.

    Raises:
        DataError: There are not as many patients named as images.
    """
    of = require_patients(result)
    if len(patients) != len(seen.unreadable):
        raise DataError(f"{len(seen.unreadable)} images and {len(patients)} names of patients")
    bags: dict[str, list[int]] = {one: [] for one in patients}
    for place, (one, reason) in enumerate(zip(patients, seen.unreadable, strict=True)):
        if reason is None:
            bags[one].append(place)
    classes = of.predictions.classes
    told = np.array([bool(bag) for bag in bags.values()], dtype=bool)
    p = np.full((len(bags), len(classes)), np.nan)
    shares = np.full(len(patients), np.nan)
    if told.any():
        readable = [bag for bag in bags.values() if bag]
        p[told], weights = aggregated(result, recipe, aggregators, seen, readable)
        shares[np.concatenate(readable)] = np.concatenate(weights)
    positive = positive_of(classes, recipe.evaluate.positive)
    decision = np.full(len(bags), -1, dtype=np.int64)
    decision[told] = p[told].argmax(axis=1)
    if of.threshold is not None and positive is not None:
        at = classes.index(positive.name)
        decision[told] = np.where(p[told, at] >= of.threshold, at, 1 - at)
    uncertainty = np.full(len(bags), np.nan)
    uncertainty[told] = entropy(p[told])
    answers = Predicted(
        classes=classes,
        name=tuple(bags),
        unreadable=tuple(None if bag else "no image that can be read" for bag in bags.values()),
        probabilities=p,
        uncertainty=uncertainty,
        mutual_information=None,
        decision=decision,
        threshold=of.threshold,
        positive=positive.name if positive and of.threshold is not None else None,
    )
    return answers, shares
