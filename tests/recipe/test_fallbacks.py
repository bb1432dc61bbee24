"""Fallbacks are taken, and said."""

from __future__ import annotations

import pytest

from leukreg.errors import Problems
from leukreg.recipe import check_task, parse, take_fallbacks
from leukreg.registry import Registry
from leukreg.types import Sample, Samples


def test_what_is_missing_is_replaced_and_said(good: str, registry: Registry) -> None:
    recipe, notices = take_fallbacks(parse(good, registry=registry))
    assert recipe.data.source.name == "drawn"
    assert recipe.model.backbone.plugin.weights == "random"
    assert recipe.resolved["data"]["use"] == "drawn"
    assert recipe.resolved["data"]["folds"]["k"] == 5
    assert recipe.resolved["model"]["backbone"] == {"use": "net", "weights": "random", "depth": 4}
    data, backbone = notices
    assert (data.what, data.label) == ("data", "drawn, not real")
    assert data.wanted == 'folder root="data/all"'
    assert data.used == "drawn"
    assert data.why == "there is no folder data/all"
    assert (backbone.what, backbone.label) == ("model.backbone", "")
    assert backbone.wanted == 'net weights="imagenet"'
    assert backbone.used == 'net weights="random"'


def test_what_a_fallback_states_is_given_then(good: str, registry: Registry) -> None:
    text = good.replace("[assumed]", '[assumed]\n"model.backbone.weights" = "usual"')
    text = text.replace("depth = 4", 'depth = 4, weights = "imagenet"')
    before = parse(text, registry=registry)
    after, _ = take_fallbacks(before)
    assert {"data.images", "data.folds.k", "model.backbone.weights"} <= after.given
    assert "data.root" not in after.given
    assert not [key for key in after.given if "fallback" in key]
    assert after.where["data.images"] == before.where["data.fallback.images"]
    assert "model.backbone.weights" in before.assumed
    assert "model.backbone.weights" not in after.assumed  # "random" was not meant
    assert "training.batch_size" in after.assumed


def test_what_is_there_is_kept(good: str, registry: Registry) -> None:
    changes = ["data.root=here", "model.backbone.weights=random"]
    before = parse(good, overrides=changes, registry=registry)
    after, notices = take_fallbacks(before, strict=True)
    assert notices == ()
    assert after.resolved == before.resolved


def test_strict_takes_no_fallback(good: str, registry: Registry) -> None:
    with pytest.raises(Problems) as caught:
        take_fallbacks(parse(good, registry=registry), strict=True)
    shown = [str(problem) for problem in caught.value.problems]
    assert len(shown) == 2
    assert shown[0].startswith("recipe.toml:6  data: there is no folder data/all (--strict")


def test_no_fallback_is_an_error(good: str, registry: Registry) -> None:
    text = good.replace(', fallback = { weights = "random" }', "")
    with pytest.raises(Problems, match="backbone: no imagenet weights here") as caught:
        take_fallbacks(parse(text, registry=registry))
    assert len(caught.value.problems) == 1


def test_fallbacks_of_fallbacks(good: str, registry: Registry) -> None:
    text = good.replace(
        'fallback = { weights = "random" }',
        'fallback = { weights = "local", fallback = { weights = "random" } }',
    )
    recipe, notices = take_fallbacks(parse(text, registry=registry))
    assert recipe.model.backbone.plugin.weights == "random"
    assert [notice.what for notice in notices] == ["data", "model.backbone", "model.backbone"]
    assert [notice.used for notice in notices[1:]] == [
        'net weights="local"',
        'net weights="random"',
    ]


def test_every_fallback_on_the_way_is_told_of_the_same_key(good: str, registry: Registry) -> None:
    chain = '{ weights = "random" }'
    for weights in ("imagenet", "local"):
        chain = f'{{ weights = "{weights}", fallback = {chain} }}'
    text = good.replace('fallback = { weights = "random" }', f"fallback = {chain}")
    recipe, notices = take_fallbacks(parse(text, registry=registry))
    assert [notice.what for notice in notices] == ["data", *["model.backbone"] * 3]
    assert "model.backbone.weights" in recipe.given
    assert not [key for key in recipe.given if "fallback" in key]


def test_a_faulty_plugin_is_no_traceback(good: str, registry: Registry) -> None:
    recipe = parse(good, overrides=["model.backbone=faulty"], registry=registry)
    with pytest.raises(Problems, match=r"backbone 'faulty' \(from leukreg-test 1.0\) failed: KeyE"):
        take_fallbacks(recipe)


def samples(*labels: str, classes: tuple[str, ...]) -> Samples:
    rows = tuple(Sample(id=str(n), path=str(n), label=label) for n, label in enumerate(labels))
    return Samples(rows=rows, classes=classes)


def test_what_the_data_make_impossible(good: str, registry: Registry) -> None:
    recipe = parse(good, overrides=["data.use=drawn"], registry=registry)
    check_task(recipe, samples("Benign", classes=("Benign", "ALL")))  # ALL is made
    line = good.split("\n").index('threshold = { rule = "f1" }') + 1
    with pytest.raises(Problems) as caught:
        check_task(recipe, samples("Benign", "ALL", classes=("Benign", "ALL", "AML")))
    shown = "\n".join(str(problem) for problem in caught.value.problems)
    assert f"recipe.toml:{line}  evaluate.threshold: only a task of two classes" in shown
    assert 'class "AML" has no images' in shown
