"""Every shipped recipe loads, and says of the history what the history says of itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from leukreg.audit.published_table import Reported
from leukreg.recipe import Recipe, load, parse
from leukreg.registry.plugin_call import Choice

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
ALL = sorted(path.stem for path in EXPERIMENTS.glob("*.toml"))
HISTORY = ["v1", "v2", "v3", "v4", "v5"]
REPAIRED = [f"{version}-repaired" for version in HISTORY]
V7 = ["v7", "v7-binary", "v7-dinobloom", "v7-stain", "v7-grey"]


def shipped(name: str) -> Recipe:
    return load(EXPERIMENTS / f"{name}.toml")


def fallback(choice: Choice) -> Choice:
    assert choice.fallback is not None
    return choice.fallback


def test_what_is_there() -> None:
    assert set(ALL) >= {*HISTORY, *REPAIRED, "pbc"}


@pytest.mark.parametrize("name", ALL)
def test_loads(name: str) -> None:
    recipe = shipped(name)
    assert recipe.name == name
    assert recipe.title
    assert Reported.read(recipe.reported or {}) is not None


@pytest.mark.parametrize("name", HISTORY + REPAIRED)
def test_assumed_values_are_stated_with_reasons(name: str) -> None:
    recipe = shipped(name)
    assert recipe.assumed
    for key in recipe.assumed:
        stated = key in recipe.given or any(g.startswith(f"{key}.") for g in recipe.given)
        assert stated, f"{key} is called assumed, but left to a default"


@pytest.mark.parametrize("name", HISTORY + REPAIRED)
def test_a_machine_without_images_and_network_has_fallbacks(name: str) -> None:
    recipe = shipped(name)
    assert recipe.data.source.name == "folder"
    drawn = fallback(recipe.data.source)
    assert drawn.name == "demo"
    assert drawn.plugin.notice_label == "rendered cells, not real"
    assert drawn.options["classes"] == recipe.data.source.options["classes"]
    assert drawn.options["listing"] == recipe.data.source.options["listing"]
    assert recipe.model.backbone.options["weights"] == "imagenet"
    small = fallback(recipe.model.backbone)
    assert (small.name, small.options) == ("efficientnet-lite0", {"weights": "imagenet"})
    small.plugin.ready()  # without a network


SETUP: dict[str, dict[str, Any]] = {
    "v1": {"size": 224, "backbone": "resnet50", "optimizer": "adam", "lr": 1e-4, "phases": 1},
    "v2": {"size": 384, "backbone": "densenet201", "optimizer": "adamw", "lr": 1e-4, "phases": 3},
    "v3": {"size": 256, "backbone": "resnet50", "optimizer": "adamw", "lr": 5e-5, "phases": 3},
    "v4": {"size": 224, "backbone": "efficientnet-b0", "optimizer": "legacy-adam", "lr": 5e-5,
           "phases": 2},
    "v5": {"size": 224, "backbone": "efficientnet-b0", "optimizer": "radam", "lr": 5e-5,
           "phases": 2},
}  # fmt: skip


@pytest.mark.parametrize("name", HISTORY + REPAIRED)
def test_setup(name: str) -> None:
    recipe, setup = shipped(name), SETUP[name.removesuffix("-repaired")]
    assert recipe.image.size == setup["size"]
    assert recipe.model.backbone.name == setup["backbone"]
    assert len(recipe.phases) == setup["phases"]
    assert {phase.optimizer.name for phase in recipe.phases} == {setup["optimizer"]}
    assert {phase.optimizer.options["lr"] for phase in recipe.phases} == {setup["lr"]}
    assert recipe.phases[0].unfreeze == 0
    assert (recipe.model.attention is not None) == (name[:2] in ("v2", "v3", "v5"))
    assert (recipe.loss.loss.name == "focal") == (name[:2] in ("v2", "v5"))
    assert (recipe.evaluate.mc_dropout is not None) == (name[:2] != "v1")
    assert recipe.data.folds.k == (5 if name[:2] == "v3" else None)
    if name[:2] == "v2":
        assert {phase.optimizer.options["weight_decay"] for phase in recipe.phases} == {1e-5}
    if name[:2] == "v3":
        assert {phase.optimizer.options["weight_decay"] for phase in recipe.phases} == {2e-5}
        assert recipe.model.head.options["dropout"] == 0.6


@pytest.mark.parametrize(
    ("name", "made", "place"),
    [("v2", 200, "training-fold"), ("v3", 100, "training-fold"), ("v4", 100, "before-split"),
     ("v5", int(0.4 * 1024), "before-split")],
)  # fmt: skip
def test_defects_of_the_history(name: str, made: int, place: str) -> None:
    recipe = shipped(name)
    assert recipe.data.source.options["listing"] == "glob-twice"
    assert recipe.synthesis is not None
    assert recipe.synthesis.generator.name == "warp"
    assert recipe.synthesis.generator.options["donor"] == "Benign"
    assert (recipe.synthesis.per_class, recipe.synthesis.place) == (made, place)
    assert "Benign" not in recipe.synthesis.classes
    assert fallback(recipe.data.source).options["images"]["Benign"] == 512


def test_more_defects_of_the_history() -> None:
    assert [shipped(name).model.input for name in HISTORY] == [
        "divided-twice", "contract", "contract", "contract", "divided-twice"
    ]  # fmt: skip
    assert [shipped(name).evaluate.on for name in HISTORY] == ["test"] * 4 + ["all"]
    threshold = shipped("v5").evaluate.threshold
    assert threshold is not None
    assert (threshold.rule, threshold.fitted_on) == ("f1", "scored")


@pytest.mark.parametrize("name", REPAIRED)
def test_repaired(name: str) -> None:
    recipe, before = shipped(name), shipped(name.removesuffix("-repaired"))
    assert recipe.data.source.options["listing"] == "walk"
    assert recipe.synthesis is None
    assert recipe.model.input == "contract"
    assert not recipe.data.folds.validation_is_test
    assert recipe.data.folds.validation > 0
    assert recipe.data.folds.group == "auto"
    assert recipe.data.folds.duplicates == "together"
    assert recipe.evaluate.on == "test"
    assert recipe.evaluate.threshold is None or recipe.evaluate.threshold.fitted_on == "validation"
    assert recipe.reported is None
    assert recipe.phases == before.phases
    assert recipe.loss == before.loss
    assert recipe.model.head == before.model.head
    assert recipe.title != before.title


def reported(name: str) -> dict[str, Any]:
    table = shipped(name).reported
    assert table is not None
    return dict(table)


@pytest.mark.parametrize("name", V7)
def test_v7_is_honest_and_runs_on_a_bare_machine(name: str) -> None:
    recipe = shipped(name)
    assert recipe.data.source.name == "folder"
    drawn = fallback(recipe.data.source)
    assert drawn.name == "demo"
    assert drawn.options["size"] == recipe.image.size
    assert drawn.options["classes"] == recipe.data.source.options["classes"]
    assert (recipe.data.folds.k, recipe.data.folds.group) == (5, "auto")
    assert recipe.data.folds.duplicates == "together"
    assert recipe.synthesis is None
    assert recipe.evaluate.calibration is not None
    assert recipe.evaluate.conformal is not None
    assert recipe.evaluate.tta is not None
    backbone = recipe.model.backbone
    lite = fallback(backbone) if name == "v7-dinobloom" else backbone
    assert (lite.name, lite.options) == ("efficientnet-lite0", {"weights": "imagenet"})
    assert recipe.phases[0].unfreeze == 0
    threshold = recipe.evaluate.threshold
    assert (threshold is not None) == (name == "v7-binary")
    assert threshold is None or threshold.fitted_on == "validation"


def test_figures_of_v1() -> None:
    table = reported("v1")
    assert (table["accuracy"], table["images"], table["test_images"]) == ("0.5393", 3242, 649)
    figures = {
        "Benign": ("0.28", "0.17", "0.21"),
        "Pre-B": ("0.47", "0.82", "0.60"),
        "Pro-B": ("0.78", "0.87", "0.82"),
        "early Pre-B": ("0.47", "0.19", "0.27"),
    }
    assert {c: tuple(row.values()) for c, row in table["per_class"].items()} == figures


def test_figures_of_v2() -> None:
    table = reported("v2")
    assert (table["best_validation_loss"], table["best_epoch"]) == ("1.34622", 1)
    assert table["final_validation_loss"] == "3.989"
    assert (table["train_counts"]["Benign"], table["test_counts"]["Benign"]) == (819, 205)


def test_figures_of_v3() -> None:
    table = reported("v3")
    assert (table["accuracy"], table["best_epoch"], table["stopped_epoch"]) == ("0.4049", 43, 63)
    rows = {c: (row["recall"], row["specificity"]) for c, row in table["per_class"].items()}
    assert rows == {
        "Benign": ("0.1902", "0.0000"),
        "Pre-B": ("0.0000", "0.7073"),
        "Pro-B": ("0.0000", "0.7659"),
        "early Pre-B": ("0.0000", "0.7171"),
    }


@pytest.mark.parametrize("name", ["v4", "v5"])
def test_matrices_fit_the_figures(name: str) -> None:
    table = reported(name)
    (tn, fp), (fn, tp) = table["confusion"]
    images = tn + fp + fn + tp
    assert images == {"v4": table.get("test_images"), "v5": table["images"]}[name]
    assert sum(table["class_counts"].values()) == table["images"]
    figures = {
        "accuracy": (tp + tn) / images,
        "precision": tp / (tp + fp),
        "recall": tp / (tp + fn),
        "f1": 2 * tp / (2 * tp + fp + fn),
        "specificity": tn / (tn + fp),
    }
    assert {key: table[key] for key in figures} == {k: f"{v:.4f}" for k, v in figures.items()}


def test_figures_of_v4_and_v5() -> None:
    four, five = reported("v4"), reported("v5")
    assert four["confusion"] == [[187, 18], [18, 2]]
    assert four["auc"] == "0.3898"
    sides = [four["train_counts"], four["test_counts"]]
    assert {c: sum(side[c] for side in sides) for c in ("Benign", "ALL")} == four["class_counts"]
    assert five["confusion"] == [[852, 172], [100, 309]]
    assert (five["auc"], five["balanced_accuracy"]) == ("0.8515", "0.7938")
    assert (five["threshold"], five["brier"]) == ("0.3619", "0.2065")


def test_the_layout_in_the_readme_loads() -> None:
    text = (EXPERIMENTS / "README.md").read_text(encoding="utf-8")
    block, *_ = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert block.startswith("extends = ")
    for content in (block, block.partition("\n")[2]):  # as a twin, and alone
        recipe = parse(content, EXPERIMENTS / "readme.toml")
        assert recipe.synthesis is not None
        assert recipe.seed == 4


def test_the_first_recipe_of_the_readme_starts_from_imagenet_with_and_without_a_hub() -> None:
    text = (EXPERIMENTS.parent / "README.md").read_text(encoding="utf-8")
    first, *_ = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    backbone = parse(first, EXPERIMENTS / "readme.toml").model.backbone
    for choice in (backbone, fallback(backbone)):
        assert choice.options["weights"] == "imagenet"
    assert fallback(backbone).name == "efficientnet-lite0"
