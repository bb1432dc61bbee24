"""The layout of a folder is proposed in lines that a recipe understands."""

from __future__ import annotations

import tomllib
from pathlib import Path

from leukreg.data.layout import layout
from leukreg.data.listing import list_folder


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def test_patient_then_class(tmp_path: Path) -> None:
    names = [f"p0{n}/Signed/[M] Pro/{n}.png" for n in range(3)]
    root = touch(tmp_path, *names, "p00/Signed/Benign/b.png", "p01/Unsigned/Benign/c.png")
    said = layout(root)
    assert said[0] == "it looks like PATH/patient/class/image:"
    lines = tomllib.loads("\n".join(said[1:]).replace("[data.classes]", "[classes]"))
    samples = list_folder(root, classes=lines["classes"], patient=lines["patient"])
    assert samples.counts() == {"Benign": 2, "[M] Pro": 3}
    assert {row.patient for row in samples.rows} == {"p00", "p01", "p02"}
    assert samples.passed == ()


def test_class_then_patient(tmp_path: Path) -> None:
    root = touch(tmp_path, "ALL/P01/a.png", "ALL/P02/b.png", "Benign/P03/c.png")
    assert layout(root)[1:] == ("patient_level = 1",)


def test_patients_alone_need_a_table(tmp_path: Path) -> None:
    said = " ".join(layout(touch(tmp_path, "Patient 1/a.png", "Patient 2/b.png")))
    assert 'use = "table"' in said


def test_ids_in_names_are_proposed_where_they_repeat(tmp_path: Path) -> None:
    names = [f"{label}/P{p}_{n}.png" for label in "ab" for p in (1, 2) for n in range(3)]
    line = layout(touch(tmp_path, *names))[1]
    samples = list_folder(tmp_path, patient=tomllib.loads(line)["patient"])
    assert {row.patient for row in samples.rows} == {"P1", "P2"}


def test_nothing_is_proposed_where_nothing_shows(tmp_path: Path) -> None:
    assert layout(touch(tmp_path, "a/BA_1.png", "b/NE_2.png", "b/NE_3.png", "c.png")) == ()
    (tmp_path / "none").mkdir()
    assert layout(tmp_path / "none") == ()
