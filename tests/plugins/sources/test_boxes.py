"""Cells in fields with boxes: three formats, one listing, and every fault with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from leukreg_plugins.sources.boxes import Boxes
from leukreg_plugins.sources.patients import PatientTable
from PIL import Image

from leukreg import DataError, ImageSpec, NotAvailable, Problems, open_images
from leukreg.testing import check
from tests.data.conftest import picture

# Width 96, height 64; left, top, right, bottom.
BOXES = {
    "p1/one.png": [("WBC", (10, 10, 30, 30)), ("RBC", (40, 20, 50, 32)), ("WBC", (0, 40, 20, 60))],
    "p2/two.png": [("RBC", (60, 4, 72, 16)), ("WBC", (70, 40, 96, 64))],
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEUKREG_CACHE", str(tmp_path / "cache"))


def fields(root: Path) -> Path:
    for number, name in enumerate(BOXES):
        path = root / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(number, (96, 64)).save(path)
    return root


def voc(root: Path, boxes: dict[str, Any] = BOXES) -> Path:
    for name, own in boxes.items():
        objects = "".join(
            f"<object>\n<name>{label}</name><part><name>x</name></part><bndbox><xmin>{box[0]}</xmin>"
            f"<ymin>{box[1]}</ymin><xmax>{box[2]}</xmax><ymax>{box[3]}</ymax></bndbox></object>\n"
            for label, box in own
        )
        path = root / "annotations" / f"{Path(name).stem}.xml"
        path.parent.mkdir(exist_ok=True)
        file = f"<filename>{Path(name).name}</filename>"
        path.write_text(f"<annotation>{file}\n{objects}</annotation>")
    return root


def coco(root: Path, boxes: dict[str, Any] = BOXES, **more: Any) -> Path:
    names = ["WBC", "RBC"]
    marks = [
        {
            "image_id": number,
            "category_id": names.index(label),
            "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]],
        }
        for number, own in enumerate(boxes.values())
        for label, box in own
    ]
    table = {
        "images": [{"id": number, "file_name": name} for number, name in enumerate(boxes)],
        "categories": [{"id": number, "name": name} for number, name in enumerate(names)],
        "annotations": [{"id": number, **mark} for number, mark in enumerate(marks)],
    }
    (root / "cells.json").write_text(json.dumps(table | more))
    return root


def yolo(root: Path, boxes: dict[str, Any] = BOXES) -> Path:
    for name, own in boxes.items():
        lines = []
        for label, (left, top, right, bottom) in own:
            shares = (
                (left + right) / 192, (top + bottom) / 128, (right - left) / 96, (bottom - top) / 64
            )  # fmt: skip
            lines.append(" ".join(map(str, (["WBC", "RBC"].index(label), *shares))))
        path = (root / "labels" / name).with_suffix(".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
    (root / "classes.txt").write_text("WBC\nRBC\n")
    return root


WRITERS = {"voc": voc, "coco": coco, "yolo": yolo}


def said(root: Path, **options: Any) -> str:
    with pytest.raises(Problems) as caught:
        Boxes(root=str(root), **options).build()
    return str(caught.value)


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


def test_faults_of_yolo_files(tmp_path: Path) -> None:
    root = yolo(fields(tmp_path / "set"))
    file = root / "labels" / "p1" / "one.txt"
    file.write_text("0 0.5 0.5 0.2 0.2\n\n2 0.5 0.5 0.2 0.2\n0 0.5 0.5 0.2\n0 0.9 0.5 0.5 0.2\nx\n")
    (root / "README.txt").write_text("cells")
    (root / "labels" / "gone.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    broken = {one.path: one.reason for one in Boxes(root=str(root)).build().broken}
    assert broken[f"{file}:3"] == "class 2 is none of the 2 that have names, from 0"
    assert broken[f"{file}:4"].startswith("a line has a class and four numbers, not 4 of them")
    assert "does not lie in the picture" in broken[f"{file}:5"]
    assert broken[f"{root}/labels/gone.txt:1"].startswith("there is no picture 'gone'")
    assert len(broken) == 5
    (root / "data.yaml").write_text("names: {0: a, 1: b}\n")
    with pytest.raises(DataError, match=r"data.yaml and .*classes.txt name other classes"):
        Boxes(root=str(root)).build()
    (root / "classes.txt").unlink()
    assert Boxes(root=str(root)).build().classes == ("a", "b")
    named = Boxes(root=str(root / "images"), annotations=str(root / "data.yaml"))
    assert named.build().classes == ("a", "b")
    (root / "data.yaml").unlink()
    with pytest.raises(DataError, match="nothing names the classes"):
        Boxes(root=str(root)).build()


def test_faults_of_coco_files(tmp_path: Path) -> None:
    marks = [
        {"id": 7, "image_id": 0, "category_id": 0, "bbox": [1, 1, 9, 9]},
        {"id": 8, "image_id": 9, "category_id": 0, "bbox": [1, 1, 9, 9]},
        {"id": 9, "image_id": 0, "category_id": 5, "bbox": [1, 1, 9, 9]},
        {"id": 10, "image_id": 0, "category_id": 0, "bbox": "all"},
        {"id": 11, "image_id": 0, "category_id": 0, "bbox": [1, 1, 9, 9], "iscrowd": 1},
    ]
    root = coco(fields(tmp_path / "set"), annotations=marks)
    samples = Boxes(root=str(root)).build()
    assert len(samples) == 1
    assert [(one.path.removeprefix(f"{root}/"), one.reason) for one in samples.broken] == [
        ("cells.json annotation 8", "its image_id 9 is none of the file's images"),
        ("cells.json annotation 9", "its category_id 5 is none of the file's categories"),
        ("cells.json annotation 10", "its bbox is not four numbers: 'all'"),
    ]
    for text in (
        "{",
        "[]",
        '{"images": 1}',
        '{"images": [], "annotations": [3], "categories": []}',
    ):
        (root / "cells.json").write_text(text)
        assert f"{root}/cells.json  damaged COCO JSON" in said(root)


def test_damaged_and_dangerous_xml_is_told(tmp_path: Path) -> None:
    root = voc(fields(tmp_path / "set"))
    bomb = '<!DOCTYPE a [<!ENTITY x "xxxxxxxx">]>\n<annotation>&x;</annotation>'
    (root / "annotations" / "one.xml").write_text(bomb)
    (root / "annotations" / "two.xml").write_text("<annotation>\n<object></annotation>")
    text = said(root)
    assert "one.xml  damaged VOC XML: it has a document type of its own, which is not read" in text
    assert "two.xml:2  damaged VOC XML: mismatched tag" in text


def test_a_field_that_is_no_picture_is_told_once(tmp_path: Path) -> None:
    root = voc(fields(tmp_path / "set"))
    (root / "images/p1/one.png").write_bytes(b"x")
    samples = Boxes(root=str(root)).build()
    assert [one.path for one in samples.broken] == [str(root / "images/p1/one.png")]
    assert {row.id.partition("#")[0] for row in samples.rows} == {"images/p2/two.png"}


def test_fields_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    root = tmp_path / "set"
    for side, number in (("train", 1), ("valid", 2)):
        for folder in ("images", "labels"):
            (root / side / folder).mkdir(parents=True)
        picture(number, (96, 64)).save(root / side / "images" / "x.jpg")
        (root / side / "labels" / "x.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (root / "data.yaml").write_text("names: [WBC]\n")
    samples = Boxes(root=str(root)).build()
    assert [(row.id, row.split) for row in samples.rows] == [
        ("train/images/x.jpg#001", "train"),
        ("valid/images/x.jpg#001", "validation"),
    ]
    (root / "train" / "labels" / "x.txt").rename(root / "x.txt")
    [broken] = Boxes(root=str(root)).build().broken
    assert broken.reason.startswith("'x' may be train/images/x.jpg or valid/images/x.jpg")


def test_annotations_are_looked_for(tmp_path: Path) -> None:
    root = fields(tmp_path / "set")
    with pytest.raises(DataError, match=r"holds no annotations .*data\.annotations"):
        Boxes(root=str(root)).build()
    coco(voc(root))
    with pytest.raises(DataError, match=r"VOC XML .* and COCO JSON .*data\.format"):
        Boxes(root=str(root)).build()
    assert len(Boxes(root=str(root), format="coco").build()) == 5
    assert len(Boxes(root=str(root), annotations=str(root / "cells.json")).build()) == 5
    with pytest.raises(DataError, match=r"no annotations \(YOLO text\)"):
        Boxes(root=str(root), format="yolo").build()
    for options in ({"root": "nowhere"}, {"root": str(root), "annotations": "nowhere"}):
        with pytest.raises(NotAvailable):
            Boxes(**options).ready()
