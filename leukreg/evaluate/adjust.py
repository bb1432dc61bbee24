"""What is fitted on validation rows before anything is scored: temperatures, conformal limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from leukreg.evaluate.calibrate import calibrated, raw_of
from leukreg.evaluate.conformal import conformal_sets, facts_of_conformal, fit_conformal
from leukreg.evaluate.temperature import facts_of_temperatures, fit_temperatures
from leukreg.progress import SILENT, Progress
from leukreg.recipe.model import EvaluateSpec
from leukreg.types import Predictions


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjusted:
    """The scored and the validation rows, calibrated and with sets where that was asked for."""

    predictions: Predictions
    validation: Predictions | None
    facts: Mapping[str, Any] = field(default_factory=dict)
    """``calibration`` and ``conformal``: what was fitted, as plain values."""


def adjusted(
    predictions: Predictions,
    validation: Predictions | None,
    spec: EvaluateSpec,
    seed: int,
    progress: Progress = SILENT,
) -> Adjusted:
    """Calibrate both tables and give the scored rows their sets, fold by fold.

    Begins from raw probabilities, so that rows which were adjusted before come out the same. Sets
    are made from the calibrated probabilities: the ones that stand beside them.
    """
    predictions = raw_of(predictions)
    if validation is None:
        return Adjusted(predictions=predictions, validation=None)
    validation = raw_of(validation)
    folds = sorted({int(fold) for fold in (*validation.fold, *predictions.fold)})
    facts: dict[str, Any] = {}
    if spec.calibration is not None:
        fitted = fit_temperatures(validation, folds, spec.bootstrap, seed, progress)
        values = {one.fold: one.temperature for one in fitted}
        predictions, validation = calibrated(predictions, values), calibrated(validation, values)
        facts["calibration"] = facts_of_temperatures(spec.calibration.method, fitted)
    if spec.conformal is not None:
        conformal = fit_conformal(validation, folds, spec.conformal, seed)
        predictions = replace(predictions, sets=conformal_sets(predictions, conformal))
        facts["conformal"] = facts_of_conformal(conformal)
    return Adjusted(predictions=predictions, validation=validation, facts=facts)
