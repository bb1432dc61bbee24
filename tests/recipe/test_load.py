"""A good recipe becomes a ``Recipe``; its plain form becomes the same recipe again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leukreg.recipe import load, parse, rebuild
from leukreg.recipe.provenance import assumed_table, defaults_table, given_table
from leukreg.registry import Registry


def test_values(good: str, registry: Registry) -> None:
    recipe = parse(good, Path("experiments/good.toml"), registry=registry)
    assert recipe.name == "good"
    assert recipe.image.size == 224
    assert recipe.data.source.plugin.root == "data/all"
    assert recipe.data.source.owner == "leukreg-test 1.0"
    assert recipe.data.source.fallback is not None
    assert recipe.data.source.fallback.options == {"images": 7}
    assert recipe.data.folds.k == 5
    assert recipe.model.backbone.fallback is not None
    assert recipe.model.backbone.fallback.options == {"weights": "random", "depth": 4}
    assert recipe.model.attention is not None
    assert recipe.model.attention.name == "se"
    assert recipe.model.head.plugin.widths == (8, 4)
    assert recipe.loss.class_weights is not None
    assert recipe.sampler.name == "shuffle"
    assert [phase.unfreeze for phase in recipe.phases] == [0, "all"]
    assert recipe.synthesis is not None
    assert recipe.synthesis.place == "training-fold"
    assert recipe.evaluate.mc_dropout is not None
    assert recipe.evaluate.metrics[0].name == "accuracy"
    assert recipe.audit.rules[0].options == {"limit": 0.25}
    assert recipe.audit.waive[0].rule == "leak"
    assert recipe.reported == {"accuracy": "0.8400"}
    assert recipe.assumed == {
        "phase.0.optimizer.lr": "not stated",
        "training.batch_size": "not stated",
    }


def test_resolved_is_json_and_comes_back(good: str, registry: Registry) -> None:
    recipe = parse(good, registry=registry)
    kept = json.loads(json.dumps(recipe.resolved, allow_nan=False))
    assert kept == recipe.resolved
    assert kept["training"]["precision"] == "auto"
    assert kept["phase"][1]["optimizer"] == {"use": "adamw", "lr": 1e-5}
    assert kept["data"]["use"] == "folder"
    assert kept["data"]["broken"] == "stop"
    again = rebuild(kept, registry=registry)
    assert again.resolved == recipe.resolved
    assert again.phases == recipe.phases


def test_where_and_given(good: str, registry: Registry) -> None:
    recipe = parse(good, Path("r.toml"), ["phase.1.epochs=2"], registry)
    line = good.split("\n").index("epochs = 5") + 1
    assert recipe.where["phase.0.epochs"].where == f"r.toml:{line}"
    assert recipe.where["phase.1.epochs"].where == "--set phase.1.epochs=2"
    assert {"phase.0.epochs", "phase.1.epochs", "model.attention.use", "data.folds.k"} <= set(
        recipe.given
    )
    assert "training.precision" not in recipe.given


def test_tables_tell_given_assumed_and_default_apart(good: str, registry: Registry) -> None:
    recipe = parse(good, registry=registry)
    stated = dict(given_table(recipe).rows)
    assumed = {row[0]: row[1:] for row in assumed_table(recipe).rows}
    defaults = dict(defaults_table(recipe).rows)
    assert stated["phase.0.epochs"] == "5"
    assert stated["model.attention.use"] == '"se"'
    assert assumed["phase.0.optimizer.lr"] == ("0.001", "not stated")
    assert defaults["training.precision"] == '"auto"'
    assert defaults["sampler.use"] == '"shuffle"'
    assert not stated.keys() & defaults.keys()
    assert not assumed.keys() & (stated.keys() | defaults.keys())


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_files_of_other_editors(
    bom: bytes, newline: str, tmp_path: Path, good: str, registry: Registry
) -> None:
    path = tmp_path / "grüße.toml"
    path.write_bytes(bom + good.replace("\n", newline).encode())
    recipe = load(path, registry=registry)
    assert recipe.name == "grüße"
    assert recipe.where["schema"].where == f"{path}:1"


def test_false_means_none(good: str, registry: Registry) -> None:
    changes = ["model.attention=false", "synthesis=false", "evaluate.threshold=false"]
    changes += ["evaluate.mc_dropout=false", "loss.class_weights=false", "data.fallback=false"]
    changes += ["reported=false", "assumed=false", "audit=false"]
    recipe = parse(good, overrides=changes, registry=registry)
    assert recipe.model.attention is None
    assert recipe.synthesis is None
    assert recipe.evaluate.threshold is None
    assert recipe.evaluate.mc_dropout is None
    assert recipe.loss.class_weights is None
    assert recipe.data.source.fallback is None
    assert recipe.reported is None
    assert not recipe.assumed
    assert not recipe.audit.waive
