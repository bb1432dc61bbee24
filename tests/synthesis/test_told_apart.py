from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from leukreg.synthesis.told_apart import told_apart


def drawn(n: int, shift: float, seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    features = np.random.default_rng(seed).normal(size=(n, 16))
    return (features + np.eye(16)[0] * shift).astype(np.float32)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_what_is_alike_is_not_told_apart(seed: int) -> None:
    assert 0.3 < told_apart(drawn(150, 0, seed), drawn(200, 0, seed + 5000), seed) < 0.7


def test_what_differs_is_told_apart_however_many_there_are_of_it() -> None:
    found = [told_apart(drawn(600, 0, 1), drawn(60, shift, 2)) for shift in (0.0, 3.0, 12.0)]
    assert found[0] < found[2]
    assert found[2] > 0.98
    assert told_apart(drawn(600, 0, 1), drawn(600, 6.0, 2)) > 0.98
