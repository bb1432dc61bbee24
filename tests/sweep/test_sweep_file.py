"""A sweep file is read whole, and whatever is wrong with it is said at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from leukreg.errors import Problems
from leukreg.sweep.sweep_file import AskedSweep, executor_of, read_sweep
from leukreg.sweep.sweep_plan import planned, read_run


def sweep(recipe: Path, text: str) -> AskedSweep:
    path = recipe.with_name("sweep.toml")
    path.write_text(f'recipe = "{recipe.name}"\n{text}')
    return read_sweep(path)


def refused(recipe: Path, text: str) -> str:
    with pytest.raises(Problems) as caught:
        sweep(recipe, text)
    return str(caught.value)


def test_axes_cases_and_seeds_are_multiplied(recipe: Path) -> None:
    asked = sweep(
        recipe,
        'seeds = "1:3"\n'
        "[vary]\n"
        '"model.head.dropout" = [0.0, 0.5]\n'
        'loss = ["cross-entropy", { use = "focal", gamma = 1.0 }]\n'
        "[[case]]\n"
        'name = "plain"\n'
        "[[case]]\n"
        'name = "long"\n'
        'set = { "training.batch_size" = 8 }\n',
    )
    assert asked.seeds == (1, 2, 3)
    assert [one.name for one in asked.variations][:2] == [
        "plain, dropout=0.0, loss=cross-entropy",
        "plain, dropout=0.0, loss=focal, 1.0",
    ]
    assert len(asked.variations) == 8
    last = read_run(asked.variations[-1], 2).recipe
    assert (last.seed, last.training.batch_size) == (2, 8)
    assert last.loss.loss.options["gamma"] == 1.0
    assert last.model.head.options["dropout"] == 0.5


def test_keys_of_axes_may_be_nested_tables(recipe: Path) -> None:
    asked = sweep(recipe, "[vary]\nmodel.head.widths = [[4], [8, 4]]\n")
    assert [one.overrides for one in asked.variations] == [
        ("model.head.widths=[4]",),
        ("model.head.widths=[8, 4]",),
    ]
    assert [one.name for one in asked.variations] == ["widths=[4]", "widths=[8, 4]"]


def test_the_command_line_says_the_same(recipe: Path) -> None:
    asked = read_sweep(
        recipe,
        ["model.head.widths=[[4], [8, 4]]", "loss.use=focal,poly1"],
        "4:5",
        ["training.batch_size=8"],
        {"use": "here"},
    )
    assert asked.seeds == (4, 5)
    assert asked.source is None
    assert asked.spec.executor.name == "here"
    assert asked.variations[1].overrides == (
        "training.batch_size=8",
        "model.head.widths=[4]",
        'loss.use="poly1"',
    )


def test_an_executor_keeps_its_options_unless_it_is_another() -> None:
    kept = {"use": "processes", "workers": 3}
    assert executor_of(kept, {}).options == {"workers": 3, "gpus": None}
    assert executor_of(kept, {"workers": 2}).options == {"workers": 2, "gpus": None}
    assert executor_of(kept, {"use": "here"}).options == {}
    with pytest.raises(Problems, match="there is no executor 'hare'; did you mean 'here'"):
        executor_of(kept, {"use": "hare"})


def test_all_mistakes_of_the_file_are_told_at_their_places(recipe: Path) -> None:
    assert "sweep.toml:2  colour: no such key of a sweep" in refused(recipe, "colour = 1\n")
    said = refused(
        recipe,
        'seeds = "5:1"\n[vary]\n"model.head.widths" = []\n"model.head" = [1, 1]\nseed = [1]\n',
    )
    assert "sweep.toml:2  seeds: must be seeds that differ" in said
    assert 'sweep.toml:4  vary."model.head.widths": is an axis without values' in said
    assert "contradicts the axis model.head, which sets the table whole" in said
    assert 'sweep.toml:5  vary."model.head": has a value twice' in said
    assert "sweep.toml:6  vary.seed: seeds are varied by seeds" in said


def test_a_case_that_sets_what_is_varied_is_refused(recipe: Path) -> None:
    said = refused(
        recipe,
        '[vary]\nloss = ["focal", "poly1"]\n[[case]]\nname = "a"\nset = { loss = "poly1" }\n',
    )
    assert "case 'a' sets loss, which is varied too" in said


def test_mistakes_of_all_variations_come_at_once_with_their_variations(recipe: Path) -> None:
    asked = sweep(recipe, '[vary]\n"model.head.width" = [1, 2]\n"loss" = ["focal", "fokal"]\n')
    with pytest.raises(Problems) as caught:
        planned(asked)
    said = str(caught.value)
    assert "model.head.width: no such option" in said
    assert "there is no loss 'fokal'; did you mean 'focal'? (in variation " in said


def test_variations_that_come_to_the_same_are_refused(recipe: Path) -> None:
    asked = sweep(recipe, '[vary]\nloss = ["focal", { use = "focal", gamma = 2.0 }]\n')
    with pytest.raises(Problems, match="are the same experiment; leave one out"):
        planned(asked)


def test_threads_are_the_sweeps_unless_the_recipe_says(recipe: Path) -> None:
    variation = sweep(recipe, "").variations[0]
    assert read_run(variation, None, threads=2).recipe.training.threads == 2
    recipe.write_text(recipe.read_text().replace("[training]", "[training]\nthreads = 3"))
    assert read_run(variation, None, threads=2).recipe.training.threads == 3


def test_the_plan_counts_runs_folds_and_trainings(recipe: Path) -> None:
    plans = planned(sweep(recipe, "seeds = [1, 2]\n"))
    assert [plan.units for plan in plans] == [(0, 1), (0, 1)]
    assert len({plan.test_set for plan in plans}) == 1
    assert all(one.estimate.seconds > 0 and one.estimate.bytes > 0 for one in plans)
    assert {one.estimate.run for one in plans} == {""}


def test_folds_that_hang_together_by_synthetic_rows_are_one_unit(recipe: Path) -> None:
    made = 'use = "warp"\ndonor = "benign"\nclasses = ["early"]\nper_class = 2\ngate = false\n'
    recipe.write_text(f"{recipe.read_text()}\n[synthesis]\n{made}")
    (plan,) = planned(sweep(recipe, ""))
    assert (plan.folds, plan.units) == (2, (None,))
