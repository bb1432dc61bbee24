"""Figures of patients: scored, calibrated and decided as cells are, a row a patient."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from leukreg.evaluate.scoring import score
from leukreg.patient_results import FoldPatients, PatientResults, patient_labels_of
from leukreg.progress import SILENT, Progress
from leukreg.recipe.model import EvaluateSpec, Recipe
from leukreg.registry import Registry
from leukreg.types import Predictions, Samples


def spec_for(spec: EvaluateSpec, classes: Sequence[str]) -> EvaluateSpec:
    """``[evaluate]`` for these classes: cells and patients may have others.

    A threshold is for two classes; a positive class is one of them.
    """
    return replace(
        spec,
        threshold=spec.threshold if len(classes) == 2 else None,
        positive=spec.positive if spec.positive in classes else None,
    )


def score_patients(
    parts: Sequence[FoldPatients],
    recipe: Recipe,
    samples: Samples,
    together: Callable[[Sequence[Predictions]], Predictions],
    registry: Registry,
    progress: Progress = SILENT,
) -> PatientResults:
    """Every figure of the scored patients, with intervals by patient.

    Threshold and temperatures are fitted on validation patients. There are no conformal sets: a
    stated coverage needs more patients than a validation side has.

    Args:
        parts: By fold.
        together: Joins the folds' rows, with the group that each is of.

    Raises:
        Problems, TrainingError: As :func:`leukreg.evaluate.scoring.score`.
    """
    assert recipe.patients is not None
    known = patient_labels_of(samples)
    spec = replace(spec_for(recipe.evaluate, known.classes), conformal=None)
    watched = [one.validation for one in parts if one.validation is not None]
    validation = together(watched) if watched else None
    scored = together([one.scored for one in parts])
    found = score(scored, validation, spec, recipe.seed, registry, progress)
    counts = Counter(str(row.patient) for row in samples.rows if row.origin != "synthetic")
    return PatientResults(
        aggregator=recipe.patients.aggregator.name,
        labels_from=known.said,
        cells={patient: counts[patient] for patient in known.labels if counts[patient]},
        **found.scored_rows(),
        deciding=tuple(cell for one in parts for cell in one.cells),
        training=tuple(one.training for one in parts if one.training.parameters),
    )
