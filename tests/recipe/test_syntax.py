"""What is no TOML is told in plain words, with the caret under what is meant."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from leukreg.errors import Problems
from leukreg.recipe import parse


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
