"""The corrected t-test is the published formula, and Holm's adjustment what it promises."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from leukreg.sweep.resampled_t_test import corrected_mean, holm


def test_it_is_the_published_formula() -> None:
    gains = [0.02, 0.05, 0.01, 0.04, 0.03]
    found = corrected_mean(gains, 0.25)
    error = math.sqrt((1 / 5 + 0.25) * np.var(gains, ddof=1))
    assert found.value == pytest.approx(0.03)
    assert found.p == pytest.approx(2 * stats.t.sf(0.03 / error, 4))
    assert found.low == pytest.approx(0.03 - stats.t.ppf(0.975, 4) * error)
    plain = corrected_mean(gains, 0.0)
    assert plain.p == pytest.approx(stats.ttest_1samp(gains, 0.0).pvalue)
    assert plain.p is not None
    assert found.p is not None
    assert plain.p < found.p


def test_without_spread_there_is_no_interval() -> None:
    assert corrected_mean([0.1], 0.25).p is None
    assert corrected_mean([0.1, 0.1], 0.25).p is None
    assert corrected_mean([0.0, 0.0], 0.25).p == 1.0
    assert corrected_mean([0.1, 0.1], 0.25).low is None


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([]) == ()


@given(st.lists(st.floats(0, 1), max_size=12))
def test_adjusted_values_keep_their_order_and_are_never_smaller(p: list[float]) -> None:
    adjusted = holm(p)
    assert all(q <= a <= 1 for q, a in zip(p, adjusted, strict=True))
    order = sorted(range(len(p)), key=p.__getitem__)
    assert [adjusted[n] for n in order] == sorted(adjusted)
