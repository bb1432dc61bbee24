"""``leukreg synthesize``: a folder that is whole or not there, and that a recipe can read."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from leukreg.cli.main import main
from leukreg.registry import installed

RECIPE = """
schema = 1
seed = 3

[data]
use = "demo"
images = { "Benign" = 30, "[Malignant] Pre-B" = 30, "[Malignant] Pro-B" = 30 }
size = 32
folds = { test = 0.2, validation = 0.5, group = "none" }

[image]
size = 32

[model]
backbone = { use = "timm", model = "test_resnet", weights = "random" }
head = "linear"

[loss]
use = "cross-entropy"

[[phase]]
name = "all"
unfreeze = "all"
epochs = 1
optimizer = { use = "adam", lr = 1e-3 }

[synthesis]
use = "warp"
donor = "Benign"
classes = ["[Malignant] Pre-B", "[Malignant] Pro-B"]
per_class = 12
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def recipe(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LEUKREG_CACHE", str(cache))
    path = tmp_path / "made.toml"
    path.write_text(RECIPE)
    return path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def listed(folder: Path) -> list[Any]:
    source: Any = installed().get("source", "table").cls
    return list(source(path=str(folder / "table.csv")).build().rows)


def test_images_table_and_sheet_of_one_class(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "cells"
    words = ["synthesize", str(recipe), "--class", "[Malignant] Pro-B", "-n", "5"]
    assert main([*words, "--out", str(out), "--no-gate"]) == 0
    assert "5 images are listed" in capsys.readouterr().out
    assert names(out) == {"[Malignant] Pro-B", "table.csv", "contact-sheet.png"}
    assert names(out.parent) == {"cells"}
    rows = listed(out)
    assert {(r.label, r.origin, r.split) for r in rows} == {
        ("[Malignant] Pro-B", "synthetic", "train")
    }
    assert len(rows) == len({row.lineage.seed for row in rows}) == 5
    assert {row.lineage.parent_label for row in rows} == {"Benign"}
    assert {(row.lineage.generator, row.lineage.fold) for row in rows} == {("warp", 0)}


def test_what_fails_the_gate_is_written_but_not_listed(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "cells"
    assert main(["synthesize", str(recipe), "--out", str(out)]) == 1
    shown = capsys.readouterr().out
    assert re.search(r"Pre-B \(cells@[0-9a-f]{12}, 32 px, [0-9]+ real, 12 made\): KID", shown)
    assert "FAIL: " in shown
    assert names(out) >= {"[Malignant] Pre-B", "[Malignant] Pro-B", "fidelity.json", "table.csv"}
    assert len(names(out / "[Malignant] Pro-B")) == 12
    assert (out / "table.csv").read_text().splitlines()[1:] == []
    figures = json.loads((out / "fidelity.json").read_text())
    assert [table["class"] for table in figures[:2]] == ["[Malignant] Pre-B", "[Malignant] Pro-B"]
    assert not any(table["passed"] for table in figures)


def test_a_gate_that_stops_leaves_all_but_the_table(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "cells"
    words = ["synthesize", str(recipe), "--out", str(out)]
    assert main([*words, "--set", "synthesis.gate.fails=stop"]) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "failed their gate" in told
    assert f"no table lists them. They are in {out}, with all figures." in told
    assert names(tmp_path) == {"made.toml", "cells"}
    assert names(out) >= {"[Malignant] Pre-B", "contact-sheet.png", "fidelity.json"}
    assert "table.csv" not in names(out)


def test_nothing_is_overwritten(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("a week of work")
    for out in (tmp_path / "mine", recipe):
        assert main(["synthesize", str(recipe), "--out", str(out)]) == 2
        assert "is not an empty folder" in capsys.readouterr().err
    assert names(tmp_path / "mine") == {"notes.txt"}


def test_folders_that_cannot_be_replaced_are_refused_before_any_work(
    recipe: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "disk").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr("os.path.ismount", lambda path: Path(path).name == "disk")
    for out, why in ((".", "is the folder you are in"), (tmp_path / "here", "folder you are in"),
                     ("../disk", "is a mount point"), ("x" * 999, "cannot be read")):  # fmt: skip
        assert main(["synthesize", "no-such-recipe.toml", "--out", str(out)]) == 2
        assert why in " ".join(capsys.readouterr().err.split())


def test_an_empty_folder_behind_a_link_is_filled(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("empty")
    words = ["synthesize", str(recipe), "--out", str(tmp_path / "link"), "--no-gate", "-n", "2"]
    assert main(words) == 0
    assert names(tmp_path) == {"made.toml", "empty", "link"}
    assert len(listed(tmp_path / "link")) == 4


def test_what_a_killed_call_left_beside_the_folder_is_removed(recipe: Path, tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dead, alive = f".cells.{ended.pid}.part", f".cells.{os.getppid()}.part"
    others = {alive, ".cells.part", f".other.{ended.pid}.part", f".cells.{ended.pid}.part.txt"}
    for name in (dead, *others):
        (tmp_path / name / "fold-0").mkdir(parents=True)
    words = ["synthesize", str(recipe), "--out", str(tmp_path / "cells"), "--no-gate", "-n", "2"]
    assert main(words) == 0
    assert names(tmp_path) == {"made.toml", "cells", *others}


@pytest.mark.parametrize("at", [1, 4, 13])
def test_a_full_disk_leaves_nothing_half_written(
    recipe: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    at: int,
) -> None:
    (tmp_path / "empty").mkdir()
    written = 0

    def full(path: Path, target: Path) -> None:
        nonlocal written
        written += tmp_path in path.parents
        if written == at:
            raise OSError(errno.ENOSPC, "No space left on device")
        path.rename(target)

    monkeypatch.setattr(Path, "replace", full)
    out = tmp_path / "empty"
    assert main(["synthesize", str(recipe), "--out", str(out), "--no-gate", "-n", "4"]) == 2
    assert f"leukreg: {out}" in (said := capsys.readouterr().err)
    assert "cannot be written: No space left on device; make room there" in said
    assert names(tmp_path) == {"made.toml", "empty"}
    assert names(out) == set()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--class", "Pre-B"], "no class 'Pre-B'"),
        (["--fold", "2"], "there is no fold 2; the last is 1"),
        (["--set", "synthesis=false"], "has no [synthesis]"),
        (["--set", "synthesis.place=before-split", "--fold", "1"], "not from a fold"),
        (["--class", "Benign", "--set", "synthesis.per_class={ Benign = 3 }",
          "--set", 'synthesis.classes=["Benign"]', "--class", "[Malignant] Pro-B"],
         "no number for [Malignant] Pro-B"),
    ],
)  # fmt: skip
def test_what_cannot_be_made(
    recipe: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    assert main(["synthesize", str(recipe), "--out", str(tmp_path / "out"), *words]) == 2
    assert message in capsys.readouterr().err
    assert names(tmp_path) == {"made.toml"}


def test_all_rows_where_the_recipe_makes_them_before_the_split(
    recipe: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    place = ["--set", "synthesis.place=before-split", "-n", "3", "--no-gate"]
    assert main(["synthesize", str(recipe), "--out", str(out), *place]) == 0
    assert {row.lineage.fold for row in listed(out)} == {None}
    assert len(listed(out)) == 6
