"""``leukreg demo DIR`` writes rendered cells out and never over anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from leukreg.cli.main import main


def test_it_writes_class_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "cells"
    assert main(["demo", str(target), "--images", "2", "--size", "48", "--seed", "3"]) == 0
    assert len(list(target.rglob("*.jpg"))) == 8
    assert (target / "[Malignant] early Pre-B").is_dir()
    assert "8 pictures written" in capsys.readouterr().out


def test_it_never_writes_into_a_folder_that_holds_something(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    assert main(["demo", str(tmp_path), "--images", "1"]) == 2
    assert "not an empty folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_impossible_patients_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", str(tmp_path / "x"), "--images", "2", "--patients", "99"]) == 2
    assert "give a number from 4 to 8" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
