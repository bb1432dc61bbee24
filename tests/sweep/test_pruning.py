"""A pruner's decision follows from the curves alone, and what was stopped stays stopped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from leukreg.runs import list_runs
from leukreg.sweep.driver import drive
from leukreg.sweep.pruning import Curve, Judge, Pruner, Stopped, StopRule, curves_of, stopped
from leukreg.sweep.sweep_plan import PlannedRun
from leukreg.types import EpochLog
from tests.sweep.test_driver import InTurn, begun

__all__ = ["begun"]
GOOD = tuple(Curve((0.5, 0.6 + 0.01 * n, 0.8)) for n in range(5))


def epochs(accuracy: Sequence[float]) -> list[EpochLog]:
    plain = {"fold": 0, "phase": "all", "lr": (0.1,), "train_loss": 1.0, "validation_loss": 1.0}
    return [
        EpochLog(**plain, epoch=n, validation_accuracy=one, seconds=1.0, images=1)  # type: ignore[arg-type]
        for n, one in enumerate(accuracy, 1)
    ]


def ended(
    folder: Path, curve: Sequence[float], rule: StopRule, at_once: bool = False
) -> int | None:
    """The epoch after which a training is stopped."""
    (folder / "fold-0").mkdir(parents=True)
    judge, logs = Judge({0: rule}, folder), epochs(curve)
    try:
        for n in range(len(logs) if at_once else 1, len(logs) + 1):
            judge(logs[:n])
    except Stopped:
        found = stopped(folder / "fold-0")
        assert found is not None
        return len(found.accuracy)
    return None


def test_a_curve_below_the_median_is_stopped_after_five_trials(tmp_path: Path) -> None:
    rule = StopRule("median", GOOD)
    assert ended(tmp_path / "a", (0.55, 0.58, 0.9), rule) == 2
    assert ended(tmp_path / "b", (0.55, 0.65, 0.9), rule) is None
    assert ended(tmp_path / "c", (0.1, 0.1, 0.1), StopRule("median", GOOD[1:])) is None
    # Gone on with after a kill, it is told of all epochs at once.
    assert ended(tmp_path / "d", (0.55, 0.58, 0.9), rule, at_once=True) == 2


@pytest.mark.parametrize(("pruner", "epoch"), [("halving", 1), ("none", None)])
def test_other_pruners(pruner: Pruner, epoch: int | None, tmp_path: Path) -> None:
    assert ended(tmp_path, (0.1, 0.1, 0.1), StopRule(pruner, GOOD)) == epoch


def test_what_comes_after_the_first_stop_does_not_count(tmp_path: Path) -> None:
    ended(tmp_path / "run", (0.1, 0.1), StopRule("median", (*GOOD, *GOOD)))
    (tmp_path / "run" / "fold-1").mkdir()
    assert [at for at, _ in curves_of([(tmp_path / "run", 2), (tmp_path / "other", 2)])] == [(0, 0)]


def test_a_stopped_fold_ends_its_trial_and_no_other(
    begun: tuple[Path, dict[str, PlannedRun]],
) -> None:
    place, plans = begun
    first, workers = next(iter(plans)), InTurn()
    unreached = tuple(Curve((2.0,)) for _ in range(5))
    rules = {first: {fold: StopRule("median", unreached) for fold in range(2)}}
    assert drive(place, plans, workers, rules=rules) == ()
    assert workers.given == 3
    runs = list_runs(place.parent)
    assert [one.standing for one in runs] == ["stopped", "finished"]
    assert "stopped after epoch 1 of fold 1 by its validation accuracy" in str(runs[0].error)
    assert drive(place, plans, workers, rules=rules) == ()
    assert workers.given == 3  # and nothing of it is done again
