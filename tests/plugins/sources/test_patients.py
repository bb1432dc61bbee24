"""Labels of patients: from a column, a table of their own, a folder; weak and beside cells'."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from leukreg_plugins.sources.folder import Folder
from leukreg_plugins.sources.patients import PatientTable
from leukreg_plugins.sources.table import TableFile

from leukreg import NotAvailable, Problems

CELLS = {"p1": 2, "p2": 1, "p3": 3}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of three patients."""
    for patient, n in CELLS.items():
        for number in range(n):
            path = tmp_path / "cells" / patient / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
    return tmp_path / "cells"


def table(folder: Path, *lines: str, head: str = "patient,label") -> PatientTable:
    path = folder / "diagnoses.csv"
    path.write_text("\n".join([head, *lines]) + "\n")
    return PatientTable(path=str(path))


def said(source: Any) -> str:
    with pytest.raises(Problems) as caught:
        source.build()
    return str(caught.value)


def test_a_folder_of_patients_beside_a_table_of_diagnoses(root: Path, tmp_path: Path) -> None:
    patients = table(tmp_path, "p1,ALL", "p2,healthy", "p3,ALL")
    source = Folder(root=str(root), weak=True, patients=patients)
    source.ready()
    samples = source.build()
    assert (samples.weak, samples.classes) == (True, ("ALL", "healthy"))
    assert samples.patient_classes == samples.classes
    assert samples.patient_labels == {"p1": "ALL", "p2": "healthy", "p3": "ALL"}
    assert [(row.id, row.patient, row.label) for row in samples.rows] == [
        ("p1/0.png", "p1", "ALL"),
        ("p1/1.png", "p1", "ALL"),
        ("p2/0.png", "p2", "healthy"),
        ("p3/0.png", "p3", "ALL"),
        ("p3/1.png", "p3", "ALL"),
        ("p3/2.png", "p3", "ALL"),
    ]
    assert samples.assumed == (
        "each folder in root is a patient",
        f"labels of 3 patients: from {patients.path}; cells have no labels of their own and take "
        "their patient's",
    )
    assert list(samples.patient_faults()) == []
    assert source.count_files() == {}
    assert source.build() == samples


def test_class_folders_may_say_what_patients_are(root: Path, tmp_path: Path) -> None:
    for old, new in (("p1", "ALL/p1"), ("p2", "healthy/p2"), ("p3", "ALL/p3")):
        (tmp_path / "weak" / new).parent.mkdir(parents=True, exist_ok=True)
        (root / old).rename(tmp_path / "weak" / new)
    source = Folder(root=str(tmp_path / "weak"), weak=True)
    samples = source.build()
    assert samples.counts() == source.count_files() == {"ALL": 5, "healthy": 1}
    assert samples.patient_labels == {"p1": "ALL", "p3": "ALL", "p2": "healthy"}
    assert samples.assumed[0] == "each folder in a class folder is a patient"
    (tmp_path / "weak" / "healthy" / "p2").rename(tmp_path / "weak" / "healthy" / "p3")
    text = said(source)
    assert f"{tmp_path}/weak/healthy/p3/0.png  patient 'p3' is 'healthy' here and 'ALL' in" in text
    assert "two patients need two ids" in text


def test_cells_keep_their_labels_beside_those_of_patients(tmp_path: Path) -> None:
    for name in ("ALL/p1/blast/1.png", "ALL/p1/lymphocyte/2.png", "healthy/p2/lymphocyte/3.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    cells = {"blast": ("*/*/blast",), "lymphocyte": ("*/*/lymphocyte",)}
    source = Folder(
        root=str(tmp_path), classes=cells, patient="^[^/]+/([^/]+)/", patient_label="^([^/]+)/"
    )
    samples = source.build()
    assert (samples.weak, samples.classes) == (False, ("blast", "lymphocyte"))
    assert samples.patient_labels == {"p1": "ALL", "p2": "healthy"}
    assert samples.counts() == {"blast": 1, "lymphocyte": 2}


def test_every_mistake_at_once(root: Path, tmp_path: Path) -> None:
    patients = table(tmp_path, "p1,ALL", "p1,healthy", "", "p4,ALL", "pp2,healthy", "p3,")
    text = said(Folder(root=str(root), weak=True, patients=patients))
    file = tmp_path / "diagnoses.csv"
    assert f"{file}:3  patient 'p1' is 'healthy' here and 'ALL' in {file}:2" in text
    assert f"{file}:5  there is no image of patient 'p4'" in text
    assert f"{file}:6  there is no image of patient 'pp2'; did you mean 'p2'?" in text
    assert f"{file}:7  the column 'label' is empty" in text
    assert "patient 'p2' (1 image, such as 'p2/0.png') has no label" in text
    assert "patient 'p3' (3 images, such as 'p3/0.png') has no label" in text
    assert "6 problems" in text


def test_labels_are_merged_before_they_contradict_and_others_are_left_out(
    root: Path, tmp_path: Path
) -> None:
    patients = table(tmp_path, "p1,B-ALL", "p1,T-ALL", "p2,unclear", "p3,none")
    source = Folder(
        root=str(root),
        weak=True,
        patients=patients,
        patient_classes={"healthy": ("none",), "ALL": ("T-ALL", "B-ALL")},
    )
    samples = source.build()
    assert samples.patient_labels == {"p1": "ALL", "p3": "healthy"}
    assert samples.classes == ("healthy", "ALL")
    (passed,) = (one for one in samples.passed if "unclear" in one.what)
    assert str(passed) == (
        "1 patients called 'unclear', such as p2/0.png: patient_classes does not name this label"
    )
    wrong = Folder(
        root=str(root), weak=True, patients=patients, patient_classes={"ALL": ("T-AL", "B-ALL")}
    )
    assert "no patient has the label 'T-AL' of patient_classes; did you mean 'T-ALL'?" in said(
        wrong
    )


def test_columns_of_the_table_of_patients(root: Path, tmp_path: Path) -> None:
    made = table(tmp_path, "p1,ALL", "p2,ok", "p3,ok", head="id;what".replace(";", ","))
    text = said(Folder(root=str(root), weak=True, patients=made))
    assert "there is no column 'patient' (patients.patient_column)" in text
    assert "there is no column 'label' (patients.label_column)" in text
    assert f"no patient has a label (from {made.path})\n3 problems" in text
    named = PatientTable(path=made.path, patient_column="id", label_column="what")
    assert Folder(root=str(root), weak=True, patients=named).build().counts() == {"ALL": 2, "ok": 4}
    (tmp_path / "diagnoses.csv").unlink()
    for ask in ("ready", "build"):
        with pytest.raises(NotAvailable, match=r"diagnoses.csv does not exist.*data.patients.path"):
            getattr(Folder(root=str(root), weak=True, patients=named), ask)()


def write(folder: Path, head: str, *lines: str) -> str:
    path = folder / "cells.csv"
    path.write_text("\n".join([head, *lines]) + "\n")
    return str(path)


def test_a_column_with_the_label_of_the_patient(root: Path) -> None:
    lines = ("p1/0.png,x,p1,ALL", "p1/1.png,y,p1,ALL", "p2/0.png,x,p2,ok", "p3/0.png,y,,")
    path = write(root, "path,label,patient,diagnosis", *lines)
    samples = TableFile(path=path, patient_label_column="diagnosis").build()
    assert samples.patient_labels == {"p1": "ALL", "p2": "ok"}
    assert (samples.classes, samples.patient_classes) == (("x", "y"), ("ALL", "ok"))
    assert samples.assumed == ("labels of 2 patients: from the column 'diagnosis'",)
    weak = TableFile(path=path, patient_label_column="diagnosis", weak=True)
    text = said(weak)
    assert "of 1 of 4 images the patient is unknown, such as 'p3/0.png'" in text
    path = write(root, "path,patient,patient_label", "p1/0.png,p1,ALL", "p2/0.png,p2,ok")
    samples = TableFile(path=path, weak=True).build()  # the usual name, and no labels of cells
    assert (samples.classes, samples.weak) == (("ALL", "ok"), True)


def test_a_label_column_may_be_the_patients(root: Path) -> None:
    path = write(root, "path,patient,label", "p1/0.png,p1,ALL", "p2/0.png,p2,ok")
    samples = TableFile(path=path, weak=True).build()
    assert samples.patient_labels == {"p1": "ALL", "p2": "ok"}
    assert list(samples.patient_faults()) == []


def test_wrong_labels_in_a_column_are_told_with_the_rows_that_are_wrong(root: Path) -> None:
    lines = ("p1/0.png,x,p1,ALL", "p1/1.png,,p1,ok", "p2/0.png,x,p2,", "p3/0.png,x,,ok")
    text = said(TableFile(path=write(root, "path,label,patient,patient_label", *lines)))
    file = root / "cells.csv"
    assert f"{file}:3  the label is empty" in text
    assert f"{file}:3  patient 'p1' is 'ok' here and 'ALL' in {file}:2" in text
    assert f"{file}:5  it has the label of a patient, and no patient" in text
    assert "patient 'p2' (1 image, such as 'p2/0.png') has no label" in text
    assert "4 problems" in text


def test_a_table_of_cells_and_one_of_patients(root: Path, tmp_path: Path) -> None:
    path = write(root, "path,label,patient", "p1/0.png,x,p1", "p2/0.png,y,p2")
    patients = table(tmp_path, "p1,ALL", "p2,ok")
    samples = TableFile(path=path, patients=patients).build()
    assert (samples.classes, samples.patient_classes) == (("x", "y"), ("ALL", "ok"))
    wrong = PatientTable(path=patients.path, label_column="dx")
    text = said(TableFile(path=path, label_column="kind", patients=wrong))
    assert "there is no column 'dx' (patients.label_column)" in text
    assert "there is no column 'kind' (label_column)" in text
    (root / "p2" / "0.png").unlink()  # its patient is known all the same
    assert TableFile(path=path, patients=patients).build().patient_labels == {"p1": "ALL"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"patients": PatientTable(path="x"), "patient_label": "(x)"}, "give one"),
        ({"weak": True, "patient_label": "(x)"}, "not patient_label"),
        ({"patient_classes": {"a": ("b",)}}, "patient_classes needs labels of patients"),
        ({"patients": PatientTable(path="x")}, "labels of patients need patients"),
        (
            {"patients": PatientTable(path="x"), "weak": True, "classes": {"a": ("b",)}},
            "no folder is a class",
        ),
    ],
)
def test_options_of_a_folder_that_do_not_go_together(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Folder(root=".", **options)


def test_options_of_a_table_that_do_not_go_together(root: Path) -> None:
    patients = PatientTable(path="x")
    with pytest.raises(ValueError, match="both tell labels"):
        TableFile(path="x", patients=patients, patient_label_column="x")
    with pytest.raises(ValueError, match="patient_classes names them"):
        TableFile(path="x", weak=True, classes={"a": ("b",)})
    path = write(root, "path,label", "p1/0.png,x")
    assert "needs labels of patients" in said(TableFile(path=path, patient_classes={"a": ("x",)}))
