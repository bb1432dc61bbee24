"""``leukreg evaluate``, and what other commands make of its run folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from leukreg.cli.main import main
from leukreg.predict.trained_run import load
from tests.trained import write_cells


def test_an_evaluation_is_reported_listed_and_shown(
    folds_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_cells(tmp_path / "other", ("[M] pro", "benign"), 5, seed=11)
    (other / "benign").rename(other / "Normal")
    root = tmp_path / "runs"
    shutil.copytree(folds_run, root / folds_run.name)
    words = ["evaluate", "last", "--data", str(other), "--root", str(root)]
    assert main([*words, "--map", "Normal=benign"]) == 0
    report = capsys.readouterr().out
    for text in ("Against the original", "Without images of early", "Taken: Normal as benign"):
        assert text in report
    [kept] = root.glob("tiny-on-other-*")
    assert main(["show", kept.name, "--root", str(root)]) == 0
    assert "Against the original" in capsys.readouterr().out
    assert main(["runs", "--root", str(root)]) == 0
    assert kept.name in capsys.readouterr().out
    assert main(["predict", kept.name, str(other), "--root", str(root)]) == 2
    assert "take the run itself" in capsys.readouterr().err


def test_copies_fail_a_strict_evaluation(
    folds_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_cells(tmp_path / "other", ("benign",), 3, seed=12)
    known = next(r for r in load(folds_run).result.samples.rows if r.label == "benign")
    shutil.copy(known.path, other / "benign" / "copy.png")
    words = ["evaluate", str(folds_run), "--data", str(other), "--root", str(tmp_path / "runs")]
    assert main([*words, "--strict"]) == 1
    assert "1 of 4 images copy training images" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--map", "nothing"], "is not of the form OtherName=class"),
        (["--map", "a=benign"], "the other source has no class 'a'"),
        (["--set", "patiens=1"], "no such option of source 'folder'"),
        (["--source", "tabel"], "did you mean 'table'?"),
    ],
)
def test_wrong_use_is_told(
    folds_run: Path,
    tmp_path: Path,
    more: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = write_cells(tmp_path / "other", ("benign",), 1, seed=12)
    words = ["evaluate", str(folds_run), "--data", str(other), "--root", str(tmp_path / "runs")]
    assert main([*words, *more]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
