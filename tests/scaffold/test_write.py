from __future__ import annotations

import ast
import importlib
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leukreg.errors import PluginError
from leukreg.registry.kinds import KINDS
from leukreg.scaffold import check_name, files, write


@pytest.mark.parametrize("kind", KINDS)
def test_a_plugin_is_at_most_25_lines(kind: str) -> None:
    tree = ast.parse(files("mine", kind)["leukreg_mine.py"])
    parts = [node for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    plugin = next(p for p in parts if p.decorator_list)
    assert plugin.end_lineno is not None
    assert plugin.end_lineno - plugin.decorator_list[0].lineno + 1 <= 25


@pytest.mark.parametrize("kind", KINDS)
def test_its_own_test_passes(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write("mine", kind, tmp_path)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.syspath_prepend(folder / "tests")
    try:
        test = importlib.import_module("test_leukreg_mine")
        arguments = [tmp_path / "images"] if kind == "source" else []
        test.test_keeps_its_contract(*arguments)
    finally:
        for name in ("leukreg_mine", "test_leukreg_mine"):
            sys.modules.pop(name, None)


@pytest.mark.parametrize("kind", KINDS)
def test_the_package_declares_what_leukreg_looks_for(kind: str) -> None:
    written = files("my-own", kind)
    project = tomllib.loads(written["pyproject.toml"])
    assert project["project"]["entry-points"]["leukreg"] == {"leukreg-my-own": "leukreg_my_own"}
    assert KINDS[kind].hook in written["leukreg_my_own.py"]
    assert "my-own" in written["README.md"]
    assert "$" not in "".join(written.values())


@pytest.mark.parametrize("kind", KINDS)
def test_every_name_gives_a_module_that_compiles(kind: str) -> None:
    for name in ("none", "path", "labels", "plugin", "a1-b2", "x" * 60):
        source = files(name, kind)[f"leukreg_{name.replace('-', '_')}.py"]
        tree = ast.parse(source)
        names = {n.name for n in tree.body if isinstance(n, ast.ClassDef)}
        imported = {
            alias.name for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for alias in n.names
        }
        assert not names & imported


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("My_Loss", "try 'my-loss'"),
        ("", "no name for a plugin"),
        ("1st", "no name for a plugin"),
        ("a--b", "try 'a-b'"),
        ("../up", "try 'up'"),
        ("größe", "no name for a plugin"),
        ("x" * 61, "at most 60"),
        ("plugins", "too close to leukreg's own"),
        ("leukreg-x", "too close to leukreg's own"),
        ("focal", "already, from leukreg"),
    ],
)
def test_a_bad_name_is_refused_with_the_reason(name: str, reason: str) -> None:
    with pytest.raises(PluginError, match=reason):
        check_name(name, "loss")


@given(st.text(max_size=70))
def test_any_name_is_taken_or_refused_with_a_sentence(name: str) -> None:
    refusal = ""
    try:
        check_name(name, "loss")
    except PluginError as error:
        refusal = str(error)
    assert name.replace("-", "_").isidentifier() or repr(name) in refusal


def test_an_existing_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "leukreg-mine").mkdir()
    with pytest.raises(PluginError, match="exists already"):
        write("mine", "loss", tmp_path)
    assert list((tmp_path / "leukreg-mine").iterdir()) == []
