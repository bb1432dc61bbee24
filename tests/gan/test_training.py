"""Training: the same to the last bit wherever it was killed, and stopped when it cannot go on."""

from __future__ import annotations

import csv
import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import discs
import numpy as np
import pytest
import torch
from leukreg_gan import cgan_training, training
from leukreg_gan.class_sources import ClassSources
from leukreg_gan.snapshots import spread, spreads
from leukreg_gan.training import Job
from leukreg_gan.training_set import held_out
from PIL import Image

from leukreg import SILENT, DataError, ImageSpec, LeukregError, TrainingError


class Killed(BaseException):
    """Stands for the end of the process: nothing may catch it."""


class Said:
    """Progress that keeps what was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.notes: list[str] = []

    def task(self, title: str, total: int | None = None) -> Any:
        from contextlib import nullcontext

        return nullcontext(lambda steps=1, note="": self.notes.append(note))

    def say(self, text: str) -> None:
        self.lines.append(text)


class Trained(NamedTuple):
    weights: dict[str, torch.Tensor]
    state: training.State


def train(job: Job, progress: Any) -> Trained:
    return Trained(*training.train(job, progress))


def colours(pixels: np.ndarray) -> np.ndarray:
    """Mean colours as features: enough to tell these discs apart."""
    means = pixels.reshape(len(pixels), -1, 3).mean(axis=1)
    return (means / 255).astype(np.float32)


def job(folder: Path, judged: bool = True, size: int = 32, **keys: Any) -> Job:
    images = discs.discs(size=size)
    labels = discs.labels_of(images)
    conditions = ClassSources().conditions(images, labels, ImageSpec(size=size), None)
    alone = [str(row) for row in conditions.rows]
    held = held_out(conditions.labels.tolist(), alone, 3) if judged else np.zeros(0, np.int64)
    return Job(
        options=discs.tiny(**keys),
        size=size,
        pixels=conditions.pixels(images),
        conditions=conditions,
        names=labels.names,
        held=held,
        features=colours if judged else None,
        extractor="colours@1" if judged else "",
        seed=3,
        folder=folder,
    )


def same(a: Trained, b: Trained) -> bool:
    weights = a.weights.keys() == b.weights.keys() and all(
        torch.equal(a.weights[name], b.weights[name]) for name in a.weights
    )
    return weights and timeless(a) == timeless(b)


def timeless(trained: Trained) -> Any:
    state = trained.state
    return replace(state, seconds=0.0, lines=[replace(line, seconds=0.0) for line in state.lines])


def dying(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """The process ends after step ``at`` (counted in this process)."""
    taught = training.one_step
    left = [at]

    def mortal(*args: Any) -> dict[str, float]:
        losses = taught(*args)
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        return losses

    monkeypatch.setattr(training, "one_step", mortal)


def killed(folder: Path, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """A training as ``whole`` that ends after step ``at``."""
    with monkeypatch.context() as patch:
        dying(patch, at)
        with pytest.raises(Killed):
            train(job(folder, steps=11, snapshot_every=4), SILENT)


@pytest.fixture
def whole(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train(job(tmp_path_factory.mktemp("whole"), steps=11, snapshot_every=4), SILENT)


@pytest.mark.parametrize("seed", range(2))
def test_goes_on_bit_for_bit_wherever_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: Trained, seed: int
) -> None:
    monkeypatch.setattr(training, "EVERY", 0.0)
    rng = random.Random(seed)
    deaths = 0
    while True:
        with monkeypatch.context() as patch:
            dying(patch, rng.randrange(2, 7))
            try:
                resumed = train(job(tmp_path, steps=11, snapshot_every=4), SILENT)
                break
            except Killed:
                deaths += 1
    assert deaths > 1
    assert same(whole, resumed)


def test_goes_on_from_a_checkpoint_some_steps_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: Trained
) -> None:
    """Checkpoints are a minute apart, but a snapshot is always kept."""
    killed(tmp_path, monkeypatch, at=7)
    content = torch.load(tmp_path / "last.pt", weights_only=True)
    assert content["state"]["step"] == 4
    assert same(whole, train(job(tmp_path, steps=11, snapshot_every=4), SILENT))


def test_goes_on_after_the_teaching_without_teaching_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: Trained
) -> None:
    killed(tmp_path, monkeypatch, at=1)
    state = torch.load(tmp_path / "last.pt", weights_only=True)["state"]
    assert state["pretrained"]
    assert state["step"] == 0
    assert state["seconds"] > 0
    monkeypatch.setattr(cgan_training, "pretrain", lambda *args: pytest.fail("taught again"))
    resumed = train(job(tmp_path, steps=11, snapshot_every=4), SILENT)
    assert same(whole, resumed)
    assert resumed.state.lines[0].seconds > state["seconds"]


@pytest.mark.parametrize(
    ("judged", "whom"), [(True, "12 held-out"), (False, "120 of its training")]
)
def test_what_the_feature_network_learned_is_said(tmp_path: Path, judged: bool, whom: str) -> None:
    said = Said()
    train(job(tmp_path, judged=judged, steps=1), said)
    assert any(f"of {whom} images" in line for line in said.lines)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_survives_kill_minus_nine(tmp_path: Path) -> None:
    here = Path(__file__).parent
    command = [sys.executable, here / "kill_script.py", tmp_path / "killed", "4"]
    environment = os.environ | {"PYTHONPATH": str(here), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    killed, status = map(int, done.stdout.split())
    assert status == 0
    assert killed > 1
    found = torch.load(tmp_path / "killed" / "weights.pt", weights_only=True)
    whole = train(job(tmp_path / "whole", steps=30, snapshot_every=8), SILENT).weights
    assert found.keys() == whole.keys()
    assert all(torch.equal(found[name], whole[name]) for name in whole)


def test_log_and_grids_are_written(tmp_path: Path) -> None:
    said = Said()
    trained = train(replace(job(tmp_path / "a", steps=6), shown=tmp_path / "b"), said)
    for folder in ("a", "b"):
        with (tmp_path / folder / "log.csv").open(newline="") as file:
            lines = list(csv.DictReader(file))
        assert [line["step"] for line in lines] == ["3", "6"]
        assert float(lines[-1]["kid"]) == pytest.approx(
            trained.state.lines[-1].quality.kid, rel=1e-4
        )
        assert {"kid red", "kid blue"} <= lines[0].keys()
        assert [*lines[0]][-3:] == ["extractor", "size", "held_out"]
        assert [*lines[-1].values()][-3:] == ["colours@1", "32", "12"]
        assert sorted(p.name for p in (tmp_path / folder).glob("*.png")) == [
            "step-0000003.png",
            "step-0000006.png",
        ]
    assert any("KID" in line for line in said.lines)
    assert any("KID" in note for note in said.notes)
    basis = "cgan: KIDs are by colours@1 at 32 px, to 12 held-out images: 6 of each class"
    assert said.lines.count(basis) == 1


@pytest.mark.parametrize(
    ("decay", "kids", "best"),
    [
        (0.0, (2.0, 1.0, 3.0), 6),
        (0.0, (1.0, 3.0, 2.0), 3),
        (0.5, (1.0, 2.0, 3.0), 6),  # step 3 is from before the learning rates fall
        (0.5, (1.0, 3.0, 2.0), 9),
    ],
)
def test_the_best_snapshot_is_kept_of_the_late_ones_if_there_are_any(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    decay: float,
    kids: tuple[float, ...],
    best: int,
) -> None:
    each = iter(np.repeat(kids, 3))  # two classes, and the heap of both
    monkeypatch.setattr("leukreg_gan.snapshots.distance", lambda real, fake: float(next(each)))
    trained = train(job(tmp_path, steps=9, decay=decay), SILENT)
    assert trained.state.best_step == best
    assert trained.state.best == kids[best // 3 - 1]


def test_a_late_snapshot_of_pictures_all_alike_is_no_better(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kids = iter(np.repeat([3.0, 2.0, 1.0], 3))
    monkeypatch.setattr("leukreg_gan.snapshots.distance", lambda real, fake: float(next(kids)))
    monkeypatch.setattr("leukreg_gan.training.ALIKE", 1e9)
    trained = train(job(tmp_path, steps=9), SILENT)
    assert trained.state.best_step == 3


def test_held_out_rows_are_not_trained_on(tmp_path: Path) -> None:
    """Other held-out pixels change what is judged, never the weights."""
    one = train(job(tmp_path / "one"), SILENT)
    other = job(tmp_path / "two")
    pixels = other.pixels.copy()
    pixels[other.held] = 255 - pixels[other.held]
    two = train(replace(other, pixels=pixels), SILENT)
    assert [line.losses for line in one.state.lines] == [line.losses for line in two.state.lines]
    assert one.state.lines[-1].quality.kid != two.state.lines[-1].quality.kid


def test_without_held_out_rows_the_last_snapshot_is_kept(tmp_path: Path) -> None:
    said = Said()
    trained = train(job(tmp_path, judged=False, steps=7), said)
    assert "cgan: no images are held out, so snapshots have no KID" in said.lines
    assert trained.state.best is None
    assert trained.state.best_step == 7


def test_a_loss_that_is_no_number_names_the_step(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"step \d+: the (discriminator|generator)'s .* is nan"):
        train(job(tmp_path, steps=40, generator_lr=1e30, snapshot_every=100), SILENT)


def test_a_discriminator_with_nothing_to_learn_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgan_training, "NOTHING", 1e9)
    monkeypatch.setattr(training, "IDLE", 3)
    said = Said()
    trained = train(job(tmp_path, steps=20, snapshot_every=2), said)
    assert trained.state.step == 3
    assert "generator learns nothing" in trained.state.stopped
    assert any("stopped at step 3" in line for line in said.lines)
    assert trained.weights
    with (tmp_path / "log.csv").open(encoding="utf-8") as file:
        assert [row["step"] for row in csv.DictReader(file)][-1] == "3"


def test_images_that_are_all_alike_end_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "leukreg_gan.snapshots.made_images",
        lambda network, noise, told: np.full((len(noise), 32, 32, 3), 90, np.uint8),
    )
    said = Said()
    trained = train(job(tmp_path, steps=60), said)
    assert trained.state.step == 3 * training.FLAT
    assert "collapsed" in said.lines[-1]
    assert trained.weights
    again = train(job(tmp_path, steps=60), SILENT)
    assert again.state.step == trained.state.step


def test_a_class_whose_images_are_all_alike_is_named_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def red_alike(network: Any, noise: torch.Tensor, told: np.ndarray) -> np.ndarray:
        made = np.random.default_rng(0).integers(0, 256, (len(noise), 1, 1, 3), np.uint8)
        made[told[:, 0] == 1] = 90
        return made.repeat(32, 1).repeat(32, 2)

    monkeypatch.setattr("leukreg_gan.snapshots.made_images", red_alike)
    said = Said()
    trained = train(job(tmp_path, steps=12), said)
    assert not trained.state.stopped
    line = trained.state.lines[-1].quality
    assert line is not None
    assert line.spreads["red"] < training.ALIKE < line.spreads["blue"]
    assert line.spread == pytest.approx((line.spreads["red"] + line.spreads["blue"]) / 2)
    assert said.lines[-1].endswith("; nearly alike are the images of red (0.00)")
    with (tmp_path / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [*rows[0]][10:14] == ["kid red", "kid blue", "spread red", "spread blue"]
    assert float(rows[-1]["spread red"]) == 0


def test_a_class_without_real_images_is_held_against_the_least_spread_one() -> None:
    rng = np.random.default_rng(0)
    flat = np.full((9, 32, 32, 3), 90, np.uint8)
    made = {"a": flat, "described": rng.integers(0, 256, flat.shape, np.uint8)}
    own = spread(made["described"])
    assert spreads(made, {"a": own / 2}) == {"a": 0.0, "described": pytest.approx(2)}
    assert spreads(made, {}) == {}


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / "last.pt").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(DataError, match=r"last.pt: is damaged, .*; delete it to train"):
        train(job(tmp_path), SILENT)


def test_a_flipped_bit_in_a_checkpoint_is_told(tmp_path: Path) -> None:
    train(job(tmp_path, steps=2), SILENT)
    path = tmp_path / "last.pt"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(LeukregError, match=r"last.pt is damaged: .*; delete it to train"):
        train(job(tmp_path, steps=4), SILENT)


def test_the_callers_draws_are_left_alone(tmp_path: Path) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    train(job(tmp_path, steps=2), SILENT)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    "settings",
    [
        {"balance": "data", "r1": 1.0, "mismatch": 1.0},
        {"balance": "class", "r1": 0.0, "mismatch": 0.0, "decay": 0.0},
        {"precision": "bfloat16", "batch": 5},
    ],
)
def test_every_setting_trains(tmp_path: Path, settings: dict[str, Any]) -> None:
    trained = train(job(tmp_path, steps=16, snapshot_every=16, **settings), SILENT)
    assert trained.state.step == 16


def test_larger_images_are_trained_on_judged_and_shown(tmp_path: Path) -> None:
    trained = train(job(tmp_path, size=64, steps=2, snapshot_every=2), SILENT)
    assert trained.state.best_step == 2
    assert trained.state.lines[-1].quality.kid == trained.state.best
    with Image.open(tmp_path / "step-0000002.png") as grid:
        assert grid.size == (10 * 66 + 2, 2 * 66 + 2)
