"""Dotted keys, and lines with markers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leukreg.recipe.mistakes import Mark, dotted, undotted


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("phase", 0, "lr"), "phase.0.lr"),
        (("data", "classes", "[Malignant] Pre-B"), 'data.classes."[Malignant] Pre-B"'),
        (("assumed", "a.b"), 'assumed."a.b"'),
        (("", 'say "x"\\'), '""."say \\"x\\"\\\\"'),
    ],
)
def test_dotted(path: tuple[str | int, ...], text: str) -> None:
    assert dotted(path) == text


@settings(deadline=None)
@given(st.lists(st.text(max_size=6), max_size=4))
def test_undotted_is_the_inverse(parts: list[str]) -> None:
    assert undotted(dotted(tuple(parts))) == tuple(parts)


@pytest.mark.parametrize("key", ['"', 'a."', "...", 'a"b"c', '"\\x"', ""])
def test_undotted_takes_anything(key: str) -> None:
    assert isinstance(undotted(key), tuple)


@settings(deadline=None)
@given(st.text(max_size=300), st.integers(0, 300), st.integers(1, 300), st.text(max_size=5))
def test_excerpts_are_two_short_printable_lines(
    text: str, column: int, width: int, hint: str
) -> None:
    excerpt = Mark("f", 12, text, column, width).excerpt(hint.strip() and "hint")
    assert excerpt is not None
    line, pointer = excerpt.split("\n")
    assert line.startswith("  12 | ")
    assert "^" in pointer
    assert len(line) <= 110
    assert excerpt.replace("\n", "").isprintable()


def test_an_override_has_no_line() -> None:
    mark = Mark("--set a=1")
    assert mark.where == "--set a=1"
    assert mark.excerpt() is None
    assert mark.excerpt("did you mean 'b'?") == "  did you mean 'b'?"
