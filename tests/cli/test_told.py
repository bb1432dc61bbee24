"""What leukreg chose in reading is told by every command that reads, and kept with the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from leukreg.cli.main import main
from leukreg.runs import read
from tests.trained import RECIPE, write_cells

Capture = pytest.CaptureFixture[str]
HOW = "t.csv: cells are parted by a semicolon"


def said(words: list[str], capsys: Capture) -> str:
    """What a command that goes well prints."""
    capsys.readouterr()
    assert main(words) == 0
    return " ".join(capsys.readouterr().out.split())


def test_what_was_assumed_of_a_table_is_told_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEUKREG_CACHE", str(tmp_path / "cache"))
    cells = write_cells(tmp_path / "cells", ("[M] pro", "benign"), 8, seed=1)
    lines = [f"{path};{path.parent.name}" for path in sorted(cells.rglob("*.png"))]
    Path("t.csv").write_text("\n".join(["path;label", *lines]))
    whole = RECIPE.format(root="", folds="{ k = 2 }", evaluate="")
    whole = whole.replace('use = "folder"\nroot = ""', 'use = "table"\npath = "t.csv"')
    Path("mine.toml").write_text(whole.replace("epochs = 3", "epochs = 1"))
    assert HOW in said(["data", "t.csv"], capsys)
    assert HOW in said(["check", "mine.toml"], capsys)
    assert said(["run", "mine.toml"], capsys).count(HOW) >= 2  # before training, and in the report
    assert HOW in said(["show", "last"], capsys)
    assert main(["report", "last", "--out", "page.html"]) == 0
    assert HOW in Path("page.html").read_text()
    (run,) = Path("runs").iterdir()
    assert read(run).facts["assumed_of_list"] == [HOW]
