"""Runs are listed as they stand, and found by what people call them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leukreg.errors import RunError
from leukreg.record import External, RunRecord
from leukreg.runs import RunFolder, find, list_runs
from leukreg.runs.status import read_status, write_status
from leukreg.types import Finding
from tests.runs.run_folders import finished, recipe

Make = Callable[..., RunRecord]
LATER = "2999-01-01T00:00:00+00:00"


def date(folder: Path, started: str, **changes: Any) -> None:
    write_status(folder, replace(read_status(folder), started=started, **changes))


def test_listing_says_of_each_run_how_it_stands(tmp_path: Path, make_result: Make) -> None:
    assert list_runs(tmp_path / "none") == ()
    findings = (
        Finding(rule="a", severity="error", message="m"),
        Finding(rule="b", severity="warning", message="m"),
        Finding(rule="c", severity="error", message="m", waived="known"),
    )
    done = finished(tmp_path, make_result(synthetic=100, bootstrap=50, findings=findings))
    with pytest.raises(RuntimeError), RunFolder.create(tmp_path, recipe("failing")):
        raise RuntimeError("no memory")
    with RunFolder.create(tmp_path, recipe("broken")) as broken:
        pass
    (broken.path / "status.json").write_text("{")
    (tmp_path / "notes").mkdir()
    (tmp_path / "file.txt").write_text("")
    runs = {run.standing: run for run in list_runs(tmp_path)}
    assert set(runs) == {"finished", "failed", "damaged"}
    one = runs["finished"]
    assert (one.errors, one.warnings, one.waived) == (1, 1, 1)
    assert one.scored == {"real": 80, "synthetic": 20}
    assert one.scores == tuple(s for s in done.scores if s.label is None)
    assert runs["failed"].error == "RuntimeError: no memory"
    assert "status.json" in (runs["damaged"].error or "")


def test_runs_are_found_by_path_name_beginning_and_as_the_last(
    tmp_path: Path, make_result: Make
) -> None:
    one = finished(tmp_path, make_result(bootstrap=0), "alpha")
    two = finished(tmp_path, make_result(bootstrap=0), "beta")
    date(two.folder, LATER)
    assert find("alpha", tmp_path) == one.folder
    assert find(two.name, tmp_path) == two.folder
    assert find(str(one.folder), tmp_path / "elsewhere") == one.folder
    assert find("last", tmp_path) == two.folder
    with pytest.raises(RunError, match="did you mean"):
        find(one.name.replace("alpha", "alhpa"), tmp_path)
    with pytest.raises(RunError, match="holds no runs"):
        find("x", tmp_path / "elsewhere")
    finished(tmp_path, make_result(bootstrap=0), "alpha")
    with pytest.raises(RunError, match="several runs begin with 'alpha'"):
        find("alpha", tmp_path)


def test_the_last_run_ended_well_and_an_evaluation_is_none_with_models(
    tmp_path: Path, make_result: Make
) -> None:
    trained = finished(tmp_path, make_result(bootstrap=0), "alpha")
    scored = finished(tmp_path, evaluation(make_result(bootstrap=0)), "beta")
    date(scored.folder, LATER)
    assert find("last", tmp_path) == scored.folder
    assert find("last", tmp_path, with_models=True) == trained.folder
    date(scored.folder, LATER, state="failed", error="no memory")
    assert find("last", tmp_path) == trained.folder
    shutil.rmtree(trained.folder)
    with pytest.raises(RunError, match=r"no run in .* has finished; the newest, beta.*: no memory"):
        find("last", tmp_path)
    with RunFolder.create(tmp_path, recipe("gamma")) as begun:
        pass
    assert find("last", tmp_path, resume=True) == begun.path


def evaluation(result: RunRecord) -> RunRecord:
    return replace(result, evaluated_from=External(run="mine"))


def test_a_recipes_name_means_its_run_whatever_was_made_of_it(
    tmp_path: Path, make_result: Make
) -> None:
    one = finished(tmp_path, make_result(bootstrap=0), "mine")
    finished(tmp_path, evaluation(make_result(bootstrap=0)), "mine-on-theirs")
    finished(tmp_path, make_result(bootstrap=0), "mine-repaired")
    (tmp_path / "mine-onnx").mkdir()
    for name in ("recipe.json", "contract.json"):
        (tmp_path / "mine-onnx" / name).write_text("{}")
    assert find("mine", tmp_path) == one.folder
    assert find("mine-2", tmp_path) == one.folder
    assert "mine-onnx" not in [run.name for run in list_runs(tmp_path)]
    assert find(one.name[:-2], tmp_path) == one.folder


def test_a_run_is_preferred_to_its_evaluations(tmp_path: Path, make_result: Make) -> None:
    one = finished(tmp_path, make_result(bootstrap=0), "mine")
    finished(tmp_path, evaluation(make_result(bootstrap=0)), "mine-on-theirs")
    assert find("mi", tmp_path) == one.folder
