"""Every key of a TOML text has its line and column."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from leukreg.errors import Problems
from leukreg.recipe import parse
from leukreg.recipe.document import DEEPEST, TooDeep, positions
from leukreg.recipe.mistakes import KeyPath

TEXT = '''\
title = "# no comment, no [header]"  # a comment
a.b."c.d" = 1
'lit' = { x = 1, "y" = [1, { z = 2 }], date = 1979-05-27 07:32:00 }
multi = """
[fake]
k = 1 \\""" still
""""
raw = \'\'\'
[[fake]]\'\'\'
list = [
  1, # [one
  [2, "]"],
  { q = 3 },
]

[data.folds]
k = 5
[[phase]]
name = "head"
  [phase.optimizer]
  lr = 1e-3
[[phase]]
name = "all"
[[phase.extra]]
deep = true
[ spaced . "out" ]
empty = {}
none = []
'''


@pytest.mark.parametrize(
    ("path", "line", "marked", "value"),
    [
        (("title",), 1, "title", '"# no comment, no [header]"'),
        (("a",), 2, "a", None),
        (("a", "b", "c.d"), 2, '"c.d"', "1"),
        (("lit", "x"), 3, "x", "1"),
        (("lit", "y", 0), 3, "1", "1"),
        (("lit", "y", 1, "z"), 3, "z", "2"),
        (("lit", "date"), 3, "date", "1979-05-27 07:32:00"),
        (("multi",), 4, "multi", '"""'),
        (("raw",), 8, "raw", "'''"),
        (("list", 0), 11, "1", "1"),
        (("list", 1, 1), 12, '"]"', '"]"'),
        (("list", 2, "q"), 13, "q", "3"),
        (("data", "folds"), 16, "folds", None),
        (("data", "folds", "k"), 17, "k", "5"),
        (("phase",), 18, "phase", None),
        (("phase", 0), 18, "phase", None),
        (("phase", 0, "name"), 19, "name", '"head"'),
        (("phase", 0, "optimizer", "lr"), 21, "lr", "1e-3"),
        (("phase", 1), 22, "phase", None),
        (("phase", 1, "extra", 0, "deep"), 25, "deep", "true"),
        (("spaced", "out", "empty"), 27, "empty", "{}"),
        (("spaced", "out", "none"), 28, "none", "[]"),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_marks(path: KeyPath, line: int, marked: str, value: str | None, newline: str) -> None:
    mark = positions(TEXT.replace("\n", newline), "f.toml")[path]
    assert mark.line == line
    assert mark.where == f"f.toml:{line}"
    assert mark.text[mark.column : mark.column + mark.width] == marked
    if value is None:
        assert mark.value_column is None
    else:
        assert mark.value_column is not None
        assert mark.text[mark.value_column :][: mark.value_width] == value


def paths(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from paths(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from paths(item, (*path, number))


def test_every_key_and_nothing_else() -> None:
    assert set(positions(TEXT, "f")) == set(paths(tomllib.loads(TEXT)))


KEYS = st.sampled_from(["a", "b", "c-d", '"q.r"', "'s t'", "1", '"é\\u00e9"', '""'])
SCALARS = st.sampled_from(
    ["1", "-2.5e3", "true", '"x]#,"', "'}'", '"""a\n"b" = 1\n"""', "'''\n[x]'''", "1979-05-27",
     '"\\"\\\\"', "07:32:00", "0xFF", '""""q"""""', '""', "''"]
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda v: "[ " + ", # c ]\n".join(v) + " ]"),
        st.lists(inner, max_size=3).map(
            lambda v: "{" + ", ".join(f"k{n} . 'x' = {item}" for n, item in enumerate(v)) + "}"
        ),
    ),
    max_leaves=6,
)
LINES = st.one_of(
    st.tuples(st.lists(KEYS, min_size=1, max_size=3), VALUES).map(
        lambda pair: f"{' . '.join(pair[0])} = {pair[1]} # c = 1"
    ),
    st.lists(KEYS, min_size=1, max_size=3).map(lambda keys: f" [ {'.'.join(keys)} ]"),
    st.lists(KEYS, min_size=1, max_size=3).map(lambda keys: f"[[{'.'.join(keys)}]]"),
    st.sampled_from(["", "  # [[comment]]", "\t"]),
)


@settings(deadline=None)
@given(st.lists(LINES, max_size=8))
def test_positions_agree_with_tomllib(lines: list[str]) -> None:
    kept: list[str] = []
    for line in lines:  # leave out what would make the text invalid
        try:
            tomllib.loads("\n".join([*kept, line]))
        except tomllib.TOMLDecodeError:
            continue
        kept.append(line)
    text = "\n".join(kept)
    tree = tomllib.loads(text)
    marks = positions(text, "f")
    assert set(marks) == set(paths(tree))
    for mark in marks.values():
        assert mark.line is not None
        assert mark.text == text.split("\n")[mark.line - 1]
        assert 0 <= mark.column < mark.column + mark.width <= len(mark.text)


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "[" * 200 + "]" * 200,
        "x = " + "{a=" * 200 + "1" + "}" * 200,
        ".".join("a" * 200) + " = 1",
        f"[{'.'.join('a' * 200)}]",
    ],
)
def test_too_deep(text: str) -> None:
    with pytest.raises(TooDeep) as caught:
        positions(text, "f.toml")
    assert caught.value.mark.where == "f.toml:1"


def test_as_deep_as_allowed() -> None:
    path = tuple("a" for _ in range(DEEPEST))
    assert path in positions(".".join(path) + " = 1", "f")


@pytest.mark.parametrize(
    ("text", "line", "under", "says"),
    [
        ("seed = 1\nseed = 2", 2, "seed", "seed stands here a second time"),
        ("[image]\nsize = 9\n[image]\n", 3, "[image]", "[image] stands here a second time"),
        ("[phase]\n[[phase]]\n", 2, "[[phase]]", "is written [[ ]] each time"),
        ('title = "open\nseed = 1', 1, "", "the text has no closing quote"),
        ("seed = 1 name = 2", 1, "n", "each key has a line of its own"),
        ("a = { b = 1 }\n[a.c]\n", 2, "", "a second time"),
        ("seed = True", 1, "T", "write true, in small letters"),
        ("seed = None", 1, "N", "leave the key out, or write false"),
        ("seed = mine", 1, "m", "text needs quotes"),
        ("a = { lr = 0,5 }", 1, "}", "decimals are written with a point"),
    ],
)
def test_what_is_no_toml_is_told_plainly(text: str, line: int, under: str, says: str) -> None:
    with pytest.raises(Problems) as caught:
        parse(text)
    (problem,) = caught.value.problems
    assert problem.where == f"recipe.toml:{line}"
    assert says in str(problem)
    assert under in marked(problem.excerpt or "")


def marked(excerpt: str) -> str:
    """What the carets stand under."""
    shown, pointer = excerpt.split("\n")
    start = cell_len(pointer.partition("^")[0])
    end = start + pointer.count("^")
    at, found = 0, ""
    for letter in shown:
        found += letter if start <= at < end else ""
        at += cell_len(letter)
    return found


@pytest.mark.parametrize("key", ["größe", "日本", "🙂", "ça"])
def test_keys_are_shown_as_written_and_the_caret_fits_wide_letters(key: str) -> None:
    with pytest.raises(Problems) as caught:
        parse(f'image = {{ x = 1, "{key}" = 2 }}')
    (problem,) = [p for p in caught.value.problems if p.message.startswith(f'image."{key}"')]
    assert marked((problem.excerpt or "").rpartition(" known")[0]) == f'"{key}"'
