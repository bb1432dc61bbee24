"""``extends``: a twin says only what differs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from leukreg.errors import Problems
from leukreg.recipe import Recipe, load
from leukreg.registry import Registry


@pytest.fixture
def folder(tmp_path: Path, good: str) -> Path:
    (tmp_path / "good.toml").write_text('name = "the-parent"\n' + good)
    return tmp_path


def twin(folder: Path, text: str, registry: Registry) -> Recipe:
    path = folder / "twin.toml"
    path.write_text('extends = "good.toml"\n' + text)
    return load(path, registry=registry)


def test_tables_merge_and_lists_are_replaced(folder: Path, registry: Registry) -> None:
    text = """
    title = "twin"
    [data.folds]
    k = 3
    [model.head]
    widths = [3]
    [[phase]]
    name = "only"
    optimizer = { use = "adamw", lr = 0.1 }
    """
    recipe = twin(folder, text, registry)
    assert (recipe.name, recipe.title) == ("twin", "twin")
    assert (recipe.data.folds.k, recipe.data.folds.group) == (3, "patient")
    assert recipe.model.head.plugin.widths == (3,)
    assert [phase.name for phase in recipe.phases] == ["only"]
    assert recipe.where["data.folds.k"].where == f"{folder / 'twin.toml'}:5"
    assert recipe.where["data.root"].file == str(folder / "good.toml")
    assert "phase.1" not in recipe.where
    assert "data.root" in recipe.given


def test_another_plugin_starts_afresh(folder: Path, registry: Registry) -> None:
    text = '[data]\nuse = "drawn"\n[model.head]\nuse = "linear"\n'
    recipe = twin(folder, text, registry)
    assert recipe.data.source.options == {"images": 10}
    assert recipe.data.source.fallback is None
    assert recipe.data.folds.k == 5
    assert recipe.model.head.options == {"dropout": 0.0}
    assert "model.head.widths" not in recipe.where


def test_a_bare_name_gets_options(folder: Path, registry: Registry) -> None:
    (folder / "middle.toml").write_text('extends = "good.toml"\nmodel.head = "linear"\n')
    (folder / "end.toml").write_text('extends = "middle.toml"\nmodel.head = { dropout = 0.5 }\n')
    recipe = load(folder / "end.toml", registry=registry)
    assert recipe.model.head.options == {"dropout": 0.5}
    assert recipe.data.folds.k == 5


def test_false_drops_a_table_with_its_reasons(folder: Path, registry: Registry) -> None:
    parent = folder / "good.toml"
    parent.write_text(parent.read_text() + '"synthesis.per_class" = "not stated"\n')
    assert "synthesis.per_class" in load(parent, registry=registry).assumed
    recipe = twin(folder, "synthesis = false\n", registry)
    assert recipe.synthesis is None
    assert "synthesis.per_class" not in recipe.assumed


def test_a_restated_value_needs_its_own_reason(folder: Path, registry: Registry) -> None:
    text = "[training]\nbatch_size = 8\n"
    assert "training.batch_size" not in twin(folder, text, registry).assumed
    text += '[assumed]\n"training.batch_size" = "smaller machine"\n'
    recipe = twin(folder, text, registry)
    assert recipe.assumed["training.batch_size"] == "smaller machine"
    assert recipe.assumed["phase.0.optimizer.lr"] == "not stated"


def test_mistakes_are_shown_where_they_stand(folder: Path, registry: Registry) -> None:
    parent = folder / "good.toml"
    parent.write_text(parent.read_text().replace("gamma = 2.0", "gama = 2.0"))
    line = parent.read_text().split("\n").index("gama = 2.0") + 1
    with pytest.raises(Problems) as caught:
        twin(folder, "seed = -1\n", registry)
    places = [problem.where for problem in caught.value.problems]
    assert places == [f"{parent}:{line}", f"{folder / 'twin.toml'}:2"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ('"twin.toml"', "cannot extend itself"),
        ('"nowhere.toml"', "there is no file"),
        ('"."', "there is no file"),
        ('"a\\u0000b"', "must be the path of another recipe"),
        ("3", "must be the path of another recipe"),
        ('""', "must be the path of another recipe"),
    ],
)
def test_bad_parents(folder: Path, name: str, message: str, registry: Registry) -> None:
    path = folder / "twin.toml"
    path.write_text(f"\nextends = {name}\n")
    with pytest.raises(Problems, match=message) as caught:
        load(path, registry=registry)
    assert caught.value.problems[0].where == f"{path}:2"


def test_cycles_are_refused(folder: Path, registry: Registry) -> None:
    for here, there in ("ab", "bc", "ca"):
        (folder / f"{here}.toml").write_text(f'extends = "./x/../{there}.toml"\n')
    with pytest.raises(Problems, match="cannot extend itself"):
        load(folder / "a.toml", registry=registry)


def test_endless_chains_are_refused(folder: Path, registry: Registry) -> None:
    for number in range(40):
        (folder / f"{number}.toml").write_text(f'extends = "{number + 1}.toml"\n')
    with pytest.raises(Problems, match="chain of more than"):
        load(folder / "0.toml", registry=registry)


def test_an_inherited_mapping_is_merged_or_replaced_whole(folder: Path, registry: Registry) -> None:
    text = '[data.classes]\nALL = ["X"]\nhealthy = ["HEM"]\n'
    with pytest.raises(Problems, match=r"has a threshold; there are .*Benign.*ALL.*healthy"):
        twin(folder, text, registry)
    recipe = twin(folder, f'replaces = ["data.classes"]\n{text}', registry)
    assert recipe.data.source.options["classes"] == {"ALL": ["X"], "healthy": ["HEM"]}
    assert recipe.data.folds.k == 5
    assert "data.classes.Benign" not in recipe.where
    assert "replaces" not in recipe.resolved


def test_each_file_of_a_chain_replaces_what_it_extends(folder: Path, registry: Registry) -> None:
    middle = 'extends = "good.toml"\nreplaces = ["data.classes"]\ndata.classes.ALL = ["X"]\n'
    (folder / "middle.toml").write_text(middle)
    (folder / "end.toml").write_text('extends = "middle.toml"\ndata.classes.c = ["C"]\n')
    recipe = load(folder / "end.toml", registry=registry)
    assert list(recipe.data.source.options["classes"]) == ["ALL", "c"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('replaces = "data.classes"', "must be a list of tables"),
        ('replaces = ["data.clases"]', "nothing that is inherited stands at"),
        ('replaces = ["data.folds"]', "says nothing at"),
        ('replaces = ["phase"]\n[[phase]]\nname = "one"', "is replaced whole as it is"),
        ('replaces = ["seed"]\nseed = 3', "is replaced whole as it is"),
        ('replaces = ["phase.0"]\n[[phase]]\nname = "one"', "nothing that is inherited stands at"),
    ],
)
def test_what_cannot_be_replaced(folder: Path, registry: Registry, text: str, message: str) -> None:
    with pytest.raises(Problems, match=message) as caught:
        twin(folder, text, registry)
    (problem,) = caught.value.problems
    assert problem.where == f"{folder / 'twin.toml'}:2"
    assert problem.excerpt is not None
    assert "^" in problem.excerpt


def test_all_that_cannot_be_replaced_is_said_at_once(folder: Path, registry: Registry) -> None:
    with pytest.raises(Problems) as caught:
        twin(folder, 'replaces = ["x", "data.folds", "y"]', registry)
    assert len(caught.value.problems) == 3


def test_replaces_means_nothing_alone(folder: Path, registry: Registry) -> None:
    path = folder / "alone.toml"
    path.write_text('replaces = ["data"]\n')
    with pytest.raises(Problems, match="means nothing without extends"):
        load(path, registry=registry)


@pytest.mark.parametrize(
    ("text", "at", "message"),
    [
        ("data.folds.test = 0.2", "twin.toml:2", r"does not go with k \(.*good.toml:\d+\): with k"),
        ('model.head.dropout = "x"', "twin.toml:2", r"of head 'mlp'.* \(.*good.toml:\d+\)"),
        (
            "synthesis.per_class = { ALL = 3, x = 2 }",
            "twin.toml:2",
            r"\"x\" is not among the classes that are made \(.*good.toml:\d+\)",
        ),
    ],
)
def test_an_inherited_value_is_named_with_its_file_and_line(
    folder: Path, registry: Registry, text: str, at: str, message: str
) -> None:
    with pytest.raises(Problems) as caught:
        twin(folder, text, registry)
    said = {str(p.where): p.message for p in caught.value.problems}
    assert any(where.endswith(at) and re.search(message, text) for where, text in said.items()), (
        said
    )
