"""What exists is documented, and what is documented exists."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import leukreg
from leukreg.cli.commands import OWN
from leukreg.recipe.reference import headers_of_kinds
from leukreg.registry import kinds
from leukreg.registry.kinds import CONTRACTS, KINDS
from leukreg.scaffold import files
from leukreg.testing import CHECKS

ROOT = Path(__file__).parents[1]
HOOKS = {
    name: function
    for name, function in inspect.getmembers(kinds, inspect.isfunction)
    if name.startswith("leukreg_")
}


def test_every_hook_has_a_kind_and_every_kind_a_hook() -> None:
    assert {kind.hook for kind in KINDS.values()} == set(HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_said_in_one_sentence(hook: str) -> None:
    sentence = inspect.getdoc(HOOKS[hook]) or ""
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert len(sentence) > 20


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_contract_check_scaffold_and_a_place_in_recipes(kind: str) -> None:
    assert kind in CHECKS
    assert files("mine", kind)
    assert kind == "command" or kind in CONTRACTS
    assert kind in ("report", "command", "extractor") or kind in headers_of_kinds()


@pytest.mark.parametrize("kind", CONTRACTS)
def test_every_contract_says_what_build_does(kind: str) -> None:
    build = CONTRACTS[kind].build  # type: ignore[attr-defined]
    assert build.__doc__ or kind == "generator"


@pytest.mark.parametrize("kind", CHECKS)
def test_every_check_is_documented(kind: str) -> None:
    assert CHECKS[kind].__doc__


def test_every_public_name_exists_and_is_listed() -> None:
    for name in leukreg.__all__:
        assert getattr(leukreg, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        leukreg.nothing  # noqa: B018


@pytest.mark.parametrize("command", OWN)
def test_the_readme_names_every_command(command: str) -> None:
    assert re.search(rf"`(leukreg )?{command}\b", (ROOT / "README.md").read_text())


def test_the_changelog_knows_this_version() -> None:
    assert f"## {leukreg.__version__}" in (ROOT / "CHANGELOG.md").read_text()
