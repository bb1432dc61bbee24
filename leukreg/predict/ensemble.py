"""The folds' models as one: the mean of their probabilities, calibrated as the run is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukreg.evaluate.calibration import entropy, temperatures_of, tempered
from leukreg.evaluate.conformal import conformal_of, voted_sets
from leukreg.predict.scan import Scan, Seen
from leukreg.types import Origin, Predictions, RunResult

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Together:
    """What the models say together of ``n`` images."""

    probabilities: Floats
    """Shape ``(n, k)``: the mean of the folds' calibrated probabilities."""
    uncertainty: Floats
    mutual_information: Floats
    """Shape ``(n,)``: between the class and which model and pass is asked, before calibration."""
    sets: NDArray[np.bool_] | None
    coverage: float | None


def together(seen: Scan, result: RunResult) -> Together:
    """Join the folds; calibration and prediction sets are those the run was scored with."""
    heat = temperatures_of(result.facts)
    calibrated = [tempered(one.probabilities, heat.get(one.fold, 1.0)) for one in seen.folds]
    if not heat:
        calibrated = [one.probabilities for one in seen.folds]
    mean = np.mean(calibrated, axis=0)
    raw = entropy(np.mean([one.probabilities for one in seen.folds], axis=0))
    expected = [one.uncertainty - one.mutual_information for one in seen.folds]
    # By rounding alone a difference of equals may come out below 0.
    shared = np.maximum(raw - np.mean(expected, axis=0), 0)
    if len(seen.folds) == 1:
        shared = seen.folds[0].mutual_information
    conformal = conformal_of(result.facts)
    if conformal is None:
        return Together(mean, entropy(mean), shared, None, None)
    parts = [
        _predictions(one, p, seen, result) for one, p in zip(seen.folds, calibrated, strict=True)
    ]
    sets = voted_sets(parts, conformal)
    return Together(mean, entropy(mean), shared, sets, conformal.coverage)


def _predictions(one: Seen, p: Floats, seen: Scan, result: RunResult) -> Predictions:
    """A fold's rows as its sets are made from them: an image is known by its pixels."""
    n = len(p)
    unknown = np.zeros(n, dtype=np.int64)
    real: Origin = "real"
    return Predictions(
        classes=result.samples.classes,
        row=np.arange(n),
        id=seen.digests,
        path=seen.digests,
        patient=(None,) * n,
        origin=(real,) * n,
        fold=np.full(n, one.fold, dtype=np.int64),
        label=unknown,
        probabilities=p,
        uncertainty=one.uncertainty,
        mutual_information=one.mutual_information,
    )
