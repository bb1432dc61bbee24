"""Class weights against their formulas."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from leukreg_plugins.class_weights import Balanced, EffectiveNumber
from sklearn.utils.class_weight import compute_class_weight

from leukreg import Labels

COUNTS = st.lists(st.integers(0, 100_000), min_size=2, max_size=8)


def labels(*counts: int) -> Labels:
    return Labels(names=tuple(f"class {i}" for i in range(len(counts))), counts=counts)


def test_balanced_is_scikit_learns() -> None:
    counts = (512, 979, 955, 796)
    rows = np.repeat(np.arange(4), counts)
    expected = compute_class_weight("balanced", classes=np.arange(4), y=rows)
    assert Balanced().build(labels(*counts)) == pytest.approx(tuple(expected))


def test_effective_number_is_the_papers_formula() -> None:
    counts, beta = (512, 979, 20), 0.999
    raw = [(1 - beta) / (1 - beta**n) for n in counts]
    given = EffectiveNumber(beta=beta).build(labels(*counts))
    assert [each / given[0] for each in given] == pytest.approx([each / raw[0] for each in raw])


def test_beta_goes_from_no_weights_to_balanced() -> None:
    assert EffectiveNumber(beta=0.0).build(labels(5, 500)) == (1.0, 1.0)
    near = EffectiveNumber(beta=1 - 1e-12).build(labels(5, 500))
    assert near == pytest.approx(Balanced().build(labels(5, 500)), rel=1e-6)


def test_power_softens() -> None:
    few, many = Balanced(power=0.5).build(labels(10, 1000))
    assert few / many == pytest.approx(10)
    assert Balanced(power=0.0).build(labels(10, 1000)) == (1.0, 1.0)


@given(counts=COUNTS, beta=st.floats(0, 0.999999))
def test_mean_is_one_over_the_training_rows_and_empty_classes_get_one(
    counts: list[int], beta: float
) -> None:
    for plugin in (Balanced(), EffectiveNumber(beta=beta)):
        weights = plugin.build(labels(*counts))
        assert all(each > 0 for each in weights)
        assert all(each == 1 for each, n in zip(weights, counts, strict=True) if n == 0)
        if sum(counts):
            assert np.average(weights, weights=counts) == pytest.approx(1)


@given(counts=COUNTS, beta=st.floats(0, 0.999999))
def test_a_rarer_class_never_weighs_less(counts: list[int], beta: float) -> None:
    weights = EffectiveNumber(beta=beta).build(labels(*counts))
    present = sorted((n, w) for n, w in zip(counts, weights, strict=True) if n)
    for (_, rarer), (_, commoner) in itertools.pairwise(present):
        assert rarer >= commoner * (1 - 1e-9)
