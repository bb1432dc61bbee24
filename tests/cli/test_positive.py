"""The positive class is named wherever it matters, and no recipe leaves it to the alphabet."""

from __future__ import annotations

from pathlib import Path

import pytest

from leukreg.choices import positive_of
from leukreg.cli.main import main
from tests.cli.test_check import RECIPE

NO_GENERATOR = (
    RECIPE[: RECIPE.index("[synthesis]")]
    .replace('listing = "glob-twice"\n', "")
    .replace('"[Malignant] Pre-B" = 2', '"[Malignant] Pre-B" = 10')
)
HEALTHY_LAST = (
    NO_GENERATOR.replace('"Benign" = ["Benign"]', '"all" = ["[Malignant] Pre-B"]')
    .replace('"ALL" = ["[Malignant] early Pre-B", "[Malignant] Pre-B", "[Malignant] Pro-B"]',
             '"hem" = ["Benign"]')
    .replace('"ALL" = ["[Malignant] Pre-B"]', '"hem" = ["Benign"]')
)  # fmt: skip
FOCAL = 'use = "focal"\nalpha = 0.95'


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "hem.toml"
    path.write_text(HEALTHY_LAST)
    return path


def changed(recipe: Path, before: str, after: str) -> None:
    text = recipe.read_text()
    assert before in text
    recipe.write_text(text.replace(before, after, 1))


def evaluate(recipe: Path, line: str) -> None:
    text = recipe.read_text()
    if "[evaluate]" in text:
        text = text.replace("[evaluate]\n", f"[evaluate]\n{line}\n", 1)
    else:
        text += f"\n[evaluate]\n{line}\n"
    recipe.write_text(text)


@pytest.mark.parametrize("change", ["alpha", "threshold"])
def test_what_depends_on_it_is_refused_where_nobody_says_which(
    recipe: Path, change: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if change == "alpha":
        changed(recipe, 'use = "cross-entropy"', FOCAL)
    else:
        evaluate(recipe, 'threshold = { rule = "fixed" }')
    assert main(["check", str(recipe)]) == 2
    told = capsys.readouterr().err
    assert 'nothing says which of "all" and "hem" is the positive class' in told
    assert 'evaluate.positive = "all" or evaluate.positive = "hem"' in told
    assert "hem.toml:" in told
    evaluate(recipe, 'positive = "all"')
    assert main(["check", str(recipe)]) == 0
    assert "all (the recipe says so)" in capsys.readouterr().out


def test_a_guess_that_nothing_depends_on_is_said(
    recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed(recipe, 'use = "cross-entropy"', 'use = "focal"\nalpha = 0.5')
    assert main(["check", str(recipe)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "hem, a guess (the second by name)" in out
    assert 'evaluate.positive = "all" or evaluate.positive = "hem"' in out


@pytest.mark.parametrize(
    ("named", "name", "other", "stated"),
    [("all", "all", "hem", True), ("hem", "hem", "all", True), (None, "hem", "all", False)],
)
def test_the_class_named_is_positive_else_the_second(
    named: str | None, name: str, other: str, stated: bool
) -> None:
    found = positive_of(("all", "hem"), named)
    assert found is not None
    assert (found.name, found.other, found.stated) == (name, other, stated)
    assert positive_of(("a", "b", "c"), None) is None
