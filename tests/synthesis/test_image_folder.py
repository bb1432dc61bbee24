"""The table of synthetic images: no spreadsheet computes it, and the source "table" reads it."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from leukreg.registry import installed
from leukreg.synthesis import image_folder
from leukreg.types import Lineage, Sample

ODD = ["=1+1", "-x", "+x", "@SUM(A1)", "\\=1+1", "\\\\server\\cells", "a\x1bb", "Pre-B"]


def source(path: Path, **options: Any) -> Any:
    return installed().get("source", "table").cls(path=str(path), **options)


def row(home: Path, label: str) -> Sample:
    path = home / image_folder.folder_names([label])[label] / "0001.png"
    path.parent.mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(path)
    line = Lineage(
        generator="@made", seed=-3, parent="=a.png", parent_label=label, condition={"+": label}
    )
    name = f"synthetic/{home.name}/{path.parent.name}/{path.name}"
    return Sample(id=name, path=str(path), label=label, origin="synthetic", lineage=line)


@pytest.mark.parametrize("label", ODD)
def test_it_is_read_back_and_never_computed(tmp_path: Path, label: str) -> None:
    made = row(tmp_path / "home", label)
    table = tmp_path / "home" / "table.csv"
    image_folder.write_list(tmp_path / "home", [made])
    [_, line] = csv.reader(io.StringIO(table.read_text(), newline=""))
    texts = [cell for cell in line if cell != "-3"]  # the seed is a figure
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in texts)
    assert all(cell.isprintable() for cell in texts)
    for classes in (None, {"one": (label,)}):
        [found] = source(table, classes=classes).build().rows
        assert found.label == ("one" if classes else label)
        assert (found.path, found.lineage) == (made.path, made.lineage)


@pytest.mark.parametrize("label", ODD)
def test_a_run_reads_its_own_back(tmp_path: Path, label: str) -> None:
    made = image_folder.SyntheticRows((row(tmp_path / "home", label),))
    image_folder.finish(tmp_path / "home", "digest", made)
    assert image_folder.read_complete(tmp_path / "home", "digest") == made
    [_, line] = csv.reader(
        io.StringIO((tmp_path / "home" / image_folder.TABLE).read_text(), newline="")
    )
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in line if cell != "-3")


def test_a_backslash_in_a_table_of_others_is_no_escape(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "tmp" / "new.png")
    table = tmp_path / "t.csv"
    table.write_text("path,label\ntmp\\new.png,\\\\tmp\\new\n")
    [found] = source(table).build().rows
    assert found.label == "\\\\tmp\\new"
    assert found.id == "tmp/new.png"
