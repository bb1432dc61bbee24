"""A search chooses by validation rows alone, and a kill changes nothing of what it comes to."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from leukreg.cli.main import main
from leukreg.errors import NotAvailable, Problems, RunError
from leukreg.registry.kinds import Workers
from leukreg.report.sweep_report import sweep_sections
from leukreg.runs.sweep_record import SearchRecord, SweptRun, read_sweep_record
from leukreg.sweep import search as searching
from leukreg.sweep import search_study
from leukreg.sweep.driver import Failure
from leukreg.sweep.run_sweep import check_sweep
from leukreg.sweep.search import search
from leukreg.sweep.search_space import distributions
from leukreg.sweep.search_study import opened_study, trials_of
from leukreg.sweep.sweep_folder import begin
from leukreg.sweep.sweep_results import results_in
from tests.sweep.test_sweep_results import results

SWEEP = """
recipe = "tiny.toml"
executor = "here"

[search]
trials = {trials}

[vary]
phase.0.optimizer.lr = {{ low = 1e-4, high = 1e-1, log = true }}
model.head.widths = [[4], [8]]
"""


@pytest.fixture
def asked(recipe: Path) -> Path:
    """A search of three trials."""
    path = recipe.with_name("search.toml")
    path.write_text(SWEEP.format(trials=3))
    return path


class Trials:
    """In place of trainings: a figure that follows from the learning rate; a kill, a failure."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.killed_at, self.given = 0, list[str]()
        self.failing = False
        patch.setattr(searching, "drive", self.drive)
        patch.setattr(searching, "value_of", self.value_of)

    def drive(self, place: Path, plans: Mapping[str, Any], *rest: Any) -> tuple[Failure, ...]:
        self.given += plans
        if len(self.given) == self.killed_at:
            raise KeyboardInterrupt
        return tuple(Failure(name, "the loss is nan") for name in plans if self.failing)

    def value_of(self, root: Path, runs: Sequence[SweptRun], figure: str) -> float:
        if self.failing:
            raise RunError("failed")
        (rate,) = (o for o in runs[0].overrides if o.startswith("phase.0.optimizer.lr="))
        return -abs(float(rate.partition("=")[2]) - 0.01)

    def search(self, place: Path) -> tuple[Failure, ...]:
        return search(place, cast(Workers, None))


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> Trials:
    return Trials(monkeypatch)


def begun(asked: Path, root: Path) -> Path:
    plan = check_sweep(asked)
    return begin(plan.asked, plan.runs, root)[0]


def told(place: Path) -> list[tuple[Any, float | None]]:
    with opened_study(place) as study:
        return [(one.params, one.value) for one in trials_of(study)]


def refused(path: Path, text: str) -> str:
    path.write_text(text)
    with pytest.raises(Problems) as caught:
        check_sweep(path)
    return str(caught.value)


def test_a_killed_search_comes_to_what_a_whole_one_does(
    asked: Path, tmp_path: Path, trials: Trials
) -> None:
    asked.write_text(SWEEP.format(trials=12))  # Optuna's first ten are drawn at random
    plan = check_sweep(asked)
    whole, killed = (begin(plan.asked, plan.runs, tmp_path / one)[0] for one in ("a", "b"))
    assert trials.search(whole) == ()
    trials.given, trials.killed_at = [], 11
    with pytest.raises(KeyboardInterrupt):
        trials.search(killed)
    assert told(killed)[-1][1] is None
    record = read_sweep_record(killed)
    with opened_study(killed) as study:  # proposed, and killed before that was recorded
        assert record.search is not None
        search_study.propose(study, distributions(searching.axes_of(record.search)), 99)
    trials.given, trials.killed_at = [], 0
    assert trials.search(killed) == ()
    assert len(trials.given) == 2
    assert told(killed) == told(whole)
    assert [run.overrides for run in read_sweep_record(killed).runs] == [
        run.overrides for run in read_sweep_record(whole).runs
    ]


def test_three_failures_in_a_row_end_a_search_and_are_tried_again(
    asked: Path, tmp_path: Path, trials: Trials
) -> None:
    asked.write_text(SWEEP.format(trials=5))
    place, trials.failing = begun(asked, tmp_path / "runs"), True
    assert len(trials.search(place)) == 3
    trials.failing = False
    assert trials.search(place) == ()
    assert len(trials.given) == 8
    assert None not in [value for _, value in told(place)]


def test_trials_that_are_proposed_together_are_done_together(
    asked: Path, tmp_path: Path, trials: Trials
) -> None:
    asked.write_text(SWEEP.format(trials=5).replace("trials = 5", "trials = 5\nat_once = 3"))
    place = begun(asked, tmp_path / "runs")
    calls: list[int] = []
    drive = trials.drive
    searching.drive = lambda *given: (calls.append(len(given[1])), drive(*given))[1]  # type: ignore
    trials.search(place)
    assert calls == [3, 2]


def test_what_was_drawn_before_is_not_trained_again(
    asked: Path, tmp_path: Path, trials: Trials
) -> None:
    text = SWEEP.format(trials=6).replace("phase.0.optimizer.lr", "training.batch_size")
    asked.write_text(text.replace("low = 1e-4, high = 1e-1, log = true", "low = 8, high = 9"))
    trials.value_of = lambda root, runs, figure: float(len(runs[0].overrides))  # type: ignore
    searching.value_of = trials.value_of
    place = begun(asked, tmp_path / "runs")
    assert trials.search(place) == ()
    drawn = [str(params) for params, _ in told(place)]
    assert len(drawn) == 6
    assert len(trials.given) == len(set(drawn)) < 6
    assert None not in [value for _, value in told(place)]


def test_the_command_searches_and_shows_test_figures_of_the_chosen_alone(
    asked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = str(tmp_path / "runs")
    assert main(["sweep", str(asked), "--runs", root, "--plan"]) == 0
    plan = " ".join(capsys.readouterr().out.split())
    assert "search of 3 trials, stopped early by pruner median, 1 seed: at most 3 runs" in plan
    assert not (tmp_path / "runs").exists()
    assert main(["sweep", str(asked), "--runs", root]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Chosen on validation rows: trial" in said
    assert said.count("On test rows") == 1
    assert main(["runs", "--runs", root]) == 0
    assert "3 of 3 trials" in capsys.readouterr().out
    place = next((tmp_path / "runs").glob("*/sweep.json")).parent
    results = results_in(place)
    assert results.differences == ()
    assert main(["report", place.name, "--runs", root]) == 0
    capsys.readouterr()
    assert main(["show", place.name, "--runs", root]) == 0
    assert "Chosen on validation rows: trial" in " ".join(capsys.readouterr().out.split())
    assert main(["audit", place.name, "--runs", root, "--rule", "test-looks"]) == 0
    audited = capsys.readouterr().out
    assert f"sweep {place.name}: 3 warnings" in audited  # of each trial: it has two others
    assert "2 other variations of sweep" in audited
    assert main(["runs", "last", "--runs", root]) == 0
    assert "These are figures on test rows" in capsys.readouterr().out
    table = sweep_sections(results)[0].tables[0]
    assert table.columns == ("trial", "validation", "folds", "status")


RANGE = "{ low = 1e-4, high = 1e-1, log = true }"


@pytest.mark.parametrize(
    ("was", "is_now", "said"),
    [
        ("[search]\ntrials = 3", "", "is a range, which needs [search]"),
        ("trials = 3", "trials = 0", "search.trials: must be an integer at least 1, not 0"),
        ("trials = 3", "", "search.trials: is missing"),
        (RANGE, "[1e-3]", "search: needs a range in [vary]"),
        ("1e-4", "1e-1", "low = 0.1 is not below high = 0.1"),
        ("1e-4", "0.0", "log = true needs low above 0, not 0.0"),
        ("log =", "logarithmic =", "no such key of a range"),
        ("optimizer.lr", "optimizer.lrate", "no such option of optimizer 'adam'"),
        (RANGE, "{ low = -1.0, high = 0.1 }", "(in variation lr=-1, widths=[4]"),
        ("[search]", 'choose = "test"\n[search]', "a search chooses on validation rows"),
        ("[vary]", "[[case]]\nname = 'a'\n[vary]", "a search has no cases"),
        ('"tiny.toml"', '["tiny.toml"]', "a search is of one recipe"),
    ],
)
def test_what_a_search_cannot_be_is_said_before_it_begins(
    asked: Path, was: str, is_now: str, said: str
) -> None:
    assert said in refused(asked, asked.read_text().replace(was, is_now))


def test_a_search_needs_validation_rows(asked: Path, recipe: Path) -> None:
    recipe.write_text(recipe.read_text().replace("validation = 0.3", "validation = 0.0"))
    assert "a fold has none; set data.folds.validation" in refused(asked, asked.read_text())


def test_without_optuna_one_sentence_says_how_to_install_it(
    asked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NotAvailable, match=r"pip install 'leukreg\[search\]'"):
        check_sweep(asked)


def test_the_first_of_equal_trials_is_chosen() -> None:
    found = results({"a": [0.8, 0.7], "b": [0.9, 0.9]}, {"a": 0.5, "b": 0.5})
    spec: dict[str, Any] = {"trials": 3, "seed": 0, "at_once": 1, "axes": {}, "path": "a.toml"}
    spec |= {"overrides": (), "seeds": (None,), "threads": 1, "units": 1, "proposed": 3}
    unfinished = replace(found.record.runs[0], name="c", variation="c")
    runs = (*found.record.runs, unfinished)
    record = replace(found.record, runs=runs, search=SearchRecord(**spec))
    text = "\n".join(sweep_sections(replace(found, record=record))[0].text)
    assert "Chosen on validation rows: a, 0.500 there, the first of 2 that are equal." in text
    assert "On test rows its accuracy is 0.750" in text
