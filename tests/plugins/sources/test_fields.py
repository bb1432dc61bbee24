"""The pictures of fields, found by their names and folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from leukreg_plugins.sources.boxes import Boxes
from PIL import Image

from leukreg import ImageSpec, Problems, Samples, open_images
from tests.data.conftest import picture
from tests.plugins.sources.annotated import BOXES, coco, fields, said, voc, yolo


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


def one_field(root: Path, place: str, annotation: str, stated: str = "x.png") -> Samples:
    """One picture, and one box that its annotation states of a picture."""
    for path in (root / place, root / annotation):
        path.parent.mkdir(parents=True, exist_ok=True)
    picture(1, (96, 64)).save(root / place)
    if annotation.endswith(".txt"):
        (root / "classes.txt").write_text("WBC\n")
        (root / annotation).write_text("0 0.5 0.5 0.2 0.2\n")
    else:
        box = {"image_id": 1, "category_id": 0, "bbox": [10, 10, 20, 20]}
        table = {"categories": [{"id": 0, "name": "WBC"}], "annotations": [box]}
        table["images"] = [{"id": 1, "file_name": stated}]
        (root / annotation).write_text(json.dumps(table))
    return Boxes(root=str(root)).build()


@pytest.mark.parametrize(
    ("place", "annotation", "stated"),
    [
        ("p08/x.png", "p07/x.txt", ""),
        ("train/images/x.png", "test/labels/x.txt", ""),
        ("valid/x.png", "train/cells.json", "x.png"),
        ("p08/x.png", "cells.json", "p07/x.png"),
        ("2020.png", "2020.01.txt", ""),
    ],
)
def test_no_box_is_cut_from_the_picture_of_another(
    tmp_path: Path, place: str, annotation: str, stated: str
) -> None:
    with pytest.raises(Problems, match=r"there is no picture '(p07/)?(x|x.png|2020.01)' "):
        one_field(tmp_path, place, annotation, stated)


@pytest.mark.parametrize(
    ("place", "annotation", "stated"),
    [
        ("img/x.png", "xml/x.txt", ""),
        ("p07/images/x.png", "p07/labels/x.txt", ""),
        ("images/train/x.png", "labels/train/x.txt", ""),
        ("p07/x.png", "x.txt", ""),
        ("x.png", "labels/x.txt", ""),
        ("p07/x.png", "cells.json", "C:\\data\\p07\\x.png"),
        ("p07/x.png", "cells.json", "set/p07/x.png"),
        ("set/p07/x.png", "cells.json", "p07/x.png"),
        ("x.png", "cells.json", "x.jpg"),
        ("2020.01.png", "2020.01.txt", ""),
        ("x.png", "x.png.txt", ""),
    ],
)
def test_a_field_is_found_where_folders_do_not_contradict(
    tmp_path: Path, place: str, annotation: str, stated: str
) -> None:
    samples = one_field(tmp_path, place, annotation, stated)
    assert [row.id for row in samples.rows] == [f"{place}#001"]
    assert samples.broken == ()


def test_the_path_below_root_is_found_wherever_folders_say_nothing(tmp_path: Path) -> None:
    (tmp_path / "b/img").mkdir(parents=True)
    picture(2, (96, 64)).save(tmp_path / "b/img/x.png")
    samples = one_field(tmp_path, "a/img/x.png", "cells.json", "a/img/x.png")
    assert [row.id for row in samples.rows] == ["a/img/x.png#001"]


def test_a_field_of_another_size_than_stated_is_not_cut(tmp_path: Path) -> None:
    size = "<size><width>{}</width><height>{}</height></size>"
    root = voc(fields(tmp_path / "set"), size=size.format(96, 64))
    assert len(Boxes(root=str(root)).build()) == 5
    voc(root, size=size.format(0, 0))  # programs write 0 for what they do not know
    assert len(Boxes(root=str(root)).build()) == 5
    voc(root, size=size.format(64, 96))
    assert "that it is 64x96, but upright it is 96x64: its boxes are those of another" in said(root)
    images = [
        {"id": n, "file_name": name, "width": 48, "height": 32} for n, name in enumerate(BOXES)
    ]
    both = coco(fields(tmp_path / "other"), images=images)
    assert "that it is 48x32, but upright it is 96x64" in said(both)


def test_doubts_about_fields_are_told(tmp_path: Path) -> None:
    root = yolo(fields(tmp_path / "set"))
    turned = Image.Exif()
    turned[274] = 3
    picture(0, (96, 64)).save(root / "images/p1/one.png", exif=turned)
    (root / "two.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    samples = Boxes(root=str(root)).build()
    assert samples.assumed[1:3] == (
        "1 of the fields, such as images/p2/two.png, have boxes in several annotation files, which "
        "all count",
        "1 of the fields, such as images/p1/one.png, are stored turned (EXIF); their boxes count "
        "as drawn on the upright picture",
    )


def test_fields_of_one_file_under_two_names_stay_together(tmp_path: Path) -> None:
    root = voc(fields(tmp_path / "set"))
    (root / "images/p2/two.png").write_bytes((root / "images/p1/one.png").read_bytes())
    images = open_images(Boxes(root=str(root)).build(), ImageSpec(size=32))
    assert len({row.field for row in images.samples.rows}) == 1
    assert images.samples.assumed[-1] == (
        "1 field is a copy of others, byte by byte, and counts as one with them, such as that of "
        "images/p2/two.png#001"
    )
