"""A run that is killed and resumed ends with the very same predictions."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from run_tiny import TINY, in_process

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


def _relative(text: str, folder: Path, cache: Path) -> str:
    """The table without the names of the folders that the two runs lie in."""
    return text.replace(str(folder), "RUN").replace(str(cache), "CACHE")
