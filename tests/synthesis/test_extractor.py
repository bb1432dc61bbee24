"""Extractors are opened by a word, and what breaks the contract is named."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from leukreg import NotAvailable, files, open_extractor, plugin
from leukreg.data.cache_folder import clear, entries
from leukreg.errors import PluginError
from leukreg.progress import SILENT
from leukreg.synthesis import extractor as features
from leukreg.synthesis.extractor import FeatureCache, OpenExtractor, opened
from tests.synthesis.pictures import Grid, grid, pictures


def made(module: Any, described: Any = None) -> Any:
    facts = {"digest": "00"} if described is None else described
    members = {
        "__doc__": "An extractor made for this test.",
        "build": lambda self: module() if isinstance(module, type) else module,
        "describe": lambda self: facts,
    }
    return plugin("mine")(type("Mine", (), members))()


def test_cells_are_opened_by_their_name() -> None:
    extractor = open_extractor("cells")
    assert extractor.name == "cells"
    assert extractor.dimensions == 128
    assert len(extractor.digest) == 64
    assert str(extractor) == f"cells@{extractor.digest[:12]}"
    found = extractor.features(pictures(3, 48))
    assert found.shape == (3, 128)
    assert found.dtype == np.float32
    assert extractor.features(pictures(0, 48)).shape == (0, 128)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("cels", "did you mean 'cells'"),
        ("cells:", "lacks a path after the colon"),
        ("run", "needs a path: write 'run:PATH'"),
        ("focal", "there is no extractor 'focal'; 'focal' is a loss"),
    ],
)
def test_a_wrong_word_is_refused_with_what_to_write(text: str, reason: str) -> None:
    with pytest.raises(PluginError, match=reason):
        open_extractor(text)


@pytest.mark.parametrize("text", ["cells:no/such.safetensors", "run:no/such", "inception:no.pth"])
def test_a_path_that_is_not_there_is_not_available(text: str) -> None:
    with pytest.raises(NotAvailable, match="no"):
        open_extractor(text)


def test_an_extractor_without_a_path_takes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    registry: Any = SimpleNamespace(get=lambda kind, name: SimpleNamespace(cls=type(made(Grid))))
    monkeypatch.setattr("leukreg.registry.installed", lambda: registry)
    assert open_extractor("mine").name == "mine"
    with pytest.raises(PluginError, match="takes nothing after a colon"):
        open_extractor("mine:path")


class Short(Grid):
    dimensions = 13


class Nan(Grid):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return super().forward(images) / 0


class Raising(Grid):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        raise ZeroDivisionError("twelve")


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (Short, r"gives shape \(3, 12\) for 3 images; it must be \(3, 13\)"),
        (Nan, "not finite"),
        (Raising, "failed on images of 32 px: ZeroDivisionError: twelve"),
    ],
)
def test_a_faulty_network_is_named(module: type, reason: str) -> None:
    with pytest.raises(PluginError, match=f"extractor 'mine' {reason}|'mine' gives .*{reason}"):
        opened(made(module)).features(pictures(3))


def test_a_faulty_plugin_is_named() -> None:
    with pytest.raises(PluginError, match="needs 'dimensions'"):
        opened(made(nn.Identity))
    with pytest.raises(PluginError, match="no 'digest'"):
        opened(made(Grid, {"weights": "mine"}))
    with pytest.raises(PluginError, match="'mine' failed: TypeError"):
        opened(made(Grid, 3))


def test_features_do_not_hang_on_how_many_go_together(monkeypatch: pytest.MonkeyPatch) -> None:
    images, extractor = pictures(7), grid()
    whole = extractor.features(images)
    monkeypatch.setattr("leukreg.synthesis.extractor.BATCH", 3)
    assert np.allclose(extractor.features(images), whole, atol=1e-5)


def test_a_runs_backbone_is_an_extractor(tmp_path: Path) -> None:
    from tests.small_run import write_run

    run = write_run(tmp_path / "small-run")
    extractor = open_extractor(f"run:{run}")
    assert extractor.dimensions == 128
    assert extractor.facts["run"] == "small-run"
    assert extractor.facts["backbone"] == "cellnet"
    assert extractor.facts["size"] == "32"
    images = pictures(2)
    model = extractor.module
    with torch.no_grad():
        normal = model.normaliser(torch.from_numpy(images).permute(0, 3, 1, 2))
        expected = model.stages(normal).mean((2, 3)).numpy()
    assert np.allclose(extractor.features(images), expected, atol=1e-4)
    assert extractor.features(pictures(2, 80)).shape == (2, 128)


def test_a_run_without_a_model_is_not_available(tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text("{}")
    with pytest.raises(NotAvailable, match="no trained model yet"):
        open_extractor(f"run:{tmp_path}")


def features_of(
    images: NDArray[np.uint8], extractor: OpenExtractor | None = None
) -> NDArray[np.float32]:
    return FeatureCache(extractor or grid(), 32).features(images)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LEUKREG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "features"


def test_what_is_known_is_not_computed_again() -> None:
    images, extractor = pictures(20), grid()
    first = features_of(images, extractor)
    assert extractor.module.seen == 20
    assert np.allclose(first, extractor.features(images), atol=1e-5)
    seen = extractor.module.seen
    more = np.concatenate([images[::-3], pictures(2, seed=9), images[:1]])
    again = features_of(more, extractor)
    assert extractor.module.seen == seen + 2
    assert np.array_equal(again[:7], first[::-3])
    assert np.array_equal(again[-1], first[0])


def test_doubles_go_into_a_pack_once(cache: Path) -> None:
    images = pictures(4)[[0, 0, 1, 1, 2]]
    found = features_of(images)
    [pack] = cache.glob("*/pack-*")
    assert pack.stat().st_size == 3 * (16 + 4 * grid().dimensions) + 16
    assert np.array_equal(features_of(images), found, grid())


def test_another_digest_or_pixel_is_another_place() -> None:
    images, other = pictures(6), grid("fedcba9876543210")
    features_of(images)
    features_of(images, other)
    assert other.module.seen == 6
    changed = images.copy()
    changed[2, 5, 5, 1] ^= 1
    extractor = grid()
    features_of(changed, extractor)
    assert extractor.module.seen == 1


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", b"junk"])
def test_a_damaged_pack_is_made_again(cache: Path, damage: bytes) -> None:
    images = pictures(5)
    first = features_of(images)
    [pack] = cache.glob("*/pack-*")
    pack.write_bytes(damage)
    assert np.array_equal(features_of(images), first, grid())
    extractor = grid()
    features_of(images, extractor)
    assert extractor.module.seen == 0


def test_a_flipped_bit_is_seen_and_said(cache: Path) -> None:
    images = pictures(30)
    store = FeatureCache(grid(), 32)
    first = store.features(images)
    floor = store.floor(images, first, 0)
    for name, place in (("pack", -40), ("pack", 200), ("pack", -9), ("floor", -40), ("floor", -9)):
        [path] = cache.glob(f"*/{name}-*")
        data = bytearray(path.read_bytes())
        data[place] ^= 1
        path.write_bytes(data)
        said = Said()
        assert np.array_equal(store.features(images, said), first)
        assert store.floor(images, first, 0) == floor
        assert path.read_bytes() != data
        assert ["features were damaged" in line for line in said.lines] == [True] * (name == "pack")


class Said:
    """Remembers what was said; satisfies Progress."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def task(self, title: str, total: int | None = None) -> Any:
        return SILENT.task(title, total)

    def say(self, text: str) -> None:
        self.lines.append(text)


def test_clearing_meanwhile_does_no_harm(cache: Path) -> None:
    images, extractor = pictures(5), grid()
    store = FeatureCache(extractor, 32)
    compute = extractor.module.forward

    def cleared(pixels: Any) -> Any:
        clear()
        return compute(pixels)

    extractor.module.forward = cleared
    assert store.features(images).shape == (5, extractor.dimensions)
    assert list(cache.glob("*/pack-*"))


def test_a_full_disk_is_said_and_leaves_nothing(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FeatureCache(grid(), 32)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    said = Said()
    assert store.features(pictures(3), said).shape[0] == 3
    (line,) = said.lines
    assert "No space left on device; make room" in line
    assert list(cache.glob("*/*")) == []


def test_what_a_killed_process_left_is_removed(cache: Path) -> None:
    features_of(pictures(3))
    [folder] = cache.glob("grid-*")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    alive = f".pack-1.{os.getpid()}.part"
    for name in (f".pack-1.{ended.pid}.part", alive):
        (folder / name).write_bytes(b"half")
    features_of(pictures(3))
    assert {path.name for path in folder.glob(".*")} == {alive}


def test_a_floor_is_kept_by_content_and_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    images, store = pictures(30), FeatureCache(grid(), 32)
    known = features_of(images)
    found = store.floor(images, known, 0)
    calls: list[Any] = []
    monkeypatch.setattr(features, "floor", lambda *args: calls.append(args) or found)
    assert store.floor(images, known, 0) == found
    assert calls == []
    store.floor(images, known, 1)
    store.floor(images[:29], known[:29], 0)
    assert len(calls) == 2


def test_the_cache_command_lists_and_clears_it() -> None:
    features_of(pictures(3), grid())
    assert [(e.area, e.name) for e in entries()] == [("features", "grid-0123456789abcdef-32px")]
    assert len(clear("grid")) == 1
    assert entries() == ()
