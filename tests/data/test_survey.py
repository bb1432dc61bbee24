"""A survey counts what is there and says what is wrong with it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from leukreg.data import near_duplicates
from leukreg.data.listing import list_folder
from leukreg.data.survey import layout, survey
from leukreg.types import Sample, Samples
from tests.data.conftest import Write, picture


def test_classes_sizes_formats_and_patients(write: Write, tmp_path: Path) -> None:
    samples = write("aab", patients=["p", "q", "q"])
    path = tmp_path / "wide.jpg"
    picture(9, (200, 100)).save(path)
    more = (Sample(id="a/wide.jpg", path=str(path), label="a"), samples.rows[2])
    found = survey(samples.extended(more))
    a, b = found.classes
    assert (a.name, a.images, a.patients, a.unassigned, a.broken) == ("a", 3, 2, 1, 0)
    assert a.formats == (("PNG", 2), ("JPEG", 1))
    assert a.sizes == (("96x96", 2), ("200x100", 1))
    assert a.bytes == sum(
        Path(row.path).stat().st_size for row in found.samples.rows if row.label == "a"
    )
    assert b.images == 2
    assert found.listed_twice == 1
    assert found.shared == ("q",)
    assert not found.faulty


def test_copies_and_whether_they_cross_classes(write: Write, tmp_path: Path) -> None:
    samples = write(["a", "a", "b", *"aaaabbbb"], seeds=[1, 1, 1, *range(10, 18)])
    path = tmp_path / "near.jpg"
    picture(17).save(path, quality=40)
    found = survey(samples.extended((Sample(id="b/near.jpg", path=str(path), label="b"),)))
    [exact] = found.exact
    assert [file.id for file in exact.files] == ["a/0000.png", "a/0001.png", "b/0002.png"]
    assert exact.crosses
    [near] = found.near
    assert {file.id for file in near.files} == {"b/0010.png", "b/near.jpg"}
    assert not near.crosses
    assert found.faulty


def test_a_search_by_trees_is_told(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    assert survey(write("ab")).samples.assumed == ()
    monkeypatch.setattr(near_duplicates, "MANY", 1)
    (said,) = survey(write("ab")).samples.assumed
    assert said.startswith("near duplicates among 2 pictures: only those that 40 random trees")


def test_broken_files_do_not_stop_it(write: Write, tmp_path: Path) -> None:
    bad = Sample(id="b/bad.jpg", path=str(tmp_path / "bad.jpg"), label="b")
    Path(bad.path).write_bytes(b"")
    found = survey(write("ab").extended((bad,)))
    assert [one.broken for one in found.classes] == [0, 1]
    assert [one.images for one in found.classes] == [1, 2]
    assert found.faulty
    alone = survey(Samples(rows=(bad,), classes=("b",)))
    assert [one.broken for one in alone.classes] == [1]
    assert [image.reason for image in alone.broken] == ["empty file (0 bytes)"]


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


def test_patients_alone_need_a_table_of_patients_or_of_cells(tmp_path: Path) -> None:
    _, *lines = layout(touch(tmp_path, "Patient 1/a.png", "Patient 2/b.png"))
    assert tomllib.loads("\n".join(lines)) == {"weak": True, "patients": {"path": "DIAGNOSES.csv"}}
    assert '# use = "table"' in lines


def test_ids_in_names_are_proposed_where_they_repeat(tmp_path: Path) -> None:
    names = [f"{label}/P{p}_{n}.png" for label in "ab" for p in (1, 2) for n in range(3)]
    line = layout(touch(tmp_path, *names))[1]
    samples = list_folder(tmp_path, patient=tomllib.loads(line)["patient"])
    assert {row.patient for row in samples.rows} == {"P1", "P2"}


def test_nothing_is_proposed_where_nothing_shows(tmp_path: Path) -> None:
    assert layout(touch(tmp_path, "a/BA_1.png", "b/NE_2.png", "b/NE_3.png", "c.png")) == ()
    (tmp_path / "none").mkdir()
    assert layout(tmp_path / "none") == ()
