"""Two small fields with the boxes of five cells, written in three formats."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from leukreg_plugins.sources.boxes import Boxes

from leukreg import Problems
from tests.data.conftest import picture

# Width 96, height 64; left, top, right, bottom.
BOXES = {
    "p1/one.png": [("WBC", (10, 10, 30, 30)), ("RBC", (40, 20, 50, 32)), ("WBC", (0, 40, 20, 60))],
    "p2/two.png": [("RBC", (60, 4, 72, 16)), ("WBC", (70, 40, 96, 64))],
}


def fields(root: Path) -> Path:
    for number, name in enumerate(BOXES):
        path = root / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(number, (96, 64)).save(path)
    return root


def voc(root: Path, boxes: dict[str, Any] = BOXES, size: str = "") -> Path:
    for name, own in boxes.items():
        objects = "".join(
            f"<object>\n<name>{label}</name><part><name>x</name></part><bndbox><xmin>{box[0]}</xmin>"
            f"<ymin>{box[1]}</ymin><xmax>{box[2]}</xmax><ymax>{box[3]}</ymax></bndbox></object>\n"
            for label, box in own
        )
        path = root / "annotations" / f"{Path(name).stem}.xml"
        path.parent.mkdir(exist_ok=True)
        file = f"<filename>{Path(name).name}</filename>"
        path.write_text(f"<annotation>{file}\n{objects}{size}</annotation>")
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


WRITERS: dict[str, Callable[..., Path]] = {"voc": voc, "coco": coco, "yolo": yolo}


def said(root: Path, **options: Any) -> str:
    """What is wrong with a set of fields and boxes that cannot be listed."""
    with pytest.raises(Problems) as caught:
        Boxes(root=str(root), **options).build()
    return str(caught.value)
