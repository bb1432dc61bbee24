"""Curves and their bands against plain definitions and against scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leukreg_plugins.reporting import roc_curves as bands
from sklearn.metrics import precision_recall_curve, roc_curve

from leukreg.record import RunRecord

Make = Callable[..., RunRecord]


@st.composite
def scored(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Truth with both kinds, and scores with ties."""
    n = draw(st.integers(2, 40))
    truth = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    truth[0], truth[-1] = True, False
    levels = draw(st.lists(st.integers(0, 6), min_size=n, max_size=n))
    return truth, np.array(levels) / 6


@given(scored())
def test_roc_is_scikit_learns(data: tuple[np.ndarray, np.ndarray]) -> None:
    truth, score = data
    false, hits, _ = roc_curve(truth, score, drop_intermediate=False)
    x, y = bands.points("roc", truth, score)
    np.testing.assert_allclose(x, false)
    np.testing.assert_allclose(y, hits)
    on_grid = bands.roc(truth, score)(np.ones((len(truth), 1)))[:, 0]
    np.testing.assert_allclose(on_grid, np.interp(bands.GRID, false, hits))


@given(scored())
def test_precision_is_that_of_the_highest_threshold_that_reaches_a_recall(
    data: tuple[np.ndarray, np.ndarray],
) -> None:
    truth, score = data
    precision, recall, _ = precision_recall_curve(truth, score)
    on_grid = bands.precision_recall(truth, score)(np.ones((len(truth), 1)))[:, 0]
    pairs = [(r, p) for p, r in zip(precision[:-1], recall[:-1], strict=True) if r > 0]
    for wanted, found in zip(bands.GRID, on_grid, strict=True):
        reaching = [(r, p) for r, p in pairs if r >= wanted - 1e-12]
        least = min(r for r, _ in reaching)
        assert found == pytest.approx(max(p for r, p in reaching if r == least))


@given(scored(), st.randoms(use_true_random=False))
def test_curves_do_not_depend_on_the_order_of_rows(
    data: tuple[np.ndarray, np.ndarray], random: object
) -> None:
    truth, score = data
    order = np.random.default_rng(random.randrange(1000)).permutation(len(truth))  # type: ignore[attr-defined]
    for curve in (bands.roc, bands.precision_recall, bands.kept_accuracy):
        one = curve(truth, score)(np.ones((len(truth), 1)))
        two = curve(truth[order], score[order])(np.ones((len(truth), 1)))
        np.testing.assert_allclose(one, two)


@given(scored())
def test_a_row_drawn_twice_counts_twice(data: tuple[np.ndarray, np.ndarray]) -> None:
    truth, score = data
    weights = 1.0 + (np.arange(len(truth)) % 3 == 0)
    again = np.repeat(np.arange(len(truth)), weights.astype(int))
    for curve in (bands.roc, bands.precision_recall, bands.kept_accuracy):
        weighted = curve(truth, score)(weights[:, None])
        repeated = curve(truth[again], score[again])(np.ones((len(again), 1)))
        np.testing.assert_allclose(weighted, repeated)


def test_rejecting_the_uncertain_keeps_the_rest() -> None:
    right = np.array([True, True, True, False, False])
    curve = bands.kept_accuracy(right, np.array([0.1, 0.2, 0.3, 0.4, 0.5]))(np.ones((5, 1)))[:, 0]
    at = {round(share, 2): value for share, value in zip(bands.REJECTED, curve, strict=True)}
    assert at[0.0] == pytest.approx(0.6)
    assert at[0.2] == pytest.approx(0.75)
    assert at[0.4] == pytest.approx(1.0)
    assert at[0.9] == pytest.approx(1.0)


def test_one_class_alone_has_no_curve() -> None:
    every = np.array([True, True])
    assert np.isnan(bands.roc(every, np.array([0.1, 0.2]))(np.ones((2, 1)))).all()
    assert np.isnan(bands.precision_recall(every, np.array([0.1, 0.2]))(np.ones((2, 1)))).all()


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 50))
def test_bins_of_reliability_hold_every_row_once(seed: int) -> None:
    from tests.factory import build_result

    rows = build_result(counts=(30, 20), bootstrap=0, seed=seed).predictions
    curve, means, counts = bands.reliability(rows, rows.probabilities, 10)
    assert counts.sum() == len(rows)
    right = (rows.probabilities.argmax(axis=1) == rows.label).mean()
    accuracy = np.nan_to_num(curve(np.ones((len(rows), 1)))[:, 0])
    assert (accuracy * counts).sum() / len(rows) == pytest.approx(right)
    edges = np.arange(11) / 10
    filled = counts > 0
    assert (means[filled] > edges[:-1][filled] - 1e-9).all()
    assert (means[filled] <= edges[1:][filled] + 1e-9).all()


def test_bands_hold_the_curve_and_say_how_they_are_made(make_result: Make) -> None:
    result = make_result(bootstrap=0)
    asked = replace(result, recipe={**result.recipe, "evaluate": {"bootstrap": 1000}})
    truth, score = result.predictions.label == 1, result.predictions.probabilities[:, 1]
    [band] = bands.bands(asked, bands.GRID, {"": bands.roc(truth, score)}).values()
    assert band.low is not None
    assert band.high is not None
    inside = (band.low <= band.y + 1e-9) & (band.y <= band.high + 1e-9)
    assert inside.mean() > 0.9
    assert (band.high - band.low).max() > 0.05
    said = "95 % percentile bootstrap, 200 resamples of 12 patients"
    assert bands.says(asked).startswith(f"Bands: {said}")
    assert bands.says(replace(asked, recipe={"evaluate": {"bootstrap": 0}})) == ""


def test_a_recipe_without_intervals_has_no_bands(make_result: Make) -> None:
    result = make_result(bootstrap=0)
    bare = replace(result, recipe={**result.recipe, "evaluate": {"bootstrap": 0}})
    curve = bands.roc(result.predictions.label == 1, result.predictions.probabilities[:, 1])
    assert bands.bands(bare, bands.GRID, {"": curve})[""].low is None
