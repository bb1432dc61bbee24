from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from leukreg.cli.commands import OWN
from leukreg.cli.main import main
from leukreg.recipe.reference import example_table, headers_of_kinds, options, toml
from leukreg.registry import Entry, installed
from tests.strangers import LOSS, install

Call = pytest.CaptureFixture[str]
ENTRIES = sorted(installed(), key=lambda entry: (entry.kind, entry.name))


def _id(entry: Entry) -> str:
    return f"{entry.kind}:{entry.name}"


def test_lists_kind_name_owner_and_version_one_line_each(capsys: Call) -> None:
    main(["plugins"])
    lines = capsys.readouterr().out.splitlines()
    words = [line.split()[:4] for line in lines]
    assert ["loss", "focal", "leukreg", "0.1.0"] in words
    assert ["command", "run", "leukreg", "0.1.0"] in words
    assert len(lines) == len(ENTRIES) + len(OWN) + 2  # a head and its line


def test_lists_one_kind(capsys: Call) -> None:
    main(["plugins", "--kind", "loss"])
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert all(line.startswith("  loss ") for line in lines[2:])


def test_says_what_is_broken_doubled_or_misspelt(strangers: Path, capsys: Call) -> None:
    install(strangers, "leukreg-a", LOSS.format(name="twin"))
    install(strangers, "leukreg-b", LOSS.format(name="twin"))
    install(strangers, "leukreg-c", "import no_such_module_at_all")
    install(strangers, "leukreg-d", LOSS.replace("leukreg_losses", "leukreg_loses"))
    assert main(["plugins"]) == 1
    shown = capsys.readouterr()
    assert shown.out.count("loss           twin") == 2
    assert "loss 'twin' is claimed by leukreg-a 1.0 and leukreg-b 1.0; uninstall" in shown.err
    assert "leukreg-c 1.0 (leukreg-c): ModuleNotFoundError" in shown.err
    assert "no hook 'leukreg_loses'; did you mean 'leukreg_losses'?" in shown.err


def test_shows_options_with_type_range_default_and_meaning(capsys: Call) -> None:
    assert main(["plugins", "focal"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("loss focal  (leukreg 0.1.0)\n")
    assert "gamma: a number at least 0" in shown
    assert "(default 2.0)" in shown
    assert 'use = "focal"' in shown


@pytest.mark.parametrize("entry", ENTRIES, ids=_id)
def test_every_plugin_can_be_shown(entry: Entry, capsys: Call) -> None:
    assert main(["plugins", entry.name, "--kind", entry.kind]) == 0
    shown = capsys.readouterr().out
    found = options(entry.cls)
    inside = [inner for option in found for inner in option.inner]
    assert all(f"  {option.name}: " in shown for option in (*found, *inside))
    assert "(not documented)" not in shown


def test_an_unknown_plugin_is_suggested(capsys: Call) -> None:
    assert main(["plugins", "fokal"]) == 2
    assert "there is no plugin 'fokal'; did you mean 'focal'?" in capsys.readouterr().err
    assert main(["plugins", "compare"]) == 2
    assert "see 'leukreg compare --help'" in capsys.readouterr().err


def test_a_name_of_a_plugin_and_of_a_command_shows_the_plugin(capsys: Call) -> None:
    assert main(["plugins", "run"]) == 0
    shown = capsys.readouterr().out
    assert "leukreg fidelity REAL FAKE --extractor run:PATH" in shown
    assert "see 'leukreg run --help'" in shown
    assert main(["plugins", "--kind", "extractor", "run"]) == 0
    assert "--help" not in capsys.readouterr().out


def test_options_inside_tables_are_shown(capsys: Call) -> None:
    assert main(["plugins", "cgan"]) == 0
    shown = capsys.readouterr().out
    assert "  donor: a table (default unset)\n" in shown
    assert "    root: a string (required)\n      The folder that holds" in shown


def _inside(document: Any) -> dict[str, Any]:
    """The innermost table of an example."""
    while "use" not in document:
        [document] = document.values()
        document = document[0] if isinstance(document, list) else document
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e.kind in headers_of_kinds()], ids=_id)
def test_every_example_is_toml_that_the_plugin_accepts(entry: Entry) -> None:
    text = example_table(entry.kind, entry.cls)
    assert text is not None
    table = _inside(tomllib.loads(text))
    assert table.pop("use") == entry.name
    given = {key: table[key] for key in table if key not in ("classes", "per_class")}
    TypeAdapter(entry.cls).validate_json(json.dumps(given), strict=True)


BASE = {
    "[data]": '[data]\nuse = "demo"',
    "[model.backbone]": '[model.backbone]\nuse = "resnet18"',
    "[model.head]": '[model.head]\nuse = "linear"',
    "[loss]": '[loss]\nuse = "cross-entropy"',
    "[[phase]]": '[[phase]]\nname = "all"\nunfreeze = "all"',
    "[phase.optimizer]": '[phase.optimizer]\nuse = "adamw"',
}


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e.kind in headers_of_kinds()], ids=_id)
def test_every_example_loads_in_a_whole_recipe(entry: Entry, tmp_path: Path) -> None:
    from leukreg.recipe import load

    text = example_table(entry.kind, entry.cls)
    assert text is not None
    tables = {**BASE, headers_of_kinds()[entry.kind]: text}
    path = tmp_path / "example.toml"
    path.write_text("schema = 1\n" + "\n\n".join(tables.values()) + "\n")
    recipe = load(path)
    assert entry.name in json.dumps(recipe.resolved, default=str)


@pytest.mark.parametrize(
    "value",
    [
        True,
        0,
        -3,
        1e-05,
        2.0,
        'a "b" \\ \n\t\x7f\x00é😀',
        [],
        [1, [2.5]],
        {},
        {"a b": {"c": ["x"]}},
    ],
)
def test_toml_writes_what_tomllib_reads(value: Any) -> None:
    assert tomllib.loads(f"x = {toml(value)}") == {"x": value}


def test_new_writes_a_package_and_says_what_next(tmp_path: Path, capsys: Call) -> None:
    assert main(["plugins", "new", "my-loss", "--kind", "loss", "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "leukreg_my_loss.py" in shown
    assert "pip install -e" in shown
    assert (tmp_path / "leukreg-my-loss" / "pyproject.toml").is_file()


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        ("focal", "loss", "there is a loss 'focal' already, from leukreg 0.1.0"),
        ("run", "command", "there is a command 'run' already"),
        ("My Loss", "loss", "try 'my-loss'"),
        ("my-loss", "los", "is not one of"),
    ],
)
def test_new_refuses_with_a_reason(
    name: str, kind: str, reason: str, tmp_path: Path, capsys: Call
) -> None:
    assert main(["plugins", "new", name, "--kind", kind, "--out", str(tmp_path)]) == 2
    assert reason in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
