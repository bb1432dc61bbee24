"""What exists is documented, and what is documented exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import leukreg
from leukreg.cli.commands import OWN
from leukreg.recipe.reference import headers_of_kinds
from leukreg.registry import discover
from leukreg.registry.kinds import KINDS, Kind
from leukreg.scaffold import files
from leukreg.testing import CHECKS

ROOT = Path(__file__).parents[1]


def test_every_kind_has_a_hook() -> None:
    hooks = vars(discover(()).manager.hook)
    assert {kind.hook for kind in KINDS.values()} == {name for name in hooks if name[0] != "_"}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_kind_is_said_in_one_line(kind: Kind) -> None:
    assert kind.sentence[0].islower()
    assert "\n" not in kind.sentence
    assert 10 < len(kind.sentence) < 60


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_contract_check_scaffold_and_a_place_in_recipes(kind: str) -> None:
    assert kind in CHECKS
    assert files("mine", kind)
    assert KINDS[kind].usage or kind in headers_of_kinds()


def test_every_kind_that_a_key_of_recipes_names_is_declared() -> None:
    assert set(headers_of_kinds()) <= set(KINDS)


@pytest.mark.parametrize("kind", [kind for kind in KINDS.values() if kind.builds])
def test_every_contract_says_what_build_does(kind: Kind) -> None:
    assert vars(kind.contract)["build"].__doc__


@pytest.mark.parametrize("kind", CHECKS)
def test_every_check_is_documented(kind: str) -> None:
    assert CHECKS[kind].__doc__


def test_every_public_name_exists_and_is_listed() -> None:
    for name in leukreg.__all__:
        assert getattr(leukreg, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        leukreg.nothing  # noqa: B018


def test_checkers_of_types_are_shown_the_public_names_that_there_are() -> None:
    tree = ast.parse(Path(leukreg.__file__).read_text())
    [shown] = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [node for node in shown.body if isinstance(node, ast.ImportFrom)]
    shown_names = [(node.module, each.asname) for node in imports for each in node.names]
    there = [(module, name) for name, module in leukreg._MODULE_OF.items()]
    assert sorted(shown_names) == sorted([*there, ("leukreg", "record")])


@pytest.mark.parametrize("command", OWN)
def test_the_readme_names_every_command(command: str) -> None:
    assert re.search(rf"`(leukreg )?{command}\b", (ROOT / "README.md").read_text())


def test_the_changelog_knows_this_version() -> None:
    assert f"## {leukreg.__version__}" in (ROOT / "CHANGELOG.md").read_text()
