"""``--set KEY=VALUE``."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leukreg.errors import Problems
from leukreg.recipe import parse
from leukreg.recipe.extends import split
from leukreg.registry import Registry


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("phase.0.epochs=1", ("phase", "0", "epochs"), 1),
        ("model.head=linear", ("model", "head"), "linear"),
        ('model.head="linear"', ("model", "head"), "linear"),
        ("data.root=/a/b c", ("data", "root"), "/a/b c"),
        ("data.root=a=b", ("data", "root"), "a=b"),
        ("synthesis=false", ("synthesis",), False),
        ("a.b={ c = [1, 2] }", ("a", "b"), {"c": [1, 2]}),
        ('reported.per_class."Pre-B v2"=0.5', ("reported", "per_class", "Pre-B v2"), 0.5),
        ("seed = 3", ("seed",), 3),
    ],
)
def test_split(text: str, path: tuple[str, ...], value: Any) -> None:
    assert split(text) == (path, value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed", "must be KEY=VALUE"),
        ("=3", "must be KEY=VALUE"),
        ("seed=", "must be KEY=VALUE"),
        ("a..b=1", "is no key"),
        ("a#b=1", "is no key"),
        ("a\nb=1", "is no key"),
        ("[a]=1", "is no key"),
        (".".join("a" * 100) + "=1", "is no key"),
        ("seed=[1,", "is no valid TOML"),
        ("seed=1\nname = 'x'", "must set one key"),
        ("seed=nan", "finite"),
        ("seed=[{a=-inf}]", "finite"),
        ("seed=99999999999999999999", "64 bits"),
        ("title=2020-01-01", "date"),
        ("seed=" + "[" * 3000 + "]" * 3000, "nested too deeply"),
        ("seed=" + "[" * 60 + "]" * 60, "nested too deeply"),
        ("title=\udcff", "UTF-8"),
        ("extends=other.toml", "extends cannot be set"),
        ("phase.7.epochs=1", r"a list: write phase.0 \('head'\) or phase.1 \('all'\)"),
        ("phase.head.epochs=1", r"write phase.0 \('head'\)"),
        ("phase.-1.epochs=1", "is a list: write phase.0"),
        ("seed.deep=1", "which has no keys"),
    ],
)
def test_mistakes(text: str, message: str, good: str, registry: Registry) -> None:
    with pytest.raises(Problems, match=message) as caught:
        parse(good, overrides=[text], registry=registry)
    (problem,) = caught.value.problems
    assert problem.where is not None
    assert problem.where.startswith("--set ")


def test_all_at_once(good: str, registry: Registry) -> None:
    with pytest.raises(Problems) as caught:
        parse(good, overrides=["seed", "phase.9.epochs=1"], registry=registry)
    assert len(caught.value.problems) == 2


def test_values_are_checked_like_any_other(good: str, registry: Registry) -> None:
    with pytest.raises(Problems) as caught:
        parse(good, overrides=["phase.0.epochs=soon", "loss.gama=1"], registry=registry)
    shown = str(caught.value)
    assert (
        '--set phase.0.epochs=soon  phase.0.epochs: must be an integer at least 1, not "soon"'
        in shown
    )
    assert "did you mean 'gamma'?" in shown


def test_use_drops_the_old_options(good: str, registry: Registry) -> None:
    recipe = parse(good, overrides=["model.head.use=linear", "data.use=drawn"], registry=registry)
    assert recipe.model.head.options == {"dropout": 0.0}
    assert recipe.data.folds.k == 5


def test_a_bare_name_gets_options(good: str, registry: Registry) -> None:
    changes = ["model.head=linear", "model.head.dropout=0.25"]
    assert parse(good, overrides=changes, registry=registry).model.head.options["dropout"] == 0.25


def test_new_tables_are_made(good: str, registry: Registry) -> None:
    changes = ["sampler.use=shuffle", "phase.0.schedule.use=cosine", "assumed.seed=why not"]
    recipe = parse(good, overrides=changes, registry=registry)
    assert recipe.phases[0].schedule is not None
    assert recipe.assumed["seed"] == "why not"


def test_reasons_go_with_what_they_explain(good: str, registry: Registry) -> None:
    changes = ["training.batch_size=4", "phase.0.optimizer.use=adamw", "phase.0.optimizer.lr=1"]
    assert not parse(good, overrides=changes, registry=registry).assumed


def test_later_ones_win(good: str, registry: Registry) -> None:
    recipe = parse(good, overrides=["seed=1", "seed=2"], registry=registry)
    assert recipe.seed == 2


@settings(deadline=None)
@given(st.lists(st.text(max_size=30), max_size=2), st.text(max_size=12))
def test_no_text_makes_a_traceback(texts: list[str], tail: str) -> None:
    for text in [*texts, f"seed={tail}", f"phase.0.{tail}=1", f"{tail}=1"]:
        try:
            path, _ = split(text)
        except ValueError:
            continue
        assert path


def test_mistakes_of_overrides_and_of_the_file_are_told_together(
    good: str, registry: Registry
) -> None:
    wrong = good.replace("gamma = 2.0", "gama = 2.0")
    with pytest.raises(Problems) as caught:
        parse(wrong, overrides=["seed", "phase.9.epochs=1"], registry=registry)
    first, second, third = map(str, caught.value.problems)
    assert "must be KEY=VALUE" in first
    assert "is a list" in second
    assert "did you mean 'gamma'?" in third
