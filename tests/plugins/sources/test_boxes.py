"""Cells in fields with boxes: three formats, one listing, and every fault with its place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from leukreg_plugins.sources.boxes import Boxes
from leukreg_plugins.sources.patients import PatientTable
from PIL import Image

from leukreg import ImageSpec, open_images
from leukreg.testing import check
from tests.data.conftest import picture
from tests.plugins.sources.annotated import WRITERS, coco, fields, said, voc


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEUKREG_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("kind", WRITERS)
def test_three_formats_say_the_same(tmp_path: Path, kind: str) -> None:
    root = WRITERS[kind](fields(tmp_path / "set"))
    for asked in ("auto", kind):
        samples = Boxes(root=str(root), format=asked, side=32).build()
        assert samples.classes == ("RBC", "WBC")
        assert [(row.id, row.label, row.box) for row in samples.rows] == [
            ("images/p1/one.png#001", "WBC", (4, 4, 36, 36)),
            ("images/p1/one.png#002", "RBC", (29, 10, 61, 42)),
            ("images/p1/one.png#003", "WBC", (-6, 34, 26, 66)),
            ("images/p2/two.png#001", "RBC", (50, -6, 82, 26)),
            ("images/p2/two.png#002", "WBC", (67, 36, 99, 68)),
        ]
        assert samples.broken == ()
        assert samples.passed == ()
    assert samples.assumed[0].endswith(
        "5 boxes in 2 fields, every crop 32 x 32 pixels of its field"
    )
    together = "patients of all cells unknown: those of one field stay on one side of a split"
    assert samples.assumed[1:] == (together,)
    check("source", Boxes(root=str(root), side=32))


def test_the_pixels_are_the_fields_own(tmp_path: Path) -> None:
    samples = Boxes(root=str(voc(fields(tmp_path / "set"))), side=32).build()
    images = open_images(samples, ImageSpec(size=32))
    whole = np.asarray(Image.open(tmp_path / "set/images/p1/one.png"))
    assert np.array_equal(images.pixels([0])[0], whole[4:36, 4:36])
    assert np.array_equal(images.pixels([2])[0][:30, 6:], whole[34:64, :26])


def test_all_crops_are_of_one_scale_unless_each_is_to_fill_its_own(tmp_path: Path) -> None:
    root = str(coco(fields(tmp_path / "set")))
    same = Boxes(root=root).build()
    assert {row.box[2] - row.box[0] for row in same.rows if row.box} == {32}  # 26 and its margins
    assert same.assumed[0].endswith("32 x 32 pixels of its field; side = 32 keeps it so")
    cut = Boxes(root=root, side=24).build()
    assert cut.assumed[0].endswith("24 x 24 pixels of its field; 1 are larger and are cut")
    each = Boxes(root=root, scale="box", margin=0.25).build()
    assert [row.box[2] - row.box[0] for row in each.rows if row.box] == [30, 18, 30, 18, 39]
    assert "sizes of cells are lost" in each.assumed[0]
    with pytest.raises(ValueError, match="side is for scale"):
        Boxes(root=root, scale="box", side=32)


def test_patients_classes_and_sides(tmp_path: Path) -> None:
    root = voc(fields(tmp_path / "set"))
    (root / "images").rename(root / "train")
    picture(9, (96, 64)).save(root / "train" / "p2" / "empty.png")
    classes = {"leukocyte": ("WBC",)}
    source = Boxes(root=str(root), classes=classes, patient_level=2)
    samples = source.build()
    assert [row.patient for row in samples.rows] == ["p1", "p1", "p2"]
    assert {row.split for row in samples.rows} == {"train"}
    assert [str(one) for one in samples.passed] == [
        "2 boxes called 'RBC', such as train/p1/one.png: no class names this label",
        "1 fields, such as train/p2/empty.png: no box of a class lies in them",
    ]
    assert "no box has the label 'WBB' of classes; did you mean 'WBC'?" in said(
        root, classes={"leukocyte": ("WBB",)}
    )
    table = tmp_path / "diagnoses.csv"
    table.write_text("patient,label\np1,ALL\np2,healthy\n")
    patients = PatientTable(path=str(table))
    weak = Boxes(root=str(root), patient_level=2, patients=patients, weak=True, classes=classes)
    assert weak.build().counts() == {"ALL": 2, "healthy": 1}
    known = Boxes(root=str(root), patient_level=2, patients=patients).build()
    assert (known.classes, known.patient_classes) == (("RBC", "WBC"), ("ALL", "healthy"))
    with pytest.raises(ValueError, match="the table patients"):
        Boxes(root=str(root), weak=True)


BAD = {
    "one.png": [("WBC", (10, 10, 30, 30)), ("WBC", (90, 10, 120, 30)), ("WBC", (5, 5, 5, 9))],
    "three.png": [("WBC", (1, 1, 9, 9))],
}


@pytest.mark.parametrize(
    ("kind", "places"),
    [
        ("voc", ("annotations/one.xml:4", "annotations/one.xml:6", "annotations/three.xml:2")),
        ("coco", ("cells.json annotation 1", "cells.json annotation 2", "cells.json annotation 3")),
    ],
)
def test_what_cannot_be_used_is_told_with_its_place(
    tmp_path: Path, kind: str, places: tuple[str, ...]
) -> None:
    root = WRITERS[kind](fields(tmp_path / "set"), BAD)
    samples = Boxes(root=str(root)).build()
    assert [row.id for row in samples.rows] == ["images/p1/one.png#001"]
    reasons = (
        "its box (90, 10, 120, 30) does not lie in the picture, which is 96x64",
        "its box (5, 5, 5, 9) has no area",
        "there is no picture 'three.png' below root; did you mean 'two.png'?",
    )
    assert [(one.path, one.reason) for one in samples.broken] == [
        (f"{root}/{place}", reason) for place, reason in zip(places, reasons, strict=True)
    ]
    alone = {"one.png": BAD["one.png"][1:]}
    assert f"{root}/{places[0].replace(':4', ':2').replace('n 1', 'n 0')}" in said(
        WRITERS[kind](root, alone) if kind == "coco" else voc(root, {**alone, "three.png": []})
    )
