"""The built-in extractors: shipped weights, a download that cannot be had, wrong files."""

from __future__ import annotations

import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from leukreg_plugins import extractors
from leukreg_plugins.extractors import Cells, Inception
from leukreg_plugins.nn.cellnet import CellNet
from leukreg_plugins.pretrained_weights import CELLS
from safetensors.torch import load_file, save_file

from leukreg.errors import LeukregError, NotAvailable


def test_the_shipped_weights_say_where_they_come_from() -> None:
    facts = Cells().describe()
    assert CELLS.path.stat().st_size <= 10e6
    assert facts["recipe"] == "experiments/cells.toml"
    assert float(facts["accuracy"]) > 0.9
    assert "Acevedo" in facts["attribution"]
    assert "CC BY 4.0" in facts["attribution"]
    assert len(facts["digest"]) == 64


def test_cells_bring_every_image_to_64_px() -> None:
    module = Cells().build()
    images = torch.randint(0, 256, (2, 3, 128, 128), dtype=torch.uint8)
    shrunk = torch.nn.functional.interpolate(
        images.float(), (64, 64), mode="bilinear", antialias=True
    )
    assert torch.allclose(module(images), module(shrunk), atol=1e-4)
    assert not any(each.requires_grad for each in module.parameters())


def test_weights_of_ones_own_are_used_and_wrong_ones_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    save_file(CellNet().state_dict(), path)
    own = Cells(path=str(path))
    assert own.describe()["digest"] != Cells().describe()["digest"]
    assert own.build().dimensions == 128
    weights = load_file(path)
    weights.pop("stages.stem.0.weight")
    save_file(weights, path)
    with pytest.raises(LeukregError, match="does not fit cellnet"):
        own.build()
    path.write_bytes(b"junk")
    with pytest.raises(LeukregError, match="cannot be read"):
        own.describe()


def test_inception_without_a_network_says_at_once_which_file_to_put_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    began = time.monotonic()
    with pytest.raises(NotAvailable) as caught:
        Inception().ready()
    assert time.monotonic() - began < 2
    text = str(caught.value)
    assert extractors.ADDRESS in text
    assert str(tmp_path / "hub" / "checkpoints" / extractors.FILE) in text
    assert "inception:path/to/" in text


def test_a_download_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def broken(url: str, path: str, **options: Any) -> None:
        asked.append((url, options["hash_prefix"]))
        raise RuntimeError("invalid hash value")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(extractors, "unreachable", lambda url: None)
    monkeypatch.setattr(torch.hub, "download_url_to_file", broken)
    with pytest.raises(NotAvailable, match="download failed: invalid hash value"):
        Inception().ready()
    assert asked == [(extractors.ADDRESS, "6726825d")]
    assert list((tmp_path / "hub" / "checkpoints").iterdir()) == []


def test_a_file_in_torchs_cache_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / extractors.FILE).write_bytes(b"anything")
    Inception().ready()
    assert len(Inception().describe()["digest"]) == 64
    with pytest.raises(LeukregError, match="no weights of InceptionV3"):
        Inception().build()


def test_a_file_that_is_no_inception_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(b"no weights")
    with pytest.raises(LeukregError, match="no weights of InceptionV3"):
        Inception(path=str(path)).build()


def test_weights_that_would_run_code_are_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "ran",))

    path = tmp_path / "weights.pth"
    torch.save(Evil(), path)
    assert zipfile.is_zipfile(path)
    with pytest.raises(LeukregError, match="no weights of InceptionV3"):
        Inception(path=str(path)).build()
    assert not (tmp_path / "ran").exists()
