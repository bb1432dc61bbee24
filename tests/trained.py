"""Finished runs with models, trained once a session in seconds, for tests of what comes after."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

RECIPE = """
schema = 1
seed = 3

[data]
use = "folder"
root = "{root}"
folds = {folds}

[image]
size = 32

[model]
backbone = {{ use = "timm", model = "test_resnet", weights = "random" }}
head = {{ use = "linear", dropout = 0.3 }}

[loss]
use = "cross-entropy"

[training]
batch_size = 8
threads = 1

[[phase]]
name = "all"
unfreeze = "all"
epochs = 3
optimizer = {{ use = "adamw", lr = 3e-3 }}

[evaluate]
bootstrap = 20
{evaluate}
"""
COLOURS = {"[M] pro": (170, 60, 60), "benign": (60, 60, 170), "early": (60, 150, 60)}


def draw(rng: np.random.Generator, colour: tuple[int, int, int], size: int = 48) -> Image.Image:
    """A coloured disc among grey ones, so that no two pictures are near duplicates."""
    pixels = np.full((size, size, 3), 215.0)
    y, x = np.mgrid[:size, :size]
    for number in range(7):
        centre, radius = rng.uniform(0, size, 2), rng.uniform(4, 9)
        if number == 6:
            centre, radius = size / 2 + rng.uniform(-5, 5, 2), rng.uniform(7, 11)
        inside = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius**2
        pixels[inside] = colour if number == 6 else rng.uniform(140, 190)
    noisy = pixels + rng.normal(0, 6, pixels.shape)
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def write_cells(root: Path, classes: tuple[str, ...], each: int, seed: int) -> Path:
    """``each`` pictures in a folder per class."""
    rng = np.random.default_rng(seed)
    for name in classes:
        (root / name).mkdir(parents=True)
        for number in range(each):
            draw(rng, COLOURS[name]).save(root / name / f"{number:02d}.png")
    return root


def train(
    folder: Path,
    classes: tuple[str, ...],
    folds: str,
    evaluate: str,
    each: int,
    before: str = "",
) -> Path:
    """Train on made pictures; the run's folder."""
    from leukreg.experiment import carry_out
    from leukreg.recipe import load, take_fallbacks
    from leukreg.registry import installed
    from leukreg.runs import RunFolder

    root = write_cells(folder / "cells", classes, each, seed=1)
    path = folder / "tiny.toml"
    text = RECIPE.format(root=root, folds=folds, evaluate=evaluate)
    path.write_text(text.replace("seed = 3\n", f"seed = 3\n{before}\n"))
    recipe, notices = take_fallbacks(load(path))
    with RunFolder.create(folder / "runs", recipe) as opened:
        return carry_out(recipe, installed(), opened, notices).folder


@pytest.fixture(scope="session")
def _runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("trained")
    binary, three = ("[M] pro", "benign"), tuple(COLOURS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEUKREG_CACHE", str(root / "cache"))
        return {
            "cache": root / "cache",
            "binary": train(
                root / "binary",
                binary,
                "{ test = 0.3, validation = 0.3 }",
                'positive = "benign"\nthreshold = { rule = "youden" }\ncalibration = {}\n'
                "conformal = { coverage = 0.8 }\ntta = { views = 2 }",
                14,
            ),
            "folds": train(root / "folds", three, "{ k = 2 }", "mc_dropout = { passes = 3 }", 10),
        }


@pytest.fixture
def binary_run(_runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of two classes: threshold, calibration, prediction sets, test-time augmentation."""
    monkeypatch.setenv("LEUKREG_CACHE", str(_runs["cache"]))
    return _runs["binary"]


@pytest.fixture
def folds_run(_runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of three classes in two folds with MC dropout."""
    monkeypatch.setenv("LEUKREG_CACHE", str(_runs["cache"]))
    return _runs["folds"]


@pytest.fixture(scope="session")
def _prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("prepared")
    steps = '[{ use = "centre-crop", share = 0.8 }, { use = "macenko" }, { use = "reinhard" }]'
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEUKREG_CACHE", str(root / "cache"))
        return train(root, tuple(COLOURS), "{ k = 2 }", "", 8, f"preprocessing = {steps}")


@pytest.fixture
def prepared_run(_prepared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of three classes in two folds whose images are cropped and normalised first."""
    monkeypatch.setenv("LEUKREG_CACHE", str(_prepared.parents[1] / "cache"))
    return _prepared
