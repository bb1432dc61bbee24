"""``leukreg check``: mistakes with their places, or the plan."""

from __future__ import annotations

from pathlib import Path

import pytest
from leukreg_gan.class_generator import FittedGenerator

from leukreg.cli.main import main

RECIPE = """\
title = "small"

[data]
use = "folder"
root = "no/such/folder"

[data.classes]
"Benign" = ["Benign"]
"ALL" = ["[Malignant] early Pre-B", "[Malignant] Pre-B", "[Malignant] Pro-B"]

[data.folds]
test = 0.25
validation_is_test = true
group = "none"
duplicates = "ignored"

[data.fallback]
use = "demo"
size = 32
listing = "glob-twice"

[data.fallback.images]
"Benign" = 10
"[Malignant] Pre-B" = 2

[data.fallback.classes]
"Benign" = ["Benign"]
"ALL" = ["[Malignant] Pre-B"]

[image]
size = 32

[model]
backbone = { use = "resnet18", weights = "random" }
head = "linear"

[loss]
use = "cross-entropy"

[[phase]]
name = "head"
epochs = 2
optimizer = { use = "adam", lr = 1e-3 }

[[phase]]
name = "all"
unfreeze = "all"
epochs = 3
optimizer = { use = "adam", lr = 1e-4 }

[synthesis]
use = "warp"
classes = ["ALL"]
per_class = 8
place = "before-split"

[reported]
accuracy = "0.84"

[assumed]
"image.size" = "nobody said"
"""


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LEUKREG_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "small.toml"
    path.write_text(RECIPE)
    return path


def test_a_plan_trains_no_generator_for_its_counts(
    recipe: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FittedGenerator, "fit", lambda *_, **__: pytest.fail("fitted"))
    recipe.write_text(RECIPE.replace("glob-twice", "walk").replace('"warp"', '"cgan"'))
    assert main(["check", str(recipe)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "8 synthetic rows, made before the split, will stand among them" in shown


def test_no_plan(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(recipe), "--no-plan"]) == 0
    shown = capsys.readouterr().out
    assert f"{recipe}: no problems" in shown
    assert "nobody said" in shown
    assert "trainable" not in shown


def test_plan(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(recipe)]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    (fallback,) = [line for line in lines if line.startswith("data: demo")]
    assert (
        fallback
        == 'data: demo (rendered cells, not real) instead of folder root="no/such/folder", because'
    )
    assert "images Benign ALL" in lines
    assert "all rows 20 8 (8 synthetic)" in lines  # every benign file twice
    assert "train 15 6 (6 synthetic)" in lines
    assert "test 5 2 (2 synthetic)" in lines
    (head,) = [line for line in lines if line.startswith("head 2 0.001 ")]
    assert head.endswith("none: frozen")
    (whole,) = [line for line in lines if line.startswith("all 3 0.0001 ")]
    trainable, total = whole.split()[3].replace(",", ""), whole.split()[5].replace(",", "")
    assert trainable == total
    assert "image.size 32 nobody said" in lines


def test_mistakes(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = recipe.with_name("other.toml")
    other.write_text(RECIPE.replace('"linear"', '"liner"'))
    arguments = ["check", str(recipe), str(other), "--no-plan", "--set", "phase.0.epoch=1"]
    assert main(arguments) == 2
    shown = capsys.readouterr().err
    line = RECIPE.split("\n").index('head = "linear"') + 1
    assert f"{other}:{line}  model.head: there is no head 'liner'; did you mean 'linear'?" in shown
    assert "did you mean 'epochs'?" in shown
    assert shown.rstrip().endswith("3 problems; nothing was run.")


def test_published_figures_are_checked(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe.write_text(RECIPE.replace('"0.84"', '"184"'))
    assert main(["check", str(recipe), "--no-plan"]) == 2
    assert "reported.accuracy" in capsys.readouterr().err


@pytest.mark.parametrize("plan", [["--no-plan"], []])
def test_strict(recipe: Path, plan: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(recipe), "--strict", *plan]) == 2
    shown = capsys.readouterr().err
    assert f"{recipe}:4  data: " in shown
    assert "--strict takes no fallback" in shown


def test_a_class_without_images(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(recipe), "--set", "synthesis=false"]) == 2
    line = RECIPE.split("\n").index('"ALL" = ["[Malignant] Pre-B"]') + 1
    shown = capsys.readouterr().err
    assert f'{recipe}:{line}  data.classes.ALL: class "ALL" has no images' in shown


@pytest.fixture
def generating(recipe: Path) -> Path:
    """The recipe with a conditional GAN that makes one of its classes."""
    text = recipe.read_text().partition("[synthesis]")[0]
    text = text.replace("validation_is_test = true\n", "").replace("glob-twice", "walk")
    text = text.replace('Pre-B" = 2', 'Pre-B" = 8')
    recipe.write_text(f"""{text}
[synthesis]
use = "cgan"
classes = ["ALL"]
per_class = 4
steps = 1
""")
    return recipe


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (("image.size=48",), "images of 48 pixels cannot be made; choose 32"),
        (('synthesis.gate.extractor="cells:/none"',), "/none"),
        (
            ('synthesis.way="attributes"', 'synthesis.attributes={table="@", key="img"}'),
            "attributes.csv has no key 'img'; there are img_name, size",
        ),
        (
            ('synthesis.way="donor"', 'synthesis.donor={root="@@", classes={AL=["x"]}}'),
            "donor.classes: ",
        ),
        (('synthesis.weights="@"',), "attributes.csv cannot be read as safetensors"),
    ],
)
def test_what_a_generator_cannot_do_is_said_by_check(
    generating: Path, keys: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table = generating.parent / "attributes.csv"
    table.write_text("img_name,size\na.png,big\n")
    (generating.parent / "donors" / "y").mkdir(parents=True)
    places = {"@@": str(generating.parent / "donors"), "@": str(table)}
    asked = ["check", str(generating)]
    for key in keys:
        for mark, place in places.items():
            key = key.replace(f'"{mark}"', f'"{place}"')
        asked += ["--set", key]
    assert main(asked) == 2
    assert message in capsys.readouterr().err


def test_the_plan_of_a_generator_counts_its_images_and_trains_nothing(
    generating: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(generating)]) == 0
    assert "+ 4 synthetic" in capsys.readouterr().out
