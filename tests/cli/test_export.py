"""``leukreg export``."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from leukreg.cli.main import main


def test_it_writes_files_and_says_how_they_compare(
    folds_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "model"
    words = ["export", str(folds_run), "--out", str(out), "--format", "safetensors"]
    assert main([*words, "--attribution", "by me"]) == 0
    told = capsys.readouterr().out
    assert "model-fold-0.safetensors" in told
    assert "on 16 images" in told
    assert "by me" in (out / "MODEL_CARD.md").read_text()
    assert main(words) == 2
    assert "not an empty folder" in capsys.readouterr().err


def test_what_cannot_be_is_told(
    folds_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = ["--out", str(tmp_path / "model")]
    assert main(["export", str(folds_run), *out, "--format", "keras"]) == 2
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main(["export", str(folds_run), *out, "--format", "onnx"]) == 2
    assert "pip install 'leukreg[export]'" in capsys.readouterr().err
    assert not (tmp_path / "model").exists()
