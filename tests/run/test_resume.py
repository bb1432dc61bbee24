"""A run that is killed and resumed ends with the very same predictions."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest
from run_tiny import TINY, in_process, work

from leukreg.engine.training import train_fold
from leukreg.errors import RunError
from leukreg.registry import installed
from leukreg.runs import read

FILES = ("predictions.csv", "validation.csv", "samples.csv", "folds.csv")


def _only(root: Path) -> Path:
    (folder,) = root.iterdir()
    return folder


@pytest.mark.slow
def test_a_run_killed_at_several_moments_ends_with_bit_identical_predictions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The fork server takes the path from here to find what it preloads.
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(TINY)
    heard = in_process(tmp_path / "cache-1", recipe, tmp_path / "whole", None, None)
    assert heard is not None
    whole = _only(tmp_path / "whole")

    # One kill while data are prepared, then one in each stretch of what is left.
    cache, draw = tmp_path / "cache-2", random.Random(heard)
    in_process(cache, recipe, tmp_path / "killed", None, 5)
    folder = _only(tmp_path / "killed")
    kills = 1
    while in_process(cache, recipe, tmp_path, folder, draw.randint(5, heard // 2)) is None:
        kills += 1
        assert kills < 40, "the run makes no headway"
    assert kills >= 3

    for name in FILES:
        resumed, uninterrupted = (folder / name).read_text(), (whole / name).read_text()
        assert _relative(resumed, folder, cache) == _relative(
            uninterrupted, whole, tmp_path / "cache-1"
        )
    assert read(folder).scores == read(whole).scores


@pytest.mark.slow
def test_a_run_whose_generator_reads_another_file_by_now_is_not_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEUKREG_CACHE", str(tmp_path / "cache"))
    donors, recipe = tmp_path / "donors.csv", tmp_path / "tiny.toml"
    donors.write_text("as the run began")
    recipe.write_text(TINY)
    warp: Any = installed().get("generator", "warp").cls
    monkeypatch.setattr(warp, "files", lambda self: (donors,), raising=False)

    def killed(recipe: Any, labels: Any, images: Any, fold: Any, *more: Any) -> Any:
        if fold.index == 1:
            raise KeyboardInterrupt
        return train_fold(recipe, labels, images, fold, *more)

    with monkeypatch.context() as dying:
        dying.setattr("leukreg.engine.training.train_fold", killed)
        with pytest.raises(KeyboardInterrupt):
            work(recipe, tmp_path / "runs", None, None)
    folder, date = _only(tmp_path / "runs"), donors.stat().st_mtime_ns
    made = {path: path.read_bytes() for path in (folder / "synthetic").rglob("*.png")}
    donors.write_text("edited")
    with pytest.raises(RunError, match="fold-0: a fold was trained on these images"):
        work(recipe, tmp_path, folder, None)
    assert {path: path.read_bytes() for path in (folder / "synthetic").rglob("*.png")} == made
    donors.write_text("as the run began")
    os.utime(donors, ns=(date, date))
    work(recipe, tmp_path, folder, None)
    assert read(folder).predictions is not None


def _relative(text: str, folder: Path, cache: Path) -> str:
    """The table without the names of the folders that the two runs lie in."""
    return text.replace(str(folder), "RUN").replace(str(cache), "CACHE")
