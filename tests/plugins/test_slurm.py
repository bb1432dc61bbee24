"""Jobs of Slurm, as submitit has them on one machine; what Slurm itself says is made up."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from leukreg_plugins.slurm import Slurm

from leukreg.errors import NotAvailable

local = pytest.importorskip("submitit.local.local")
pytestmark = pytest.mark.skipif(os.name != "posix", reason="submitit has processes of POSIX")


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_jobs_outlive_their_driver_and_lost_ones_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local.LocalJob, "_results_timeout_s", 0)
    made = str(tmp_path / "made")
    killed = Slurm(cluster="local").build(2, 1, tmp_path)
    killed.submit(os.mkdir, made)
    killed._over.set()
    killed._watcher.join()
    while not [*tmp_path.glob(".local/*/*_result.pkl")]:
        time.sleep(0.05)
    driver = Slurm(cluster="local").build(2, 1, tmp_path)
    try:
        assert driver.submit(os.mkdir, made).exception(timeout=60) is None  # and not done twice
        lost = driver.submit(os._exit, 1).exception(timeout=60)
        assert "ended without a result (FINISHED)" in str(lost)
        driver.submit(time.sleep, 600)
    finally:
        driver.stop()
    assert not (tmp_path / ".local").exists()


def test_what_slurm_would_not_take_is_refused_before_anything_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotAvailable, match="there is no Slurm on this machine"):
        Slurm().build(2, 1, tmp_path)
    sbatch = tmp_path / "sbatch"
    sbatch.write_text('#!/bin/sh\necho "sbatch: error: $*" >&2\nexit 1\n')
    sbatch.chmod(0o755)
    with pytest.raises(NotAvailable) as refused:
        Slurm(partition="gpu", gpus=2, memory=1.5).build(2, 3, tmp_path)
    assert str(refused.value) == (
        "Slurm takes no such job: sbatch: error: --test-only --wrap=true --partition=gpu "
        "--time=240 --mem=1536M --cpus-per-task=3 --gpus-per-node=2"
    )
