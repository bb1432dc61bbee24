"""The page for plugin authors says what the code says."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from leukreg import types
from leukreg.registry.kinds import KINDS
from leukreg.registry.plugin import option_docs
from leukreg.scaffold.contracts import page

PAGE = Path(__file__).parents[2] / "docs" / "plugins.md"
VALUES = [value for value in vars(types).values() if dataclasses.is_dataclass(value)]


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "make docs"


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_kind_has_hook_signature_and_check(kind: types.Any) -> None:
    _, _, section = page().partition(f"\n## {kind.name}: {kind.sentence}\n")
    section = section.partition("\n## ")[0]
    assert f"`{kind.hook}`" in section
    assert f"`leukreg.testing.check_{kind.name.replace('-', '_')}` asks for:" in section
    assert not kind.builds or "    build(self" in section


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value.__name__)
def test_every_field_of_a_value_is_explained(value: type) -> None:
    assert set(option_docs(value)) == {field.name for field in dataclasses.fields(value)}
