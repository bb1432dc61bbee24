"""What is known of patients: their labels, the answers about them, and what these rest on.

An answer about a patient is a row of :class:`leukreg.types.Predictions` whose ``id`` and
``patient`` are the patient's and whose ``row`` is that of the patient's first cell, so that every
metric, threshold and interval for cells serves for patients as well.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from leukreg.errors import DataError
from leukreg.fitted import Fitted
from leukreg.types import Predictions, Samples, Score

KEPT = 12
"""Cells of a patient that are kept for being looked at: those of most weight."""


@functools.cache
def no_predictions() -> Predictions:
    """Predictions of no row."""
    import numpy as np

    none = np.zeros(0, np.int64)
    return Predictions(
        classes=(),
        row=none,
        id=(),
        path=(),
        patient=(),
        origin=(),
        fold=none,
        label=none,
        probabilities=np.zeros((0, 0)),
        uncertainty=np.zeros(0),
        mutual_information=np.zeros(0),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredRows:
    """Answers and their figures: about cells in a run's record, about patients in its own."""

    predictions: Predictions = field(default_factory=no_predictions)
    """The scored rows."""
    validation: Predictions | None = None
    """The validation rows, on which thresholds and temperatures are fitted; None without any."""
    fitted: Fitted = field(default_factory=Fitted)
    scores: tuple[Score, ...] = ()
    """Figures over the scored rows."""
    confusion: tuple[tuple[int, ...], ...] = ()
    """``confusion[true][answered]``."""
    threshold: float | None = None
    """Where the positive class begins; the folds' mean, None without a threshold."""
    threshold_from: str | None = None
    """The rows it was fitted on: "validation", "scored" or "fixed"."""

    def scored_rows(self) -> dict[str, Any]:
        """These fields, by name."""
        return {one.name: getattr(self, one.name) for one in fields(ScoredRows)}


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidingCell:
    """One of the cells that an answer about a patient rests on most."""

    fold: int
    patient: str
    row: int
    """Row number in ``Samples.rows``."""
    weight: float
    """Its share in the answer; those of all cells of the patient sum to 1."""
    of: str | None
    """The patient's most probable class; None where cells have other classes."""
    probability: float | None
    """Of that class, by this cell alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregatorTraining:
    """How the aggregator of a fold was trained; zeros where there is nothing to train."""

    fold: int
    patients: int = 0
    """Training patients."""
    validation_patients: int = 0
    """Those that the epoch was chosen on."""
    parameters: int = 0
    """Scalar parameters."""
    epochs: int = 0
    best_epoch: int = 0
    """From 1; the one whose weights were kept."""
    stopped: str = ""
    """Why it ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldPatients:
    """What the aggregator of one fold says of its patients."""

    scored: Predictions
    validation: Predictions | None
    cells: tuple[DecidingCell, ...]
    training: AggregatorTraining


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientResults(ScoredRows):
    """Answers about patients, a row each, and their figures."""

    aggregator: str
    """The plugin that made them."""
    labels_from: str
    """Where the patients' labels come from, in words."""
    cells: Mapping[str, int] = field(default_factory=dict)
    """Number of cells of each patient, scored or not."""
    deciding: tuple[DecidingCell, ...] = ()
    """The cells of most weight, patient by patient, the heaviest first."""
    training: tuple[AggregatorTraining, ...] = ()
    """By fold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientLabels:
    """The label of each patient."""

    labels: Mapping[str, str]
    classes: tuple[str, ...]
    """In their order; a class may have no patient."""
    said: str
    """Where the labels come from, in words."""


def patient_labels_of(samples: Samples) -> PatientLabels:
    """The patients' labels: their own where the data have such, else the one that all cells carry.

    Raises:
        DataError: A row has no patient, a patient no label, or cells of several labels and no
            label of its own.
    """
    rows = [row for row in samples.rows if row.origin != "synthetic"]
    unknown = [row for row in rows if row.patient is None]
    if unknown:
        raise DataError(
            f"{len(unknown):,} of {len(rows):,} images have no patient id (such as"
            f" {unknown[0].id!r}), so there are no answers about patients; say where the ids stand"
            " (data.patient, data.patient_level)"
        )
    if samples.patient_labels:
        labels = dict(samples.patient_labels)
        bare = sorted({str(row.patient) for row in rows} - labels.keys())
        if bare:
            raise DataError(f"patient {bare[0]!r} and {len(bare) - 1:,} others have no label")
        return PatientLabels(labels=labels, classes=samples.patient_classes, said="their own")
    labels = {}
    for row in rows:
        patient = str(row.patient)
        if labels.setdefault(patient, row.label) != row.label:
            raise DataError(
                f"patient {patient!r} has cells of {labels[patient]!r} and of {row.label!r} and no"
                " label of its own; give the patients' labels in a table, or leave [patients] out"
            )
    said = "the one label that all of a patient's cells carry"
    return PatientLabels(labels=labels, classes=samples.classes, said=said)
