"""Extractors are opened by a word, and what breaks the contract is named."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from leukreg import NotAvailable, open_extractor, plugin
from leukreg.errors import PluginError
from leukreg.synthesis.extractors import opened
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


def test_an_extractor_without_a_path_takes_none() -> None:
    registry: Any = SimpleNamespace(get=lambda kind, name: SimpleNamespace(cls=type(made(Grid))))
    assert open_extractor("mine", registry).name == "mine"
    with pytest.raises(PluginError, match="takes nothing after a colon"):
        open_extractor("mine:path", registry)


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
    monkeypatch.setattr("leukreg.synthesis.extractors.BATCH", 3)
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
