"""The distance to training data, against the plain definition."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from leukreg.predict.out_of_distribution import FILE, TrainingFeatures, kept_features
from leukreg.predict.trained_run import load


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
    found = TrainingFeatures(own, 0.5, k, "rows").distance(asked)
    unit = asked / np.linalg.norm(asked, axis=1, keepdims=True)
    each = np.sort(np.linalg.norm(unit[:, None] - own[None], axis=2), axis=1)[:, k - 1]
    assert np.allclose(found, each / 0.5, atol=2e-3)


def test_what_is_unknown_stays_unknown() -> None:
    known = TrainingFeatures(np.eye(3, dtype=np.float32), 2.0, 1, "")
    found = known.distance(np.array([[0, 0, -1], [np.nan, 0, 0]], np.float32))
    assert np.isclose(found[0], np.sqrt(2) / 2)
    assert np.isnan(found[1])


def test_a_damaged_reference_is_made_again_and_never_other(
    binary_run: Path, tmp_path: Path
) -> None:
    run = shutil.copytree(binary_run, tmp_path / "run")
    trained = load(run)
    whole = trained.training_features()
    assert whole is not None
    content = (run / FILE).read_bytes()
    places = np.random.default_rng(0).integers(len(content), size=150)
    refused = 0
    for place in {*places.tolist(), *range(0, 120), *range(len(content) - 120, len(content))}:
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        (run / FILE).write_bytes(damaged)
        found = kept_features(trained.result)
        refused += found is None
        for one, other in zip(found or (), whole, strict=False):
            assert np.array_equal(one.features, other.features)
            assert (one.limit, one.neighbour, one.by) == (other.limit, other.neighbour, other.by)
    assert refused > 100
    (run / FILE).write_bytes(content[:-30])
    assert kept_features(trained.result) is None
