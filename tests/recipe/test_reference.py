"""The reference of recipes knows every key that is read, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from leukreg.cli.main import main
from leukreg.cli.recipe import page
from leukreg.errors import LeukregError, Problems
from leukreg.recipe import parse
from leukreg.recipe.mistakes import dotted
from leukreg.recipe.reference import Key, KeyTable, described, elsewhere, headers_of_kinds, tables
from leukreg.recipe.schema import leaves

PAGE = Path(__file__).parents[2] / "docs" / "recipe.md"
EVERYTHING = """
title = "all tables"
loss = { use = "focal", class_weights = "balanced" }
augmentation = "conservative"
assumed = { seed = "any will do" }
reported = { accuracy = "0.5" }
[data]
use = "demo"
[model]
backbone = "cellnet"
attention = "se"
head = "linear"
[[phase]]
name = "all"
optimizer = "adam"
schedule = "cosine"
[synthesis]
use = "warp"
classes = ["Early"]
per_class = 3
[evaluate]
metrics = ["accuracy"]
mc_dropout = {}
tta = {}
calibration = {}
conformal = {}
threshold = {}
[[audit.waive]]
rule = "shortcut"
reason = "known"
"""
PAIRS = [(table, key) for table in tables() for key in table.keys]


def full(table: KeyTable, key: Key) -> str:
    return f"{table.path}.{key.name}" if table.path else key.name


def said(override: str) -> str:
    """What is wrong with the recipe of all tables when one key is set so."""
    try:
        return str(parse(EVERYTHING, overrides=[override]).seed)
    except Problems as error:
        return str(error)


def test_every_value_of_a_recipe_is_described() -> None:
    known = {full(table, key) for table, key in PAIRS}
    plugins = {full(table, key).removesuffix(".use") for table, key in PAIRS if key.kind}
    for path, _ in leaves(parse(EVERYTHING).resolved):
        name = dotted(tuple(part for part in path if isinstance(part, str)))
        inside = [name[:at] for at, c in enumerate(name) if c == "."]
        core = f"{name.rpartition('.')[0]}" in {"data", "loss", "synthesis"}
        assert (
            name in known
            or core
            or plugins.intersection(inside)
            or inside[:1] == ["assumed"]
            or (inside[:1] == ["reported"])
        ), f"{name} is in no table of leukreg.recipe.reference"


@pytest.mark.parametrize(("table", "key"), PAIRS, ids=[full(*pair) for pair in PAIRS])
def test_every_described_key_is_read_and_explained(table: KeyTable, key: Key) -> None:
    assert key.meaning.rstrip().endswith((".", "?"))
    assert "None" not in key.meaning.replace("(None here)", "")
    name = full(table, key).replace("phase.", "phase.0.").replace("waive.", "waive.0.")
    if key.name in ("extends", "replaces"):
        return
    assert "no such" not in said(f"{name}=[[[3]]]")


@pytest.mark.parametrize("table", tables(), ids=lambda table: table.header)
def test_an_unknown_key_is_refused_in_every_table(table: KeyTable) -> None:
    path = f"{table.path}." if table.path else ""
    name = f"{path}qqq".replace("phase.", "phase.0.").replace("waive.", "waive.0.")
    with pytest.raises(Problems, match="no such"):
        parse(EVERYTHING, overrides=[f"{name}=1"])


def test_kinds_stand_where_the_options_of_plugins_say() -> None:
    first = reversed(PAIRS)  # a kind may be named in several tables
    places = {key.kind: full(table, key).removesuffix(".use") for table, key in first if key.kind}
    assert places == {kind: header.strip("[]") for kind, header in headers_of_kinds().items()}


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "make docs"


def test_a_table_or_a_key_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipe", "data.folds"]) == 0
    out = capsys.readouterr().out
    assert "validation: a number at least 0 and below 1 (default 0.15)" in out
    assert main(["recipe", "phase.unfreeze"]) == 0
    out = capsys.readouterr().out
    assert "unfreeze" in out
    assert "patience" not in out
    assert max(map(len, out.splitlines())) <= 80
    assert main(["recipe"]) == 0
    assert "[synthesis.gate]" in capsys.readouterr().out


def test_what_there_is_not_is_told_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipe", "data.fols"]) == 2
    assert "did you mean 'data.folds'?" in capsys.readouterr().err
    with pytest.raises(LeukregError, match=r"belongs to \[\[phase\]\]"):
        described("training.epochs")


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("training.epochs=3", "epochs belongs to [[phase]]"),
        ("data.image={}", "image belongs to [image]"),
        ("model.batch_size=3", "batch_size belongs to [training]"),
    ],
)
def test_a_key_in_the_wrong_table_is_told_where_it_belongs(wrong: str, hint: str) -> None:
    bare = EVERYTHING.replace('use = "demo"', 'use = "folder"\nroot = "x"')
    with pytest.raises(Problems) as caught:
        parse(bare, overrides=[wrong])
    assert hint in str(caught.value)
    assert elsewhere("qqq") == ""
