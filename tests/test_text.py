"""A figure reads the same as a share and in per cent."""

from __future__ import annotations

import csv
import io
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leukreg.text import as_cell, from_cell, middle_cut, percent, percents, rounded, visible

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


def test_the_same_count_reads_the_same_in_both_forms() -> None:
    assert (rounded(337 / 400), percent(337 / 400)) == ("0.843", "84.3 %")
    assert (rounded(np.float64(0.0005)), percent(0.0005)) == ("0.001", "0.1 %")
    assert (rounded(-0.0625, 3, signed=True), percents(0.0625, signed=True)) == ("-0.063", "+6.3")
    assert rounded(1234.5, 0) == "1,235"


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_shares_and_per_cent_never_differ(counts: tuple[int, int]) -> None:
    hits, n = counts
    share, hundred = rounded(hits / n), percents(hits / n)
    assert Fraction(share) * 100 == Fraction(hundred)
    assert abs(Fraction(share) - Fraction(hits, n)) <= Fraction(1, 2000) + Fraction(1, 10**12)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_said(value: float) -> None:
    assert rounded(value) == percents(value) == str(value)
