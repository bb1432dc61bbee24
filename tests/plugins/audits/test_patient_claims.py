"""Rules about patients: few of them, and a number of cells that tells the label."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from leukreg_plugins.audits.patient_claims import CellCount, FewPatients, reach

from leukreg.patient_results import PatientResults
from leukreg.record import RunRecord
from leukreg.testing import example_predictions
from leukreg.types import Sample, Samples


def run(patients: int, cells: dict[str, int]) -> RunRecord:
    """Patients of two classes in turn, with so many cells each."""
    classes = ("ill", "well")
    ids = tuple(f"p{n:03d}" for n in range(patients))
    rows = tuple(
        Sample(id=f"{one}/{cell}.png", path="", label=classes[n % 2], patient=one)
        for n, one in enumerate(ids)
        for cell in range(cells[classes[n % 2]] + n % 3)
    )
    label = np.arange(patients) % 2
    p = np.where(np.eye(2)[label] == 1, 0.9, 0.1)
    base = example_predictions(2, n=patients)
    predictions = replace(
        base, classes=classes, id=ids, path=ids, patient=ids, label=label, probabilities=p
    )
    of = PatientResults(aggregator="mean", labels_from="their own", predictions=predictions)
    return RunRecord(samples=Samples(rows=rows, classes=classes), patients=of)


def test_few_patients_are_said_with_their_interval() -> None:
    (finding,) = FewPatients().build(run(12, {"ill": 3, "well": 3}))
    assert "12 of 12 patients are answered rightly" in finding.message
    assert "0.76 to 1.00" in finding.message
    assert "6 ill, 6 well" in finding.message
    assert list(FewPatients().build(run(120, {"ill": 3, "well": 3}))) == []


def test_a_count_that_tells_the_label_is_found_and_one_that_does_not_is_not() -> None:
    (finding,) = CellCount().build(run(24, {"ill": 9, "well": 3}))
    assert "the number of cells alone predicts the label of 24 patients" in finding.message
    assert list(CellCount().build(run(24, {"ill": 4, "well": 4}))) == []


def test_a_count_of_no_meaning_reaches_chance_within_its_interval() -> None:
    rng = np.random.default_rng(1)
    reached, low, high = reach(rng.integers(10, 60, 80).astype(float), np.arange(80) % 2, 2)
    assert low < 0.5 < high
    assert 0.3 < reached < 0.7


def test_without_patients_nothing_is_said() -> None:
    assert list(FewPatients().build(RunRecord())) == []
    assert list(CellCount().build(RunRecord())) == []
