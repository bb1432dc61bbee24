"""A run's answers about patients from elsewhere, beside its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leukreg.errors import LeukregError, Problems
from leukreg.predict.external_validation import evaluate
from leukreg.predict.trained_run import load
from leukreg.record import RunRecord
from leukreg.registry import installed
from leukreg.report.console import sections
from leukreg.runs import read
from tests.smears import write_smears

WEAK = ["weak=true", "patients.path={root}.csv"]


def weak_options(root: Path) -> list[str]:
    return [option.format(root=root) for option in WEAK]


def text_of(found: RunRecord) -> str:
    return " ".join(line for one in sections(found, installed()) for line in one.text)


def test_patients_from_elsewhere_are_scored_as_the_runs_own(weak_run: Path, tmp_path: Path) -> None:
    other, trained = write_smears(tmp_path / "other", 12, seed=4), load(weak_run)
    found = evaluate(trained, other, options=weak_options(other), runs=tmp_path / "runs")
    own, of = trained.result.patients, found.patients
    assert own is not None
    assert of is not None
    assert found.scores == ()  # cells have no labels of their own
    assert (of.threshold, of.threshold_from) == (own.threshold, "fixed")
    files = [Path(row.path) for row in found.samples.rows]
    table = trained.predict_patients(files, [path.parent.name for path in files])
    assert list(table["patient"]) == list(of.predictions.id)
    assert np.array_equal(table["p:ill"], of.predictions.probabilities[:, 0])
    answered = [of.predictions.classes[i] for i in of.predictions.answers]
    assert list(table["answer"]) == answered
    accuracy = next(one for one in of.scores if one.name == "accuracy")
    assert "12 patients" in accuracy.why
    assert accuracy.low is not None
    weights = [cell.weight for cell in of.deciding if cell.patient == "p03"]
    assert sum(weights) == pytest.approx(1, abs=1e-5)
    assert of.cells["p03"] == 4
    origin = found.evaluated_from
    assert origin is not None
    assert origin.drops == ()
    assert "24 patients of the original and 12 patients here" in origin.patient_how
    drop = origin.patient_drops[0]
    assert drop.name == "accuracy"
    assert drop.here == accuracy.value
    again = read(found.folder)
    assert again.patients is not None
    assert (again.patients.scores, again.patients.deciding) == (of.scores, of.deciding)
    titles = [one.title for one in sections(found, installed(), page=True)]
    assert {"Patients", "Patient by patient", "The cells that decided"} <= {*titles}
    against = next(s for s in sections(found, installed()) if s.title == "Against the original")
    assert [one.columns[0] for one in against.tables] == ["figure of patients"]
    assert f"ill from a probability of {own.threshold:.4g}, which" in text_of(found)


def test_cells_and_patients_of_a_run_of_both_are_scored(labelled_run: Path, tmp_path: Path) -> None:
    other, trained = write_smears(tmp_path / "other", 12, 4, by_class=True), load(labelled_run)
    found = evaluate(trained, other, options=["patient_level=1"], runs=tmp_path / "runs")
    assert found.patients is not None
    assert len(found.patients.predictions) == 12
    assert {score.name for score in found.scores} >= {"accuracy"}
    assert found.evaluated_from is not None
    assert found.evaluated_from.drops
    assert found.evaluated_from.patient_drops
    unknown = evaluate(trained, other, runs=tmp_path / "runs")
    assert unknown.patients is None
    assert unknown.scores
    assert "! No answers about patients: 30 of 30 images have no patient id" in text_of(unknown)
    assert "--set patient_level=1" in text_of(unknown)


def test_patients_of_unknown_labels_are_left_out_and_told(
    labelled_run: Path, tmp_path: Path
) -> None:
    """Here patients have labels of their own, beside those of their cells."""
    other, trained = write_smears(tmp_path / "other", 12, 4, by_class=True), load(labelled_run)
    table = tmp_path / "other.csv"
    table.write_text(table.read_text().replace("p01,well", "p01,unclear").replace("ill", "AML"))
    options = ["patient_level=1", f"patients.path={table}"]
    found = evaluate(trained, other, {"AML": "ill"}, options=options, runs=tmp_path / "runs")
    assert found.patients is not None
    assert len(found.patients.predictions) == 11
    assert len(found.predictions) == 30
    assert "Patients left out, whose label the run does not know: unclear (1)." in text_of(found)
    with pytest.raises(Problems, match=r"--map AMl=ill: the other source has no class .*'AML'"):
        evaluate(trained, other, {"AMl": "ill"}, options=options, runs=tmp_path / "runs")
    table.write_text(table.read_text().replace("well", "healthy"))
    alien = evaluate(trained, other, options=options, runs=tmp_path / "runs")
    assert alien.patients is None
    assert "there are 'AML', 'healthy', 'unclear', the run answers 'ill', 'well'" in text_of(alien)


def test_a_run_about_patients_alone_needs_them(weak_run: Path, tmp_path: Path) -> None:
    other, trained = write_smears(tmp_path / "other", 4, 4, by_class=True), load(weak_run)
    with pytest.raises(LeukregError, match=r"answers about patients alone. .*--set patient_level"):
        evaluate(trained, other, runs=tmp_path / "runs")
    found = evaluate(trained, other, options=["patient_level=1"], runs=tmp_path / "runs")
    assert found.samples.weak
    assert found.scores == ()
    assert found.patients is not None
    assert len(found.patients.predictions) == 4
    of = trained.result.patients
    assert of is not None
    bare = replace(trained.result, patients=replace(of, threshold=None))
    trained.result = bare
    plain = evaluate(trained, other, options=["patient_level=1"], runs=tmp_path / "runs")
    assert plain.patients is not None
    assert plain.patients.threshold is None
