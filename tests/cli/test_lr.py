"""``leukreg lr``: a suggestion, the line to write, a picture, and nothing overwritten."""

from __future__ import annotations

import re
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from leukreg.cli.main import main
from leukreg.testing import write_example_images

RECIPE = """
seed = 1
data = { use = "folder", root = "images", folds = { test = 0.25, duplicates = "ignored" } }
image = { size = 32 }
model = { backbone = "cellnet", head = "linear" }
loss = { use = "cross-entropy" }
training = { batch_size = 8 }
[[phase]]
name = "head"
epochs = 2
optimizer = { use = "adam", lr = 1e-3 }
[[phase]]
name = "all layers"
unfreeze = "all"
epochs = 2
optimizer = { use = "adamw", lr = 2e-3 }
"""


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    write_example_images(tmp_path / "images", per_class=16)
    (tmp_path / "mine.toml").write_text(RECIPE)
    monkeypatch.chdir(tmp_path)
    return "mine.toml"


def test_the_line_to_write_and_a_picture(
    recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(path.name for path in tmp_path.iterdir())
    assert main(["lr", recipe, "--phase", "all layers", "--steps", "40"]) == 0
    shown = capsys.readouterr().out
    assert "Write it in place of lr = 0.002 (mine.toml:16):\n    lr = " in shown
    assert re.search(r"lr = \d\.\de-\d\d\n", shown)
    assert "phase 'all layers': " in shown
    picture = tmp_path / "mine-all layers-lr.png"
    assert f"picture: {picture.name}" in shown
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*before, picture.name])


def test_nothing_is_overwritten(
    recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine-head-lr.png").write_text("kept")
    main(["lr", recipe, "--steps", "20"])
    assert "picture: mine-head-lr-2.png" in capsys.readouterr().out
    assert (tmp_path / "mine-head-lr.png").read_text() == "kept"
    assert main(["lr", recipe, "--out", "mine-head-lr.png"]) == 2
    assert "mine-head-lr.png exists; name another" in capsys.readouterr().err


def test_an_svg_is_drawn_where_it_is_asked_for(recipe: str, tmp_path: Path) -> None:
    main(["lr", recipe, "--steps", "20", "--out", "a.svg"])
    assert "<svg" in (tmp_path / "a.svg").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--phase", "tail"], "there is no phase 'tail'; there are head, all layers"),
        (["--out", "a.jpg"], "must end in .png or .svg"),
        (["--out", "no/a.png"], "there is no folder no"),
    ],
)
def test_wrong_use_is_said_before_any_work(
    recipe: str, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lr", recipe, *words]) == 2
    assert message in capsys.readouterr().err


def test_copies_that_a_run_leaves_out_are_left_out(
    recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each picture stands three times."""
    for path in [*(tmp_path / "images").rglob("*.png")]:
        seed = zlib.crc32(str(path.relative_to(tmp_path)).encode())
        noise = np.random.default_rng(seed).integers(0, 256, (48, 48, 3), np.uint8)
        Image.fromarray(noise).save(path)
        for again in ("b", "c"):
            shutil.copy(path, path.with_stem(f"{path.stem}-{again}"))
    rows = []
    for value in ("ignored", "drop"):
        assert main(["lr", recipe, "--steps", "20", "--set", f"data.folds.duplicates={value}"]) < 2
        found = re.search(r"on (\d+) training images", capsys.readouterr().out)
        assert found is not None
        rows.append(int(found[1]))
    assert rows[1] == pytest.approx(rows[0] / 3, abs=2)
