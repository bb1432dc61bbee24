"""A sweep goes to its end whatever dies or fails on the way, to the figures of plain runs."""

from __future__ import annotations

import errno
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from leukreg.cli.main import main
from leukreg.errors import RunError, TrainingError
from leukreg.experiment import run
from leukreg.registry import installed
from leukreg.runs import list_runs, read
from leukreg.runs.status import lock_folder, read_status
from leukreg.runs.sweep_record import find_sweep, read_sweep_record, sweep_named
from leukreg.sweep.driver import drive
from leukreg.sweep.run_sweep import carried_out
from leukreg.sweep.sweep_file import read_sweep
from leukreg.sweep.sweep_folder import begin, held, taken_up
from leukreg.sweep.sweep_plan import PlannedRun, planned
from leukreg.sweep.unit import Unit, do_unit, versions

AXIS = "model.head.widths=[[4], [8]]"


class InTurn:
    """Workers that do each unit at once; ``dying`` are the units at which they give out."""

    count = 1

    def __init__(self, *dying: int, error: BaseException | None = None) -> None:
        self.dying, self.error, self.given = dying, error, 0

    def submit(self, work: Callable[[Any], Any], unit: Any) -> Future[Any]:
        self.given += 1
        future: Future[Any] = Future()
        if self.given in self.dying:
            if self.error is None:
                raise KeyboardInterrupt
            future.set_exception(self.error)
        else:
            future.set_result(work(unit))
        return future

    def stop(self) -> None:
        return None


@pytest.fixture
def begun(recipe: Path, tmp_path: Path) -> tuple[Path, dict[str, PlannedRun]]:
    """A sweep of two variations in two folds each, of which nothing is done."""
    asked = read_sweep(recipe, [AXIS], executor={"use": "here"})
    return begin(asked, planned(asked), tmp_path / "runs")


def test_runs_of_a_sweep_are_those_of_leukreg_run(
    begun: tuple[Path, dict[str, PlannedRun]], recipe: Path, tmp_path: Path
) -> None:
    place, plans = begun
    workers = InTurn()
    assert drive(place, plans, workers) == ()
    assert workers.given == 4
    runs = list_runs(place.parent)
    assert [one.standing for one in runs] == ["finished"] * 2
    assert {one.sweep for one in runs} == {place.name}
    swept = read(place.parent / f"{place.name}-2")
    overrides = ("model.head.widths=[8]", "training.threads=1")
    alone = run(recipe, runs=tmp_path / "alone", overrides=overrides)
    for name in ("predictions.csv", "validation.csv", "scores.json"):
        assert (swept.folder / name).read_bytes() == (alone.folder / name).read_bytes()
    assert swept.seconds > 0
    for name, other in (("-1", "widths=[8]"), ("-2", "widths=[4]")):  # whichever was done first
        earlier = read(place.parent / f"{place.name}{name}").earlier
        assert (earlier.test_looks, earlier.sweep_looks) == ((), (other,))
        assert (earlier.sweep, earlier.sweep_choice) == (place.name, "validation")


def test_a_killed_driver_is_gone_on_with(begun: tuple[Path, dict[str, PlannedRun]]) -> None:
    place, plans = begun
    with pytest.raises(KeyboardInterrupt) as caught:
        carried_out(place, plans, InTurn(4))
    assert caught.value.__notes__ == [f"This goes on with it: leukreg sweep --resume {place}"]
    first, second = (place.parent / name for name in plans)
    assert read_status(first).state == "finished"
    assert read_status(second).state == "running"
    workers = InTurn()
    assert drive(place, taken_up(place), workers) == ()
    assert workers.given == 1  # what was done is not done again
    assert read_status(second).state == "finished"


def test_a_lost_worker_is_replaced_and_a_unit_that_loses_two_has_failed(
    begun: tuple[Path, dict[str, PlannedRun]],
) -> None:
    place, plans = begun
    failures = drive(place, plans, InTurn(1, 3, 4, error=RuntimeError("killed")))
    assert [one.what for one in failures] == ["widths=[4], seed 3, fold 2"]
    assert "its worker died 2 times (RuntimeError: killed)" in failures[0].error
    assert [one.standing for one in list_runs(place.parent)] == ["failed", "finished"]


def test_a_unit_that_fails_is_told_and_stops_nothing_else(
    begun: tuple[Path, dict[str, PlannedRun]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from leukreg.engine import training

    whole = training.train_fold

    def failing(recipe: Any, labels: Any, images: Any, fold: Any, *more: Any) -> Any:
        if fold.index == 1 and recipe.model.head.options["widths"] == [4]:
            raise TrainingError("the loss is nan")
        return whole(recipe, labels, images, fold, *more)

    place, plans = begun
    with monkeypatch.context() as patch:
        patch.setattr(training, "train_fold", failing)
        failures = drive(place, plans, InTurn())
    assert [(one.what, one.error) for one in failures] == [
        ("widths=[4], seed 3, fold 2", "the loss is nan")
    ]
    runs = list_runs(place.parent)
    assert {one.standing: one.error for one in runs} == {
        "failed": "widths=[4], seed 3, fold 2: the loss is nan",
        "finished": None,
    }
    assert drive(place, taken_up(place), InTurn()) == ()


def test_a_fold_that_another_process_trains_is_waited_for_and_not_trained_again(
    begun: tuple[Path, dict[str, PlannedRun]], tmp_path: Path
) -> None:
    place, plans = begun
    assert drive(place, plans, InTurn()) == ()
    run, note = place.parent / next(iter(plans)), tmp_path / "note"
    model = (run / "fold-0" / "model.pt").stat()
    held = lock_folder(run / "fold-0")
    unit = Unit(run=str(run), fold=0, note=str(note), versions=versions())
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(do_unit, unit)
        while not note.is_file():
            assert not future.done()
        assert note.read_text() == "Waiting for another process that trains it"
        held.release()
        assert future.result(timeout=60).error == ""
    assert (run / "fold-0" / "model.pt").stat() == model


def test_a_worker_with_other_versions_is_refused_with_both_named(
    begun: tuple[Path, dict[str, PlannedRun]], monkeypatch: pytest.MonkeyPatch
) -> None:
    place, plans = begun
    here = str(versions()["torch"])
    monkeypatch.setattr("leukreg.sweep.unit.versions", lambda: {**versions(), "torch": "1.0"})
    failures = drive(place, plans, InTurn())
    assert len(failures) == 4
    assert f"this worker has torch 1.0 in place of {here}" in failures[0].error


def test_a_full_disk_stops_no_other_run_and_is_gone_on_with(
    begun: tuple[Path, dict[str, PlannedRun]], monkeypatch: pytest.MonkeyPatch
) -> None:
    place, plans = begun
    full, whole = place.parent / next(iter(plans)) / "fold-1" / "model.pt", Path.replace

    def no_room(self: Path, target: Path) -> Path:
        if Path(target) == full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", no_room)
        failures = drive(place, plans, InTurn())
    assert [one.what for one in failures] == ["widths=[4], seed 3, fold 2"]
    assert "model.pt cannot be written: No space left on device" in failures[0].error
    assert [one.standing for one in list_runs(place.parent)] == ["failed", "finished"]
    workers = InTurn()
    assert drive(place, taken_up(place), workers) == ()
    assert workers.given == 1


def test_what_changed_under_way_is_refused(
    begun: tuple[Path, dict[str, PlannedRun]], recipe: Path
) -> None:
    place, _ = begun
    recipe.write_text(recipe.read_text().replace("epochs = 1", "epochs = 2"))
    with pytest.raises(RunError, match=r"tiny\.toml says something else than when"):
        taken_up(place)
    sweep = recipe.with_name("sweep.toml")
    sweep.write_text(f'recipe = "{recipe.name}"')
    asked = read_sweep(sweep)
    place, _ = begin(asked, planned(asked), place.parent)
    sweep.write_text(f'recipe = "{recipe.name}"\nseeds = [4]')
    with pytest.raises(RunError, match=r"sweep\.toml has changed since"):
        taken_up(place)


def test_one_process_at_a_time_carries_out_a_sweep(
    begun: tuple[Path, dict[str, PlannedRun]],
) -> None:
    place, _ = begun
    with held(place), pytest.raises(RunError, match="another process carries out this sweep"):  # noqa: SIM117
        with held(place):
            pass


def test_a_sweep_is_found_by_its_name_or_its_beginning(
    begun: tuple[Path, dict[str, PlannedRun]],
) -> None:
    place, _ = begun
    for reference in (str(place), place.name, place.name[:8], "last"):
        assert sweep_named(reference, place.parent) == place
    assert find_sweep("elsewhere", place.parent) is None
    with pytest.raises(RunError, match="there is no sweep 'elsewhere'"):
        sweep_named("elsewhere", place.parent)
    assert read_sweep_record(place).variations == ("widths=[4]", "widths=[8]")
    text = (place / "sweep.json").read_text()
    (place / "sweep.json").write_text(text.replace("widths", "depths"))
    with pytest.raises(RunError, match="damaged"):
        read_sweep_record(place)


def test_the_command_plans_runs_lists_and_goes_on(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = str(tmp_path / "runs")
    words = ["sweep", str(recipe), "--seeds", "1:2", "--executor", "here", "--runs", root]
    assert main([*words, "--plan"]) == 0
    assert "1 variation, 2 seeds: 2 runs of 2 folds, 4 trainings" in capsys.readouterr().out
    assert not (tmp_path / "runs").exists()
    assert main(words) == 0
    assert main(["runs", "--runs", root]) == 0
    assert "2 finished" in capsys.readouterr().out
    assert main(["runs", "last", "--runs", root]) == 0
    assert capsys.readouterr().out.count("finished") == 2
    name = next((tmp_path / "runs").glob("*/sweep.json")).parent.name
    assert main(["compare", name[:9], "--runs", root]) == 0
    assert "1 variation, seeds 1, 2" in capsys.readouterr().out
    assert main(["report", name, "--runs", root]) == 0
    assert (tmp_path / "runs" / name / "report.html").is_file()
    assert main(["sweep", "--resume", "last", "--runs", root]) == 0
    assert main(["sweep", "--resume", "last", "--seeds", "3", "--runs", root]) == 2
    assert main(["sweep", str(recipe), "--vary", "loss=", "--runs", root]) == 2
    assert "must be KEY=VALUE" in capsys.readouterr().err


def test_executors_are_a_kind() -> None:
    assert {"here", "processes"} <= set(installed().names("executor"))
