"""``leukreg.run`` and ``leukreg.check``: what a script needs, and what the commands call."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_tiny import TINY

import leukreg
from leukreg.errors import LeukregError, Problems, RunError
from leukreg.recipe import load
from leukreg.runs import read

OVERRIDES = (
    "data.images=16",
    "data.folds={ test = 0.25, validation = 0.25, group = 'none' }",
    "synthesis=false",
    "phase.0.epochs=1",
    "phase.1.epochs=1",
    "evaluate.mc_dropout=false",
    "evaluate.bootstrap=0",
)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LEUKREG_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


@pytest.mark.slow
def test_a_recipe_is_run_and_its_record_comes_back(path: Path) -> None:
    runs = path.parent / "runs"
    record = leukreg.run(str(path), runs=runs, overrides=OVERRIDES)
    assert record.folder.parent == runs
    again = read(record.folder)
    assert (again.scores, again.findings) == (record.scores, record.findings)
    assert leukreg.run(resume=record.folder).scores == record.scores  # it is finished
    with pytest.raises(RunError, match="there is no run"):
        leukreg.run(resume="nowhere", runs=runs)


@pytest.mark.slow
def test_a_plan_tells_what_would_be_done_and_does_nothing(path: Path) -> None:
    plan = leukreg.check(path, overrides=OVERRIDES)
    assert [phase.epochs for phase in plan.phases] == [1, 1]
    assert len(plan.record.samples) == sum(plan.record.listing.listed.values()) > 0
    assert len(plan.record.folds) == 1
    assert not (path.parent / "runs").exists()
    assert leukreg.check(path, overrides=OVERRIDES, data=False).phases == ()


def test_every_mistake_is_raised_before_anything_is_written(path: Path) -> None:
    for call in (leukreg.check, leukreg.run):
        with pytest.raises(Problems) as caught:
            call(path, overrides=["loss.gama=2", "seed='x'"])
        assert len(caught.value.problems) == 2
    assert list(path.parent.glob("runs/*")) == []


def test_a_recipe_that_was_read_goes_in_too_but_takes_no_overrides(path: Path) -> None:
    recipe = load(path, OVERRIDES)
    assert leukreg.check(recipe, data=False).asked is recipe
    with pytest.raises(LeukregError, match="takes no overrides"):
        leukreg.check(recipe, overrides=["seed=1"], data=False)
    for nothing in ({}, {"recipe": recipe, "resume": "last"}):
        with pytest.raises(LeukregError, match="either a recipe or a run"):
            leukreg.run(**nothing)  # type: ignore[arg-type]
