"""Files of annotations: three formats, and every fault of theirs with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from leukreg_plugins.sources.boxes import Boxes

from leukreg import DataError, NotAvailable
from tests.plugins.sources.annotated import coco, fields, said, voc, yolo


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


@pytest.mark.parametrize("lines", ["WBC\n\nRBC\n", "\nWBC\nRBC\n"])
def test_an_empty_line_shifts_no_class(tmp_path: Path, lines: str) -> None:
    root = yolo(fields(tmp_path / "set"))
    (root / "classes.txt").write_text(lines)
    with pytest.raises(DataError, match=r"classes\.txt:[12] is empty: .* count lines from 0"):
        Boxes(root=str(root)).build()
    (root / "classes.txt").write_text("WBC\nRBC\n\n \n")
    assert Boxes(root=str(root)).build().classes == ("RBC", "WBC")


def test_a_list_of_classes_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    root = yolo(fields(tmp_path / "set"))
    (root / "classes.txt").write_bytes("Zelle\nKörper\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"classes\.txt is not UTF-8"):
        Boxes(root=str(root)).build()
    (root / "classes.txt").unlink()
    (root / "classes.txt").mkdir()
    with pytest.raises(DataError, match="nothing names the classes"):
        Boxes(root=str(root)).build()


BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(20)
)


@pytest.mark.parametrize(
    "text",
    [
        "date: 2026-02-31\nnames: [a, b]\n",
        BOMB + "names: [a, b]\n",
        "names: {0: a, 1: b}\nextra: {<<: {x: y}}\n",
    ],
)
def test_odd_yaml_names_classes_nevertheless(tmp_path: Path, text: str) -> None:
    root = yolo(fields(tmp_path / "set"))
    (root / "classes.txt").unlink()
    (root / "data.yaml").write_text(text)
    assert Boxes(root=str(root)).build().classes == ("a", "b")


@pytest.mark.parametrize(
    "text",
    [
        f"names: {{{'9' * 5000}: a}}\n",
        "names: {a: b}\n",
        "names: *x\n",
        "[" * 1100,
        "names: [[a], [b]]\n",
        BOMB + "names: *u\n",
        "- a\n",
    ],
)
def test_yaml_that_names_no_classes_is_passed_over(tmp_path: Path, text: str) -> None:
    root = yolo(fields(tmp_path / "set"))
    (root / "data.yaml").write_text(text)
    assert Boxes(root=str(root)).build().classes == ("RBC", "WBC")


def test_classes_may_have_numbers_of_their_own(tmp_path: Path) -> None:
    root = yolo(fields(tmp_path / "set"))
    (root / "classes.txt").unlink()
    (root / "data.yaml").write_text("names: {0: a, 1000000000: b}\n")
    samples = Boxes(root=str(root)).build()
    assert samples.classes == ("a",)
    assert {one.reason for one in samples.broken} == {
        "class 1 is none of the 2 that have names, from 0"
    }


@pytest.mark.parametrize("line", ["0 5e-1 .5 0.2 0.2", "0 .1 .1 .2 .1 .2 .2 .1 .2"])
def test_boxes_whose_picture_is_missing_are_told_however_written(tmp_path: Path, line: str) -> None:
    root = yolo(fields(tmp_path / "set"))
    (root / "labels" / "gone.txt").write_text(f"{line}\n")
    (root / "figures.txt").write_text("0.1 nan 3 4 5\n")
    [broken] = Boxes(root=str(root)).build().broken
    assert broken.path == f"{root}/labels/gone.txt:1"


def test_numbers_and_encodings_beyond_measure_are_told(tmp_path: Path) -> None:
    huge = int("9" * 400)
    marks = [
        {"id": 1, "image_id": 0, "category_id": 0, "bbox": [1, 1, 9, huge]},
        {"id": 2, "image_id": 0, "category_id": 0, "bbox": [1, 1, 9, 9]},
    ]
    root = coco(fields(tmp_path / "set"), annotations=marks)
    samples = Boxes(root=str(root)).build()
    assert len(samples) == 1
    assert samples.broken[0].reason.startswith("its bbox is not four numbers")
    (root / "cells.json").unlink()
    voc(root)
    (root / "annotations" / "one.xml").write_text('<?xml version="1.0" encoding="klingon"?><a/>')
    [broken] = Boxes(root=str(root)).build().broken
    assert broken.path == f"{root}/annotations/one.xml"
    assert "encoding" in broken.reason


def test_one_id_names_one_picture(tmp_path: Path) -> None:
    images = [{"id": 0, "file_name": "p1/one.png"}, {"id": 0, "file_name": "p2/two.png"}]
    root = coco(fields(tmp_path / "set"), images=images)
    assert "damaged COCO JSON: several of its images have one id" in said(root)


def test_without_one_box_it_says_what_was_passed_over(tmp_path: Path) -> None:
    mark = {"image_id": 0, "category_id": 0, "bbox": [1, 1, 9, 9], "iscrowd": 1}
    root = coco(fields(tmp_path / "set"), annotations=[mark])
    with pytest.raises(DataError, match=r"without one box; passed over: 1 box round crowds"):
        Boxes(root=str(root)).build()
    coco(root, annotations=[])
    with pytest.raises(DataError, match=r"without one box$"):
        Boxes(root=str(root)).build()


def test_annotations_are_found_through_links(tmp_path: Path) -> None:
    root = voc(fields(tmp_path / "set"))
    (root / "annotations").rename(tmp_path / "elsewhere")
    (root / "annotations").symlink_to(tmp_path / "elsewhere")
    assert len(Boxes(root=str(root)).build()) == 5
