from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import devices_script
import engine_fakes as fakes
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from leukreg.engine import distributed
from leukreg.engine.distributed import dealt, in_turn, share, unfit
from leukreg.engine.training import fingerprint_of
from leukreg.errors import LostProcess
from leukreg.recipe.model import TrainingSpec

SCRIPT = Path(devices_script.__file__)
TOLERANCE = 1e-5
"""Between probabilities after one process and after two: sums are taken in another order."""


@given(st.integers(1, 300), st.integers(1, 17))
def test_every_image_of_a_batch_goes_to_one_process(n: int, among: int) -> None:
    parts = [share(n, of, among) for of in range(among)]
    rows = [row for start, end, counts in parts if counts for row in range(start, end)]
    assert rows == list(range(n))
    assert all(end - start >= min(n, 2) for start, end, _ in parts), "batch norm needs two"
    sizes = [end - start for start, end, counts in parts if counts]
    assert max(sizes) - min(sizes) <= 1


@given(st.integers(0, 60), st.integers(1, 9))
def test_what_is_dealt_out_comes_back_in_order(n: int, among: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distributed, "size", lambda: among)
        hands = []
        for number in range(among):
            patch.setattr(distributed, "rank", lambda number=number: number)
            hands.append(list(dealt(range(n))))
    assert in_turn(hands) == list(range(n))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_two_processes_come_to_what_one_does(tmp_path: Path, cache: Path) -> None:
    names = ["frozen", "whole"]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path / "two"), "2", *names],
        env={**os.environ, "LEUKREG_CACHE": str(cache / "two"), "GLOO_SOCKET_IFNAME": "lo"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for name in names:
        devices_script.work(tmp_path / "one" / name, name)
        found = [np.load(tmp_path / way / name / "predictions.npy") for way in ("one", "two")]
        assert found[0].std() > 1e-2
        assert np.abs(found[0] - found[1]).max() < TOLERANCE
        outcomes = [tmp_path / way / name / "outcome.json" for way in ("one", "two")]
        one, two = (json.loads(path.read_text()) for path in outcomes)
        assert [one["facts"]["devices"], two["facts"]["devices"]] == [[1], [2]]
        for a, b in zip(one["epochs"], two["epochs"], strict=True):
            assert a["images"] == b["images"]
            assert a["train_loss"] == pytest.approx(b["train_loss"], abs=TOLERANCE)
            assert a["validation_loss"] == pytest.approx(b["validation_loss"], abs=TOLERANCE)
        assert not [*(tmp_path / "two" / name).glob("*.bin")]


def test_what_does_not_go_is_said_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    (said,) = unfit(TrainingSpec(device="auto"), 2)
    assert "2 GPUs were asked for, 1 found" in said
    (said,) = unfit(TrainingSpec(device="cpu", batch_size=5), 3)
    assert "batch_size = 5 is too small for 3 devices" in said
    (said,) = unfit(TrainingSpec(device="mps"), 2)
    assert "a single one" in said
    (said,) = unfit(TrainingSpec(device="cpu", sync_batchnorm=True, compile="yes"), 2)
    assert "sync_batchnorm does not go with" in said
    assert not [*unfit(TrainingSpec(device="cpu"), 16)]


def test_a_lost_process_is_told_with_what_it_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(distributed.SAID, str(tmp_path))
    with pytest.raises(LostProcess, match="ended before its time"), distributed.lost_told():
        raise RuntimeError("Connection closed by peer")
    (tmp_path / "1").write_text("leukreg: there is not enough memory\n")
    with (
        pytest.raises(LostProcess, match="on device 2: there is not enough memory"),
        distributed.lost_told(),
    ):
        raise RuntimeError("Connection closed by peer")


def test_synchronised_batch_norm_makes_another_model() -> None:
    plain, rows = fakes.recipe(), (fakes.LABELS, fakes.images(), fakes.fold())
    other = fakes.training(plain, sync_batchnorm=True)
    assert fingerprint_of(plain, *rows) != fingerprint_of(other, *rows)
