"""A run's models on images from elsewhere."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import leukreg
from leukreg.errors import DataError, PluginError, Problems, RunError
from leukreg.predict.external_source import map_classes, parse_mapping
from leukreg.predict.external_validation import Drop, drops, evaluate
from leukreg.predict.trained_run import load
from leukreg.recipe.model import EvaluateSpec
from leukreg.record import CopiedFiles, RunRecord
from leukreg.registry import installed
from leukreg.report.console import sections
from leukreg.runs import read
from leukreg.types import Sample, Samples
from tests.trained import write_cells

SPEC = EvaluateSpec(bootstrap=200)
NAMES = st.lists(st.sampled_from("abcdefg"), max_size=30)


@settings(max_examples=50, deadline=None)
@given(NAMES, st.sets(st.sampled_from("abcd"), min_size=1), st.data())
def test_every_image_is_taken_or_told_of(
    labels: list[str], own: set[str], data: st.DataObject
) -> None:
    classes = tuple(sorted(own))
    rows = tuple(Sample(id=f"{i}", path="", label=label) for i, label in enumerate(labels))
    known = st.sampled_from(sorted(set(labels)) or ["-"])
    mapping = data.draw(st.dictionaries(known, st.sampled_from(classes))) if labels else {}
    samples = Samples(rows=rows, classes=tuple(sorted(set(labels))))
    if not any(mapping.get(label, label) in own for label in labels):
        with pytest.raises(Problems, match="no class is shared"):
            map_classes(samples, classes, mapping)
        return
    found = map_classes(samples, classes, mapping)
    assert len(found.samples) + sum(found.unmapped.values()) == len(labels)
    assert found.samples.classes == classes
    for row in found.samples.rows:
        assert row.label == mapping.get(labels[int(row.id)], labels[int(row.id)])
    assert set(found.missing) == own - {row.label for row in found.samples.rows}


def test_mappings_are_read_and_all_mistakes_told() -> None:
    assert parse_mapping(["PreB = Pre-B", "a=b=c"]) == {"PreB": "Pre-B", "a=b": "c"}
    with pytest.raises(Problems) as error:
        parse_mapping(["x", "=y", "a=b", "a=c"])
    assert len(error.value.problems) == 3
    samples = Samples(rows=(Sample(id="1", path="", label="benign"),), classes=("benign",))
    with pytest.raises(Problems) as error:
        map_classes(samples, ("Benign", "ALL"), {"bening": "ALL", "benign": "Bening"})
    assert "did you mean 'benign'?" in str(error.value)
    assert "the run has no class 'Bening'; did you mean 'Benign'?" in str(error.value)


def test_patients_of_weak_labels_are_renamed_with_their_cells() -> None:
    names = ("leukemia", "ok", "unclear")
    rows = tuple(Sample(id=n, path="", label=n, patient=f"p-{n}") for n in names)
    samples = Samples(
        rows=rows,
        classes=names,
        patient_labels={f"p-{n}": n for n in names},
        patient_classes=names,
        weak=True,
    )
    found = map_classes(samples, ("ok", "ALL"), {"leukemia": "ALL"}).samples
    assert found.patient_labels == {"p-leukemia": "ALL", "p-ok": "ok"}
    assert list(found.patient_faults()) == []


def by_key(found: tuple[Drop, ...]) -> dict[tuple[str, str | None], Drop]:
    return {(drop.name, drop.label): drop for drop in found}


def test_the_drop_of_a_known_loss_is_within_its_interval(make_result: Any) -> None:
    good: RunRecord = make_result(skill=3.0, bootstrap=0)
    same, how = drops(good.predictions, good.predictions, SPEC, 0, installed())
    assert all(drop.drop == 0 for drop in same)
    assert all(drop.low is not None and drop.low <= 0 <= (drop.high or 0) for drop in same)
    assert "12 patients of the original and 12 patients here, independently" in how
    poor: RunRecord = make_result(skill=0.0, seed=9, bootstrap=0)
    found = by_key(drops(good.predictions, poor.predictions, SPEC, 0, installed())[0])
    accuracy = found["accuracy", None]
    right = [(r.predictions.decision == r.predictions.label).mean() for r in (good, poor)]
    assert accuracy.original == pytest.approx(right[0])
    assert accuracy.drop == pytest.approx(right[0] - right[1])
    assert accuracy.low is not None
    assert 0 < accuracy.low < accuracy.drop < (accuracy.high or 0)
    assert (found["brier", None].drop or 0) < 0
    bare, how = drops(good.predictions, poor.predictions, EvaluateSpec(bootstrap=0), 0, installed())
    assert all(drop.low is None for drop in bare)
    assert how.startswith("no interval")


def test_only_classes_that_both_have_are_compared(make_result: Any) -> None:
    first: RunRecord = make_result(classes=("a", "b", "c"), counts=(60, 50, 40), bootstrap=0)
    rows = first.predictions
    without = rows.take(np.flatnonzero(rows.label != 1))
    found = by_key(drops(rows, without, SPEC, 0, installed())[0])
    assert ("recall", "b") not in found
    recalls = [found["recall", name] for name in ("a", "c")]
    balanced = found["balanced_accuracy", None]
    assert balanced.drop == 0
    assert balanced.original == pytest.approx(np.mean([r.original for r in recalls]))


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Pictures from elsewhere: one class under another name, one missing, one unknown."""
    root = write_cells(tmp_path / "other", ("[M] pro", "benign"), 6, seed=5)
    (root / "[M] pro").rename(root / "ProB")
    shutil.copytree(root / "benign", root / "strange")
    return root


def test_an_evaluation_is_a_run_folder_of_its_own(
    folds_run: Path, other: Path, tmp_path: Path
) -> None:
    trained = load(folds_run)
    known = next(row for row in trained.result.samples.rows if row.label == "benign")
    shutil.copy(known.path, other / "benign" / "copy.png")
    (other / "benign" / "broken.png").write_text("no image")
    found = evaluate(trained, other, {"ProB": "[M] pro"}, runs=tmp_path / "runs")
    again = read(found.folder)
    assert (again.scores, again.findings, again.evaluated_from) == (
        found.scores,
        found.findings,
        found.evaluated_from,
    )
    assert found.name.startswith("tiny-on-other-")
    files = [row.path for row in found.samples.rows]
    assert np.array_equal(found.predictions.probabilities, trained.predict_proba(files))
    origin = found.evaluated_from
    assert origin is not None
    assert (origin.run, origin.folds) == (folds_run.name, 2)
    assert (origin.unmapped, origin.missing) == ({"strange": 6}, ("early",))
    assert origin.copies == CopiedFiles(exact={"benign/copy.png": known.id})
    rules = {(f.rule, f.severity) for f in found.findings}
    assert {("external-copies", "error"), ("external-classes", "warning")} <= rules
    assert not {f.message for f in found.findings} & {f.message for f in trained.result.findings}
    text = " ".join(line for s in sections(found, installed()) for line in s.text)
    assert "! 1 of 13 are copies of training images." in text
    assert "! Without images of early." in text
    assert "Taken: ProB as [M] pro." in text
    table = next(s.tables[0] for s in sections(found, installed()) if s.title.startswith("Against"))
    assert [row[0] for row in table.rows][:2] == ["accuracy", "balanced accuracy"]
    # It has no models: predicting points at the run, explaining goes there by itself.
    with pytest.raises(RunError, match=f"take the run itself: .*{folds_run.name}"):
        load(found.folder)
    maps = leukreg.explanation(found.folder, files[:2])
    assert np.array_equal(maps, leukreg.explanation(trained, files[:2]))


def test_what_the_run_fitted_is_applied_and_nothing_is_fitted(
    binary_run: Path, other: Path, tmp_path: Path
) -> None:
    trained = load(binary_run)
    shutil.copy(trained.result.samples.rows[-1].path, other / "benign" / "copy.png")
    options = ["max_per_class=5"]
    found = evaluate(trained, other, {"ProB": "[M] pro"}, options=options, runs=tmp_path / "runs")
    assert (found.threshold, found.threshold_from) == (trained.result.threshold, "fixed")
    files = [row.path for row in found.samples.rows]
    table = trained.assess(files, flags=False)
    assert np.array_equal(found.predictions.probabilities, table.probabilities)
    assert found.predictions.decision is not None
    assert np.array_equal(found.predictions.decision, table.decision)
    assert len(found.predictions) == 10
    names = {score.name for score in found.scores}
    assert {"set_coverage", "accuracy", "threshold"} <= names
    assert found.recipe["evaluate"]["tta"] == {"views": 2}


def test_copies_may_be_left_out(folds_run: Path, other: Path, tmp_path: Path) -> None:
    trained = load(folds_run)
    row = next(row for row in trained.result.samples.rows if row.label == "benign")
    shutil.copy(row.path, other / "benign" / "copy.png")
    found = evaluate(trained, other, leave_out_copies=True, runs=tmp_path / "runs")
    assert len(found.predictions) == 6
    assert "benign/copy.png" not in found.predictions.id
    assert [f.severity for f in found.findings if f.rule == "external-copies"] == ["note"]
    only = write_cells(tmp_path / "only", ("benign",), 1, seed=8)
    shutil.copy(row.path, only / "benign" / "00.png")
    with pytest.raises(DataError, match="none is left to score"):
        evaluate(trained, only, leave_out_copies=True, runs=tmp_path / "runs")


def test_wrong_sources_and_options_are_told_before_any_work(
    folds_run: Path, other: Path, tmp_path: Path
) -> None:
    trained = load(folds_run)
    with pytest.raises(PluginError, match="no source 'foldr'; did you mean 'folder'"):
        evaluate(trained, other, source="foldr", runs=tmp_path / "runs")
    with pytest.raises(PluginError, match="has neither a root nor a path: it cannot take"):
        evaluate(trained, other, source="demo", runs=tmp_path / "runs")
    with pytest.raises(Problems, match="no such option of source 'folder'"):
        evaluate(trained, other, options=["patiens=1"], runs=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_table_is_a_source_too(folds_run: Path, other: Path, tmp_path: Path) -> None:
    lines = [f"{path},{path.parent.name},p{path.stem}" for path in sorted(other.glob("*/*.png"))]
    table = tmp_path / "cells.csv"
    table.write_text("\n".join(["path,label,patient", *lines]))
    found = evaluate(load(folds_run), table, source="table", runs=tmp_path / "runs")
    assert len(found.predictions) == 6
    assert found.predictions.patient[0] == "p00"
    assert found.evaluated_from is not None
    assert "6 patients here" in found.evaluated_from.how
