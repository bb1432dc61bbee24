"""Tables at any width: figures stay whole, names stay apart."""

from __future__ import annotations

import io
import re
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from leukreg.report.console import print_table
from leukreg.report.table_layout import blocks, shortened
from leukreg.section import Table

FIGURES = st.one_of(
    st.integers(0, 99_999).map("{:,}".format),
    st.floats(0, 1).map("{:.3f}".format),
    st.floats(0, 1).map(lambda x: f"{x:.3f}\n{x / 2:.2f}–{x:.2f}"),
    st.floats(0, 100).map(lambda x: f"{x:.1f} %"),
    st.just("undefined"),
)
NAMES = st.text("abcß細-_/[] ", min_size=1, max_size=60).filter(str.strip)
MIXED = st.lists(st.one_of(NAMES, FIGURES), min_size=1, max_size=3).map(" ".join)
WIDTHS = (40, 60, 80, 120)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    columns, rows = draw(st.integers(1, 8)), draw(st.integers(1, 5))
    kinds = [NAMES, *(draw(st.sampled_from([FIGURES, MIXED])) for _ in range(columns))]
    return Table(
        columns=("name", *(draw(NAMES) for _ in range(columns))),
        rows=tuple(tuple(draw(kind) for kind in kinds) for _ in range(rows)),
    )


def printed(table: Table, width: int, terminal: bool = True) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=terminal, color_system=None)
    print_table(table, console)
    return out.getvalue()


def figures(text: str) -> Counter[str]:
    """Words that are nothing but a figure."""
    return Counter(word for word in text.split() if re.fullmatch(r"[\d.,–]*\d", word))


@given(tables(), st.integers(40, 120))
def test_every_figure_is_whole_at_any_width(table: Table, width: int) -> None:
    given_figures = figures(" ".join(cell for row in table.rows for cell in row[1:]))
    assert given_figures <= figures(printed(table, width))
    assert given_figures <= figures(printed(table, width, terminal=False))


WIDE = Table(
    columns=("name", *"[[[[[", "[[[[[[[[[[細細細細"),
    rows=(
        ("[", "[", "0", "0", "0", "[", "["),
        ("[", "0.000\n0.00–0.00", "0", "0", "0", "[", "["),
        ("[[[[[[[[[[", "[", "0", "0", "0", "[", "["),
    ),
)
"""A head of characters that take two columns each."""


@given(tables(), st.integers(40, 120))
@example(WIDE, 40)
def test_lines_fit_unless_one_figure_alone_is_wider(table: Table, width: int) -> None:
    for block in blocks(table, width):
        lines = [line for row in (block.head, *block.rows) for line in block.lines(row)]
        if len(block.widths) > 3 or sum(block.widths) + 2 <= width:  # two may name a row
            assert all(sum(map(cell_len, line)) + 2 * (len(line) - 1) <= width for line in lines)


@given(st.sets(st.text("ab/_.", max_size=40), min_size=2, max_size=8), st.integers(5, 30))
def test_names_that_differ_never_read_alike(names: set[str], width: int) -> None:
    short = shortened(names, width)
    assert all(short[one] != short[two] for one, two in combinations(names, 2))
    assert all(cell_len(line) <= width for text in short.values() for line in text.split("\n"))


@pytest.mark.parametrize("width", WIDTHS)
def test_two_paths_of_a_copy_stay_apart(width: int) -> None:
    one, two = (f"{'deep/' * 12}{name}/{'long' * 6}.jpg" for name in ("left", "right"))
    text = printed(
        Table(columns=("file", "copy of", "classes"), rows=((one, two, "a / b"),)), width
    )
    cells = [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()[2:]]
    left, right = ("".join(line[place] for line in cells if len(line) > place) for place in (0, 1))
    assert left != right
    assert "left" in left
    assert "right" in right


@pytest.mark.parametrize("width", WIDTHS)
def test_a_wide_matrix_keeps_its_row_names(width: int) -> None:
    classes = tuple(f"kind-{chr(97 + place)}" for place in range(16))
    rows = tuple((name, *(["5,627"] * 16)) for name in classes)
    text = printed(Table(columns=("true \\ answered", *classes), rows=rows), width)
    assert text.count("5,627") == 16 * 16
    for line in text.splitlines():
        assert "5,627" not in line or line.strip().startswith("kind-")
    found = blocks(Table(columns=("true", *classes), rows=rows), width)
    assert [name for block in found for name in block.head[1:]] == list(classes)


def test_a_pipe_gets_every_line_whole() -> None:
    row = ("x" * 70, "a long text with 1,212 words " * 5, "5,627")
    text = printed(Table(columns=("name", "text", "n"), rows=(row,)), 60, terminal=False)
    assert [row[0], " ".join(row[1].split()), row[2]] == re.split(
        r"\s{2,}", text.splitlines()[2].strip()
    )
