"""Whatever stands on the command line is answered: no bug, no traceback, nothing that steers."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from leukreg.cli import commands, main

Call = pytest.CaptureFixture[str]
ODD = (
    "", " ", ".", "..", "/", "~", "~nobody", "-", "--", "-1", "0", "nan", "1e999", "999999999999",
    "last", "no-such", "none.toml", "*", "[a]", "a=b", "=", "a\nb", "x" * 5000, "ü" * 300, "中 文",
    "\x1b[31m", "\udcff", "/dev/null", "/dev/null/x", "{file}", "{folder}", "{text}",
    "{recipe}", "{run}",    "{images}", "onnx", "safetensors", "folder", "table",
    "data.root=1", "phase.0.epochs=-1", "a.b.c=[", "p:x", "run:last", "cells:", "inception:{file}",
)  # fmt: skip
OPTIONS = (
    "--runs", "--out", "--set", "--csv", "--json", "--all", "--data", "--map", "--source",
    "--class",
    "-n", "--fold", "--no-gate", "--strict", "--resume", "--no-plan", "--rule", "--format",
    "--images", "--attribution", "--maps", "--kind", "--patient", "--patient-level", "--size",
    "--seed", "--training", "--rows", "--sheet", "--against", "--extractor", "--no-flags",
    "--bogus",
)  # fmt: skip


@pytest.fixture
def place(folds_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Where the words may lead; two of them to a run and to its images."""
    monkeypatch.setenv("LEUKREG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "file.png").write_bytes(b"no image")
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.csv").write_text("path,label\nx,y\n")
    (tmp_path / "recipe.toml").write_text("schema = 1\n[data]\nuse = 'folder'\nroot = 'x'\n")
    names = {"file": "file.png", "folder": "folder", "text": "text.csv", "recipe": "recipe.toml"}
    places = {key: str(tmp_path / name) for key, name in names.items()}
    run = shutil.copytree(folds_run, tmp_path / folds_run.name)
    return places | {"run": str(run), "images": str(folds_run.parents[1] / "cells" / "early")}


@pytest.mark.parametrize("seed", range(int(os.environ.get("LEUKREG_FUZZ", "12"))))
def test_any_words_are_answered(seed: int, place: dict[str, str], capsys: Call) -> None:
    rng = random.Random(seed)
    for name in commands.OWN:
        words = [name, *(["{run}", "{images}"][: rng.randint(0, 2)])]
        for _ in range(rng.randint(0, 5)):
            words += [rng.choice(OPTIONS)] * (rng.random() < 0.4)
            words.append(rng.choice(ODD))
        for key, path in place.items():
            words = [word.replace(f"{{{key}}}", path) for word in words]
        if name == "demo":  # which would write wherever it is told to
            words += ["--images", "1", "--size", "32"]
        if name == "cache" and "clear" in words:
            continue
        code = main.main(words)
        out, err = capsys.readouterr()
        assert code in (0, 1, 2), f"{words}: {code}\n{err}"
        assert "Traceback" not in err, words
        assert all(c == "\n" or c.isprintable() for c in out + err), words
