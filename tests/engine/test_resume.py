from __future__ import annotations

import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import engine_fakes as fakes
import numpy as np
import pytest
import torch

from leukreg.engine import checkpoints
from leukreg.engine.checkpoints import FoldOutcome
from leukreg.engine.inference import predict_rows
from leukreg.engine.training import fingerprint_of, train_fold
from leukreg.errors import RunError

HERE = Path(__file__).parent


def train(folder: Path, images: Any = None) -> FoldOutcome:
    rows = images or fakes.images()
    return train_fold(fakes.long_recipe(), fakes.LABELS, rows, fakes.fold(), folder)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> FoldOutcome:
    """A fold that was trained without a break."""
    return train(tmp_path_factory.mktemp("whole"))


def same_outcome(a: FoldOutcome, b: FoldOutcome) -> bool:
    def timeless(outcome: FoldOutcome) -> Any:
        return [replace(log, seconds=0.0) for log in outcome.epochs], outcome.phases

    weights = fakes.same(fakes.model_weights(a.model_path), fakes.model_weights(b.model_path))
    return weights and timeless(a) == timeless(b) and a.facts == b.facts


@pytest.mark.parametrize("seed", range(2))
def test_training_goes_on_bit_for_bit_wherever_it_ended(
    tmp_path: Path, whole: FoldOutcome, seed: int
) -> None:
    rng = random.Random(seed)
    deaths = 0
    while True:
        try:
            resumed = train(
                tmp_path / "resumed", fakes.Mortal(fakes.images(), rng.randrange(8, 30))
            )
            break
        except fakes.Killed:
            deaths += 1
    assert deaths > 1
    assert same_outcome(whole, resumed)


@pytest.mark.parametrize("at", ["best.pt", "last.pt", "model.pt", "outcome.json"])
@pytest.mark.parametrize("before", [True, False])
def test_a_kill_while_a_file_is_written_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: FoldOutcome, at: str, before: bool
) -> None:
    replaced = Path.replace
    left = [2 if at.endswith("t.pt") else 1]

    def dying(self: Path, target: Path) -> Path:
        if Path(target).name == at:
            left[0] -= 1
            if left[0] == 0:
                if not before:
                    replaced(self, target)
                raise fakes.Killed
        return replaced(self, target)

    monkeypatch.setattr(Path, "replace", dying)
    with pytest.raises(fakes.Killed):
        train(tmp_path / "resumed")
    resumed = train(tmp_path / "resumed")
    assert same_outcome(whole, resumed)
    names = sorted(path.name for path in (tmp_path / "resumed").iterdir())
    assert names == ["checksums.txt", "model.pt", "outcome.json"]


def test_checkpoints_that_are_far_apart_lose_no_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: FoldOutcome
) -> None:
    monkeypatch.setattr(checkpoints, "EVERY", 1e9)
    with pytest.raises(fakes.Killed):
        train(tmp_path / "resumed", fakes.Mortal(fakes.images(), 30))
    assert same_outcome(whole, train(tmp_path / "resumed"))


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("seed", range(2))
def test_predictions_survive_kill_minus_nine(tmp_path: Path, whole: FoldOutcome, seed: int) -> None:
    command = [sys.executable, HERE / "resume_script.py", tmp_path / "killed", str(seed), "6"]
    path = os.pathsep.join([str(HERE), *sys.path])  # this checkout, whichever is installed
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    killed, status = map(int, done.stdout.split())
    assert status == 0
    assert killed > 1
    paths = [whole.model_path, tmp_path / "killed" / "model.pt"]
    recipe, images = fakes.long_recipe(), fakes.images()
    one, two = (predict_rows(recipe, fakes.LABELS, p, images, range(42), 1) for p in paths)
    assert np.array_equal(one.probabilities, two.probabilities)


def half_trained(folder: Path) -> None:
    with pytest.raises(fakes.Killed):
        train(folder, fakes.Mortal(fakes.images(), 30))


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    half_trained(tmp_path)
    content = bytearray((tmp_path / "last.pt").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "last.pt").write_bytes(content)
    with pytest.raises(RunError, match=r"last.pt is damaged: it is not as .* delete the folder"):
        train(tmp_path)
    (tmp_path / "checksums.txt").unlink()
    (tmp_path / "last.pt").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(RunError, match=r"last.pt: is damaged, .*; delete the folder"):
        train(tmp_path)


def test_a_damaged_model_of_a_fold_that_is_done_is_named(tmp_path: Path) -> None:
    train(tmp_path)
    content = bytearray((tmp_path / "model.pt").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(RunError, match=r"model.pt is damaged: it is not as leukreg wrote it"):
        train(tmp_path)


def test_other_frozen_weights_are_refused(tmp_path: Path) -> None:
    recipe = fakes.recipe(fakes.phase(epochs=3))
    built = [0]

    def other() -> torch.nn.Module:
        built[0] += 1
        return fakes.Backbone().apply(lambda module: _shift(module, built[0]))

    spec = fakes.model(backbone=fakes.choice("backbone", other))
    recipe = replace(recipe, model=spec)

    def dies(*args: Any, **more: Any) -> None:
        raise fakes.Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("leukreg.engine.checkpoints.write_text", dies)
        with pytest.raises(fakes.Killed):
            train_fold(recipe, fakes.LABELS, fakes.images(), fakes.fold(), tmp_path)
    with pytest.raises(RunError, match=r"frozen weights are not those this run began with"):
        train_fold(recipe, fakes.LABELS, fakes.images(), fakes.fold(), tmp_path)


def _shift(module: torch.nn.Module, by: int) -> None:
    if isinstance(module, torch.nn.Conv2d):
        with torch.no_grad():
            module.weight.add_(by)


def with_made(shade: int, origin: str = "synthetic") -> Any:
    """The images, the first row's pixels all alike."""
    whole = fakes.images()
    first = replace(whole.samples.rows[0], origin=origin)
    rows = (first, *whole.samples.rows[1:])
    array = whole.array.copy()
    array[0] = shade
    return fakes.FakeImages(replace(whole.samples, rows=rows), array)


def test_a_model_of_other_synthetic_pixels_is_refused(tmp_path: Path) -> None:
    recipe = fakes.recipe(fakes.phase(epochs=1))

    def again(images: Any) -> FoldOutcome:
        return train_fold(recipe, fakes.LABELS, images, fakes.fold(), tmp_path)

    done = again(with_made(7))
    assert again(with_made(7)) == done
    with pytest.raises(RunError, match="belongs to another"):
        again(with_made(8))


def test_real_pixels_are_not_read_to_know_a_training_by() -> None:
    def known(images: Any) -> str:
        return fingerprint_of(fakes.recipe(), fakes.LABELS, images, fakes.fold())

    assert known(with_made(7, "real")) == known(with_made(8, "real")) != known(with_made(7))


def test_checkpoints_hold_only_what_training_changes(tmp_path: Path) -> None:
    recipe = fakes.training(fakes.recipe(fakes.phase(unfreeze=1, epochs=5)), feature_views=0)
    with pytest.raises(fakes.Killed):
        train_fold(recipe, fakes.LABELS, fakes.Mortal(fakes.images(), 13), fakes.fold(), tmp_path)
    content = torch.load(tmp_path / "last.pt", weights_only=True)
    assert content["state"]["phase"]["epoch"] == 2
    assert {name.split(".")[0] for name in content["weights"]} == {"backbone", "head"}
    assert {name.split(".")[2] for name in content["weights"] if "stages" in name} == {"2"}
    assert not list(tmp_path.glob(".*"))
