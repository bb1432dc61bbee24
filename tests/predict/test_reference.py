"""The distance to training data, against the plain definition."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from leukreg.predict.reference import Near, distances


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 5), st.data())
def test_it_is_the_distance_to_the_kth_neighbour_over_the_limit(
    seed: int, known: int, new: int, data: st.DataObject
) -> None:
    k = data.draw(st.integers(1, known))
    rng = np.random.default_rng(seed)
    own = rng.normal(size=(known, 6)).astype(np.float32)
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    asked = rng.normal(size=(new, 6)).astype(np.float32) * 5
    found = Near(own, 0.5, k, "rows").distance(asked)
    unit = asked / np.linalg.norm(asked, axis=1, keepdims=True)
    each = np.sort(np.linalg.norm(unit[:, None] - own[None], axis=2), axis=1)[:, k - 1]
    assert np.allclose(found, each / 0.5, atol=2e-3)


def test_folds_count_alike_and_what_is_unknown_stays_unknown() -> None:
    own = np.eye(3, dtype=np.float32)
    near = (Near(own, 1.0, 1, ""), Near(own, 2.0, 1, ""))
    asked = np.array([[0, 0, -1], [np.nan, 0, 0]], np.float32)
    found = distances(near, (asked, asked))
    assert np.allclose(found[0], np.sqrt(2) * (1 + 0.5) / 2)
    assert np.isnan(found[1])
