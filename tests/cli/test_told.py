"""What leukreg chose in reading is told by every command that reads, and kept with the run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from leukreg.cli.fidelity import compared_sides, open_sides
from leukreg.cli.main import main
from leukreg.progress import SILENT
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
    assert read(run).listing.assumed_of_list == (HOW,)


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """Two files of 16 bits that hold 12, and one with transparent parts."""
    folder = tmp_path / "odd" / "benign"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(7)
    for number in range(2):
        values = rng.integers(0, 4096, (40, 40)).astype(np.uint16)
        Image.fromarray(values).save(folder / f"{number}.png")
    Image.fromarray(rng.integers(0, 200, (40, 40, 4), np.uint8), "RGBA").save(folder / "clear.png")
    return folder.parent


DARK = "! 2 files: 16 bits, 65,535 taken for white, but no value is above 4,095"
CLEAR = "1 file: transparent parts, laid over white"


@pytest.mark.parametrize("command", ["predict", "explain"])
def test_how_new_images_were_read_is_told(
    binary_run: Path, odd: Path, tmp_path: Path, capsys: Capture, command: str
) -> None:
    more = {"predict": ["--json", "-"], "explain": ["--out", str(tmp_path / "out")]}[command]
    assert main([command, str(binary_run), str(odd), *more]) == 0
    told = capsys.readouterr()
    assert DARK in told.err
    assert CLEAR in told.err
    assert (CLEAR in told.out) == (command == "predict")  # kept with the figures


def test_an_evaluation_and_a_comparison_tell_it_too(
    binary_run: Path, odd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert CLEAR in said(["evaluate", str(binary_run), "--data", str(odd)], capsys)
    other = write_cells(tmp_path / "other", ("benign",), 3, seed=2)
    sides = compared_sides(str(other), str(odd), None, tmp_path, 1, "train")
    _, heads = open_sides(sides, 32, SILENT)
    assert CLEAR in heads


DONORS = """
[synthesis]
use = "cgan"
classes = ["benign"]
per_class = 2
steps = 1
batch = 4
channels = 4
way = "donor"
donor = { root = "donors" }
gate = false
"""


def test_what_is_passed_over_among_donors_is_told_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEUKREG_CACHE", str(tmp_path / "cache"))
    cells = write_cells(tmp_path / "cells", ("[M] pro", "benign"), 8, seed=1)
    write_cells(tmp_path / "donors", ("benign", "early"), 3, seed=2)
    Path("donors/benign/slide.svs").write_bytes(b"slide")
    whole = RECIPE.format(root=cells, folds="{ k = 2 }", evaluate="")
    Path("mine.toml").write_text(whole.replace("epochs = 3", "epochs = 1") + DONORS)
    slide, folder = ".svs among donors", "folder 'early' among donors"
    told = said(["check", "mine.toml"], capsys)
    assert slide in told
    assert folder in told
    told = said(["run", "mine.toml"], capsys)
    assert f"files passed over: 1 {slide}, such as donors/benign/slide.svs" in told
    assert f"files passed over: 3 {folder}" in told
    (run,) = Path("runs").iterdir()
    kept = read(run).listing.passed_over_by_generator
    assert [(one.what, one.files) for one in kept] == [(slide, 1), (folder, 3)]
