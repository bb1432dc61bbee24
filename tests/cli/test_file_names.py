"""Names of files that no one would choose: every command reads them and names its own safely."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leukreg.cli.main import main
from leukreg.text import file_stem

Call = pytest.CaptureFixture[str]
NAMES = (
    b"two\nlines.png", b"n" * 251 + b".png", "中".encode() * 83 + b".png", b"\xff\xfe\x80.png",
    b"-x.png", b"=1+1.png", b"a\tb\r.png", b"'quoted\".png", b"* ?[a].png", b" .png", b"a....png",
)  # fmt: skip


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=400))
def test_a_stem_is_short_and_safe(text: str) -> None:
    stem = file_stem(text)
    assert 0 < len(stem.encode()) <= 100
    assert not set(stem) & set('\n/\\:*?"<>|\0')


@pytest.fixture
def images(folds_run: Path, tmp_path: Path) -> Path:
    """Two classes, all files of which have such names."""
    root = folds_run.parents[1] / "cells"
    for label in ("benign", "early"):
        folder = tmp_path / "odd" / label
        folder.mkdir(parents=True)
        found = sorted((root / label).iterdir())
        for place, name in enumerate(NAMES):
            shutil.copyfile(found[place % len(found)], os.fsencode(folder) + b"/" + name)
    return tmp_path / "odd"


def test_every_command_takes_them(
    images: Path, folds_run: Path, tmp_path: Path, capsys: Call
) -> None:
    run, out = str(folds_run), tmp_path / "out"
    assert main(["data", str(images)]) in (0, 1)
    table = ["--csv", str(tmp_path / "t.csv"), "--json", str(tmp_path / "t.json")]
    assert main(["predict", run, str(images), *table]) == 0
    assert len(json.loads((tmp_path / "t.json").read_text())["images"]) == 2 * len(NAMES)
    assert main(["explain", run, str(images), "--out", str(out)]) == 0
    written = list(out.glob("*.png"))
    assert len(written) == 2 * len(NAMES)
    assert all(path.name.isprintable() for path in written)
    runs = ["--runs", str(tmp_path / "runs")]
    odd = images.rename(tmp_path / ("中" * 80))
    assert main(["evaluate", run, "--data", str(odd), *runs]) == 0
    for words in (["show", "last"], ["report", "last"], ["audit", "last"]):
        assert main([*words, *runs]) in (0, 1)
    words = ["--format", "safetensors", "--images", str(odd), "--out", str(tmp_path / "m")]
    assert main(["export", run, *words]) == 0
    shown = capsys.readouterr()
    assert "\r" not in shown.out + shown.err
