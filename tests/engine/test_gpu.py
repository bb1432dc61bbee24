"""What touches a GPU. With ``LEUKREG_GPU=cpu`` a CPU does it, where all but CUDA itself shows."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import devices_script
import engine_fakes as fakes
import numpy as np
import pytest
import torch

from leukreg.engine import device as devices
from leukreg.engine.device import Compute
from leukreg.engine.inference import predict_rows
from leukreg.engine.training import train_fold
from leukreg.recipe.model import Recipe, TtaSpec
from leukreg.types import Predictions

DEVICE = os.environ.get("LEUKREG_GPU") or ("cuda" if torch.cuda.is_available() else "")
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not DEVICE, reason="no GPU that torch can use; see make gpu"),
]
SCRIPT = Path(devices_script.__file__)
ROWS = tuple(range(42))


@pytest.fixture(autouse=True)
def room(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device in name only has room, too."""
    if DEVICE == "cpu":
        monkeypatch.setattr(Compute, "room", lambda self: 2**30)


def plan(**keys: Any) -> Recipe:
    head = fakes.choice("head", lambda channels, labels: fakes.head(channels, labels, 0.0), "mlp")
    noise = fakes.choice("augmentation", lambda image: fakes.noise_there, "noise")
    phases = (fakes.phase("head", epochs=3), fakes.phase("all", unfreeze="all", epochs=3))
    made = fakes.recipe(*phases, model=fakes.model(head=head), augmentation=noise)
    return fakes.training(made, **{"device": DEVICE, "precision": "fp32", **keys})


def trained(recipe: Recipe, folder: Path, images: Any = None) -> Any:
    images = images or fakes.images()
    return train_fold(recipe, fakes.LABELS, images, fakes.fold(), folder)


def predicted(recipe: Recipe, model: Any) -> Predictions:
    return predict_rows(recipe, fakes.LABELS, model, fakes.images(), ROWS, 1)


@pytest.fixture(scope="module")
def on_cpu(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A training, and its predictions, on the CPU."""
    recipe = plan(device="cpu")
    done = trained(recipe, tmp_path_factory.mktemp("cpu"))
    return done, predicted(recipe, done.model_path)


@pytest.mark.parametrize("channels_last", ["yes", "no"])
def test_a_device_comes_to_what_a_cpu_does(tmp_path: Path, on_cpu: Any, channels_last: str) -> None:
    recipe = plan(channels_last=channels_last)
    done = trained(recipe, tmp_path)
    assert done.facts.device == DEVICE
    assert done.facts.device_fallbacks == ()
    assert done.facts.channels_last is (channels_last == "yes")
    first, other = done.epochs[0], on_cpu[0].epochs[0]
    assert first.train_loss == pytest.approx(other.train_loss, abs=1e-2)
    assert done.epochs[-1].train_loss < first.train_loss
    same = predicted(recipe, on_cpu[0].model_path)
    assert np.abs(same.probabilities - on_cpu[1].probabilities).max() < 1e-2


def test_images_and_features_lie_there(tmp_path: Path) -> None:
    facts = trained(plan(), tmp_path / "fits").facts.features
    there = DEVICE != "cpu"
    assert facts["head"].on_device is there, "features"
    assert facts["all"].on_device, "images, as bytes"
    anew = trained(plan(feature_views=0), tmp_path / "anew").facts.features
    assert anew["head"].on_device, "images, through the frozen layers"


def test_images_that_do_not_fit_are_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_cpu: Any
) -> None:
    fits = trained(plan(), tmp_path / "fits")
    monkeypatch.setattr(Compute, "room", lambda self: 0)
    sent = trained(plan(), tmp_path / "sent")
    assert not sent.facts.features["all"].on_device
    assert sent.epochs[0].train_loss == pytest.approx(fits.epochs[0].train_loss, abs=1e-3)
    assert sent.epochs[3].train_loss == pytest.approx(fits.epochs[3].train_loss, abs=0.1)


def test_what_was_killed_goes_on(tmp_path: Path) -> None:
    class Dying(fakes.FakeImages):
        reads = 0

        def pixels(self, rows: Any) -> np.ndarray:
            Dying.reads += 1
            if Dying.reads == 8:
                raise KeyboardInterrupt
            return super().pixels(rows)

    whole = fakes.images()
    with pytest.raises(KeyboardInterrupt):
        trained(plan(), tmp_path, Dying(whole.samples, whole.array))
    done = trained(plan(), tmp_path)
    assert [(log.phase, log.epoch) for log in done.epochs] == [
        (name, epoch) for name in ("head", "all") for epoch in (1, 2, 3)
    ]


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_lower_precision_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: Any
) -> None:
    if precision == "float16" and DEVICE == "cpu":
        pytest.skip("CPUs scale no gradients of half precision")
    settle = devices.compute_for
    for module in ("training", "inference"):
        name = f"leukreg.engine.{module}.compute_for"
        monkeypatch.setattr(name, lambda spec: replace(settle(spec), amp=precision))
    done = trained(plan(), tmp_path)
    assert done.facts.precision == precision
    assert done.epochs[-1].train_loss < done.epochs[0].train_loss
    assert np.isfinite(predicted(plan(), done.model).probabilities).all()


def test_a_compiled_network_trains(tmp_path: Path, on_cpu: Any) -> None:
    real = torch.compile
    with pytest.MonkeyPatch.context() as patch:
        if DEVICE == "cpu":  # where the default needs a compiler of C++
            patch.setattr(torch, "compile", lambda module: real(module, backend="eager"))
        done = trained(plan(compile="yes"), tmp_path)
    assert done.facts.compiled
    assert done.epochs[0].train_loss == pytest.approx(on_cpu[0].epochs[0].train_loss, abs=1e-2)


def test_passes_and_views_are_predicted_there(on_cpu: Any) -> None:
    recipe = fakes.recipe(passes=4)
    spec = replace(recipe.evaluate, tta=TtaSpec(views=4))
    recipe = fakes.training(replace(recipe, evaluate=spec), device=DEVICE)
    found = predicted(recipe, on_cpu[0].model_path)
    assert found.probabilities.sum(axis=1) == pytest.approx(1)
    assert np.abs(found.probabilities - on_cpu[1].probabilities).max() < 0.5


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="takes two GPUs")
def test_two_gpus_come_to_what_one_does(tmp_path: Path, cache: Path) -> None:
    for count in (1, 2):
        folder = str(tmp_path / str(count))
        command = [sys.executable, str(SCRIPT), folder, str(count), "frozen", "whole"]
        subprocess.run(command, env={**os.environ, "LEUKREG_GPU": DEVICE}, check=True, timeout=300)
    for name in ("frozen", "whole"):
        one, two = (np.load(tmp_path / n / name / "predictions.npy") for n in ("1", "2"))
        assert np.abs(one - two).max() < 1e-2
