"""Every plugin of this environment keeps the contract of its kind."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from leukreg.registry import Entry, installed
from leukreg.registry.kinds import KINDS
from leukreg.testing import CHECKS, check, check_options, example_labels, write_example_images
from tests.inception import write_inception
from tests.small_run import write_run

ENTRIES = sorted(installed(), key=lambda entry: (entry.kind, entry.name))


def _id(entry: Entry) -> str:
    return f"{entry.kind}:{entry.name}"


def _ready(entry: Entry, folder: Path) -> Any:
    """The plugin on a machine with a few images and without downloaded weights."""
    options = {field.name: field.type for field in dataclasses.fields(entry.cls)}
    if entry.kind == "source" and "root" in options:
        write_example_images(folder)
        if "annotations" in options:
            _draw_boxes(folder)
        return entry.cls(root=str(folder))
    if entry.kind == "source" and "path" in options:
        write_example_images(folder)
        lines = [f"{path},{path.parent.name}" for path in sorted(folder.glob("*/*.png"))]
        (folder / "table.csv").write_text("\n".join(["path,label", *lines]))
        return entry.cls(path=str(folder / "table.csv"))
    if entry.kind == "backbone" and "weights" in options:
        return entry.cls(weights="random")
    if (entry.kind, entry.name) == ("executor", "ray"):
        pytest.importorskip("ray")  # an extra of 250 MB that the tests do not need
    if (entry.kind, entry.name) == ("executor", "slurm"):
        return entry.cls(cluster="local")
    if (entry.kind, entry.name) == ("generator", "cgan"):
        return entry.cls(steps=2, batch=4, channels=4, latent=8)
    if entry.kind == "generator" and options.get("donor") == "str":
        return entry.cls(donor=example_labels().names[0])
    if (entry.kind, entry.name) == ("extractor", "run"):
        return entry.cls(path=str(write_run(folder / "run")))
    if (entry.kind, entry.name) == ("extractor", "inception"):
        return entry.cls(path=str(write_inception(folder / "weights.pth")))
    return entry.cls


def _draw_boxes(folder: Path) -> None:
    """A box in every image, in COCO's form."""
    images = sorted(path.relative_to(folder).as_posix() for path in folder.glob("*/*.png"))
    table = {
        "images": [{"id": number, "file_name": name} for number, name in enumerate(images)],
        "categories": [{"id": 0, "name": "cell"}],
        "annotations": [
            {"id": number, "image_id": number, "category_id": 0, "bbox": [2, 2, 9, 9]}
            for number in range(len(images))
        ],
    }
    (folder / "boxes.json").write_text(json.dumps(table))


@pytest.mark.usefixtures("tiny_dinobloom")
@pytest.mark.parametrize("entry", ENTRIES, ids=_id)
def test_keeps_the_contract_of_its_kind(
    entry: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEUKREG_CACHE", str(tmp_path / "cache"))
    check(entry.kind, _ready(entry, tmp_path))


@pytest.mark.parametrize("entry", ENTRIES, ids=_id)
def test_options_are_documented_and_load(entry: Entry) -> None:
    check_options(entry.cls)


def test_no_plugin_is_broken_or_claimed_twice() -> None:
    assert installed().broken == ()
    assert installed().conflicts() == []


def test_there_is_a_plugin_of_every_kind_and_a_check_for_each() -> None:
    assert set(CHECKS) == set(KINDS)
    assert {entry.kind for entry in ENTRIES} == set(KINDS) - {"command"}
