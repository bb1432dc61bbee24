"""A figure reads the same as a share and in per cent."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leukreg.rounding import percent, percents, rounded


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
