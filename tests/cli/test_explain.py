"""``leukreg explain``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from leukreg.cli.main import main
from leukreg.predict.heat_map import overlay, side_by_side
from leukreg.predict.trained_run import load


def test_each_image_becomes_a_picture(
    folds_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [Path(row.path) for row in load(folds_run).result.samples.rows[:2]]
    (tmp_path / "bad.png").write_text("no image")
    out = tmp_path / "out"
    words = ["explain", str(folds_run), *map(str, files), str(tmp_path / "bad.png")]
    assert main([*words, "--out", str(out)]) == 1
    told = capsys.readouterr()
    assert "2 pictures written" in told.out
    assert "backbone.stages" in told.out
    assert "bad.png: not an image" in told.err
    names = sorted(path.name for path in out.iterdir())
    assert names == [f"1-{files[0].stem}.png", f"2-{files[1].stem}.png"]
    with Image.open(out / names[0]) as picture:
        assert picture.width > 2 * 320
    assert main([*words, "--out", str(out)]) == 2
    assert "not an empty folder" in capsys.readouterr().err


def test_another_class_can_be_explained(
    folds_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = load(folds_run).result.samples.rows[0].path
    words = ["explain", str(folds_run), file, "--out", str(tmp_path / "out")]
    assert main([*words, "--class", "erly"]) == 2
    assert "did you mean 'early'?" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main([*words, "--class", "early"]) == 0


def test_the_overlay_hides_what_is_hot_and_nothing_else(tmp_path: Path) -> None:
    image = Image.new("RGB", (90, 60), (200, 100, 150))
    heat = np.zeros((30, 30), np.float32)
    heat[:, 20:] = 1
    found = np.asarray(overlay(image, heat)).astype(int)
    assert (found[:, :50] == (200, 100, 150)).all()
    assert (np.abs(found[:, 75:] - (200, 100, 150)).sum(axis=2) > 60).all()
    image.save(tmp_path / "wide.png")
    sheet = side_by_side(tmp_path / "wide.png", heat, ("[M] Präkursor ≥ 0.5",))
    pixels = np.asarray(sheet)
    assert (pixels[:30] < 128).any(axis=2).sum() > 20  # the words
    rows = np.flatnonzero((pixels == (200, 100, 150)).all(axis=2).any(axis=1))
    assert len(rows) == 213  # the picture keeps its shape: 320 by 213
