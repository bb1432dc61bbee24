from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leukreg.visible import as_cell, from_cell, middle_cut, visible

TEXTS = st.text(alphabet=st.characters(exclude_categories=()), max_size=30)
"""Lone surrogates too: names of files that are no UTF-8 arrive as such."""


@given(TEXTS, st.sampled_from(["utf-8", "ascii", "latin-1", "cp1252"]))
def test_what_is_shown_can_be_printed_and_steers_nothing(text: str, encoding: str) -> None:
    shown = visible(text, encoding)
    shown.encode(encoding)
    assert all(c == "\n" or c.isprintable() for c in shown)
    assert visible(shown, encoding) == shown


@given(TEXTS)
def test_a_cell_reads_back_and_is_no_formula(text: str) -> None:
    cell = as_cell(text)
    assert cell.isprintable()
    assert not cell.startswith(("=", "+", "-", "@"))
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerow([cell, cell])
    [[first, _]] = csv.reader(io.StringIO(buffer.getvalue(), newline=""))
    assert from_cell(first) == text


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("Pre-B", "Pre-B"),
        ("=1+1", r"\=1+1"),
        ("@SUM(A1)", r"\@SUM(A1)"),
        ("-2", r"\-2"),
        ("\x1b[31m", r"\\u001b[31m"),
        ("白血病", "白血病"),
    ],
)
def test_cells(text: str, cell: str) -> None:
    assert as_cell(text) == cell


@given(TEXTS, st.integers(3, 20))
def test_a_text_is_cut_in_its_middle(text: str, longest: int) -> None:
    cut = middle_cut(text, longest)
    assert len(cut) <= longest
    assert cut.isprintable()
