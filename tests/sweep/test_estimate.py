"""What a sweep is estimated to take is what a run of its like took, and it is said which."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from leukreg.report.sweep_tables import plan_section
from leukreg.runs.codec import write_json, write_rows
from leukreg.runs.status import begun, write_status
from leukreg.sweep.estimate import known_runs
from leukreg.sweep.run_sweep import check_sweep
from leukreg.sweep.sweep_file import read_sweep
from leukreg.sweep.sweep_plan import read_run
from leukreg.types import EpochLog


@pytest.fixture
def runs(recipe: Path) -> Path:
    """A finished run of the recipe: two folds, three epochs of 10 images each, 60 s."""
    root = recipe.with_name("known")
    place = root / "tiny-1"
    (place / "fold-0").mkdir(parents=True)
    resolved = dict(read_run(read_sweep(recipe).variations[0], 7, 1).recipe.resolved)
    resolved["phase"] = [{**resolved["phase"][0], "epochs": 3}]
    write_status(place, replace(begun("tiny"), state="finished", seconds=60.0))
    write_json(place / "recipe.json", resolved)
    logs = [
        EpochLog(fold=fold, phase="all", epoch=epoch, lr=(0.1,), train_loss=1.0,
                 validation_loss=1.0, validation_accuracy=0.5, seconds=9.0, images=10)
        for fold in range(2)
        for epoch in range(1, 4)
    ]  # fmt: skip
    write_rows(place / "epochs.csv", EpochLog, logs)
    (place / "fold-0" / "model.pt").write_bytes(b"0" * 500_000)
    return root


def test_what_a_known_run_took_is_what_its_like_will_take(recipe: Path, runs: Path) -> None:
    plan = check_sweep(recipe, vary=["phase.0.epochs=1,2"], runs=runs)
    short, long = (run.estimate for run in plan.runs)
    assert short.seconds > 0
    assert long.seconds == pytest.approx(2 * short.seconds)
    assert (long.bytes, long.run) == (1_000_000, "tiny-1")
    text = " ".join(plan_section(plan, 1).text)
    assert "2 MB of models: as tiny-1 took, with the same network" in text


def test_another_network_is_tried_and_both_are_said(recipe: Path, runs: Path) -> None:
    plan = check_sweep(recipe, vary=["image.size=32,48"], runs=runs)
    assert [run.estimate.run for run in plan.runs] == ["tiny-1", ""]
    text = " ".join(plan_section(plan, 1).text)
    assert "for 1 of 2 runs as tiny-1 took" in text
    assert "for the rest a rough guess from one step" in text


def test_what_cannot_be_read_is_passed_over(runs: Path) -> None:
    assert len(known_runs(runs)) == 1
    (runs / "tiny-1" / "epochs.csv").write_text("damaged")
    assert known_runs(runs) == {}
    assert known_runs(runs / "nowhere") == {}
