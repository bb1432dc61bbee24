"""No bytes whatsoever make a traceback: a recipe, or ``Problems``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leukreg.errors import Problems
from leukreg.recipe import Recipe, load, parse, rebuild
from leukreg.recipe.document import LARGEST
from leukreg.registry import Registry


def read(content: bytes | str, registry: Registry) -> Recipe | None:
    """The recipe, or None where it was refused in words."""
    try:
        recipe = parse(content, Path("f.toml"), registry=registry)
    except Problems as error:
        refusal = error
    else:
        again = rebuild(json.loads(json.dumps(recipe.resolved)), registry=registry)
        assert again.resolved == recipe.resolved
        return recipe
    text = str(refusal)
    assert refusal.problems
    assert all(c.isprintable() or c == "\n" for c in text)
    return None


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_bytes(registry: Registry, content: bytes) -> None:
    read(content, registry)


@settings(deadline=None)
@given(st.text(alphabet="ab.=\"[]{}#\n '\\\r\t,1-_\x00\ufeff", max_size=60))
def test_toml_like_text(registry: Registry, content: str) -> None:
    read(content, registry)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_mutated_bytes(registry: Registry, good: str, data: st.DataObject) -> None:
    content = bytearray(good.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content)))
        length = data.draw(st.integers(0, 12))
        content[at : at + length] = data.draw(st.binary(max_size=6))
    read(bytes(content), registry)


VALUES = st.sampled_from(
    ["nan", "-inf", "1e999", "9223372036854775808", "1979-05-27", "07:32:00", "true", "false", "[]",
     "{}", '""', '"\\u0000"', '"\\u202e"', "[[[]]]", "-1", "0", "1.0", "0.5", "{ use = 1 }",
     "'all'", '{ use = "net", fallback = { fallback = { use = "net" } } }', "{ a.b.c = 1 }",
     "[{}, 1]",
     '["a", {use = "accuracy"}]', '{ use = "drawn" }', '"se"', "[nan]", '{ "" = "" }', "1e308"]
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_odd_values(registry: Registry, good: str, data: st.DataObject) -> None:
    lines = good.split("\n")
    stated = [n for n, line in enumerate(lines) if " = " in line and not line.startswith(" ")]
    for number in data.draw(st.lists(st.sampled_from(stated), min_size=1, max_size=4, unique=True)):
        key = lines[number].partition(" = ")[0]
        lines[number] = f"{key} = {data.draw(VALUES)}"
    read("\n".join(lines), registry)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_shuffled_lines(registry: Registry, good: str, data: st.DataObject) -> None:
    lines = good.split("\n")
    for _ in range(data.draw(st.integers(1, 3))):
        line = lines.pop(data.draw(st.integers(0, len(lines) - 1)))
        if data.draw(st.booleans()):
            lines.insert(data.draw(st.integers(0, len(lines))), line)
    read("\n".join(lines), registry)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_odd_overrides(registry: Registry, good: str, data: st.DataObject) -> None:
    recipe = parse(good, registry=registry)
    key = data.draw(st.sampled_from(sorted(recipe.where)))
    cut = data.draw(st.integers(0, 3))
    key = key[: len(key) - cut] if cut else key
    change = f"{key}={data.draw(VALUES)}"
    try:
        recipe = parse(good, overrides=[change], registry=registry)
    except Problems:
        return  # any other exception fails the test
    assert key.partition(".")[0] in recipe.resolved


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"seed = 1\nx = \xff\n", 2, "is not UTF-8: byte 0xff"),
        (b"seed = 1\nx = \x00\n", 2, "is no valid TOML"),
        (b"seed = 1\n\n# \x00\n", 3, "is no valid TOML"),
        (b"\xff\xfes\x00", 1, "is not UTF-8"),
        (b"x = " + b"9" * 5000, 1, "is no value for a recipe"),
        (b"a = 1\nx = " + b"[" * 5000, 2, "nested too deeply"),
        (b"a = 1\nx = " + b"[" * 5000 + b"]" * 5000, 2, "nested too deeply"),
        (b"x = " + b"{a=" * 5000 + b"}" * 5000, 1, "nested too deeply"),
        (b"[" + b"a." * 500 + b"a]", 1, "nested too deeply"),
        (b"a = 1\nx = 99999999999999999999", 2, "64 bits"),
        (b"a = 1\nx = [1, nan]", 2, "x.1: must be a finite number"),
        (b"a = 1\nx = { y = 1979-05-27 }", 2, "x.y: is a date or time"),
        (b"a = 1\n\nx = 2021-02-30", 3, "is no valid TOML"),
        (b"seed = 1\nseed = 2", 2, "is no valid TOML: seed stands here a second time"),
        (b"[loss]\nuse = focal\n", 2, "text needs quotes"),
        (b"[loss\n\n\n", 1, "is no valid TOML"),
        (b'x = """abc\n\n\n', 1, "is no valid TOML"),
        (b"\xef\xbb\xbf\xef\xbb\xbfseed = 1", 1, "is no valid TOML"),
    ],
)
def test_bad_files(content: bytes, line: int, message: str, registry: Registry) -> None:
    with pytest.raises(Problems) as caught:
        parse(content, Path("f.toml"), registry=registry)
    problem = caught.value.problems[0]
    assert problem.where == f"f.toml:{line}"
    assert problem.excerpt is not None
    assert message in str(problem)


def test_files_that_cannot_be_read(tmp_path: Path, registry: Registry) -> None:
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * (LARGEST + 1))
    paths = {
        tmp_path / "none.toml": "No such file",
        tmp_path: "it is a folder",
        Path("a\0b.toml"): "cannot be read",
        large: "is larger than 1 MiB",
        tmp_path / ("x" * 5000): "File name too long",
    }
    for path, message in paths.items():
        with pytest.raises(Problems, match=message):
            load(path, registry=registry)
