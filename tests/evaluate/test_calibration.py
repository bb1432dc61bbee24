"""Temperatures against known ones."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leukreg.evaluate.calibration import (
    HIGH,
    calibrated,
    entropy,
    fit_temperature,
    fit_temperatures,
    raw_of,
    tempered,
)
from leukreg.fitted import Calibration, Fitted
from leukreg.runs.codec import plain
from leukreg.types import Predictions
from tests.evaluate.simulated import simulated, softmax, table
from tests.facts import from_facts

unhurried = settings(deadline=None, max_examples=50)  # the first call imports scipy


def loss(p: np.ndarray, label: np.ndarray, temperature: float) -> float:  # type: ignore[type-arg]
    return float(-np.log(tempered(p, temperature)[np.arange(len(label)), label]).mean())


@pytest.mark.parametrize("true", [0.4, 1.0, 2.5, 6.0])
def test_a_known_temperature_is_found(true: float) -> None:
    rows = simulated(20_000, true, seed=3)
    found, why = fit_temperature(rows.probabilities, rows.label)
    assert why == ""
    assert found == pytest.approx(true, rel=0.03)


@unhurried
@given(st.integers(0, 10**6), st.integers(2, 4), st.floats(0.3, 4))
def test_no_other_temperature_fits_better(seed: int, k: int, true: float) -> None:
    rows = simulated(60, true, seed, k)
    p, label = rows.probabilities, rows.label
    found, why = fit_temperature(p, label)
    if why.startswith("not fitted"):
        assert (p.argmax(axis=1) == label).all()
        return
    best = loss(p, label, found)
    for other in (*np.geomspace(0.06, 19, 40), found * 1.01, found / 1.01):
        assert best <= loss(p, label, other) + 1e-9


@unhurried
@given(st.integers(0, 10**6), st.floats(0.1, 10), st.floats(0.1, 10))
def test_scaling_keeps_the_order_and_can_be_taken_back(seed: int, a: float, b: float) -> None:
    p = softmax(np.random.default_rng(seed).normal(0, 2, (8, 3)))
    hot = tempered(p, a)
    assert np.allclose(hot.sum(axis=1), 1)
    assert (hot.argsort(axis=1) == p.argsort(axis=1)).all()
    assert np.allclose(tempered(hot, b), tempered(p, a * b))
    assert np.allclose(tempered(hot, 1 / a), p)
    # More heat, more even; a probability of 0 stays harmless.
    assert (entropy(tempered(p, 2 * a)) > entropy(hot)).all()


def test_certain_probabilities_stay_numbers() -> None:
    p = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    assert np.isfinite(tempered(p, 0.05)).all()
    found, _ = fit_temperature(p, np.array([0, 1, 1]))
    assert np.isfinite(found)
    assert entropy(p).tolist() == [0, 0, 0]
    assert entropy(np.full((1, 4), 0.25))[0] == pytest.approx(np.log(4))


def test_where_there_is_no_best_temperature_it_is_said() -> None:
    p = np.array([[0.8, 0.2], [0.3, 0.7]])
    found, why = fit_temperature(p, np.array([0, 1]))
    assert (found, why[:36]) == (1.0, "not fitted: all 2 validation rows ar")
    found, why = fit_temperature(p, np.array([1, 0]))
    assert found == HIGH
    assert "upper bound" in why
    found, why = fit_temperature(np.zeros((0, 2)), np.zeros(0, dtype=np.int64))
    assert found == 1.0
    assert "no validation rows" in why


def test_each_fold_has_its_own_from_its_own_rows() -> None:
    one, two = simulated(4000, 2.0, seed=1), simulated(4000, 0.5, seed=2)
    both = Predictions.joined([one, replace(two, fold=two.fold + 1)])
    first, second = fit_temperatures(both, [0, 1])
    assert first.temperature == pytest.approx(2.0, rel=0.1)
    assert second.temperature == pytest.approx(0.5, rel=0.1)
    assert (first.rows, second.rows) == (4000, 4000)
    other = replace(both, label=np.where(both.fold == 1, 0, both.label))
    assert fit_temperatures(other, [0, 1])[0] == first
    assert fit_temperatures(other, [0, 1])[1] != second
    scaled = calibrated(both, {0: 2.0, 1: 0.5})
    assert np.allclose(scaled.probabilities[:4000], tempered(one.probabilities, 2.0))
    assert np.allclose(scaled.probabilities[4000:], tempered(two.probabilities, 0.5))
    with pytest.raises(KeyError):
        calibrated(both, {0: 2.0})


def test_weights_count_as_repeated_rows() -> None:
    rows = simulated(80, 2.0, seed=1)
    weights = np.random.default_rng(1).integers(0, 3, 80)
    again = rows.take(np.repeat(np.arange(80), weights))
    once, _ = fit_temperature(again.probabilities, again.label)
    assert fit_temperature(rows.probabilities, rows.label, weights)[0] == pytest.approx(once)


def test_the_interval_holds_a_known_temperature_about_as_often_as_it_says() -> None:
    hits = 0
    for draw in range(60):
        (one,) = fit_temperatures(simulated(150, 2.0, seed=draw), [0], 80, draw)
        assert one.low is not None
        assert one.high is not None
        assert one.low < one.temperature < one.high
        assert one.by == "95 % percentile bootstrap, 80 resamples of 150 images"
        hits += one.low <= 2.0 <= one.high
    assert hits >= 51  # at 93 % or so, fewer are a matter of one in 500


def test_patients_are_drawn_whole_for_the_interval() -> None:
    rows = simulated(200, 2.0, seed=1)
    alike = rows.take(np.repeat(np.arange(200), 5))
    alike = replace(alike, patient=tuple(f"P{i // 5}" for i in range(1000)))
    (one,) = fit_temperatures(alike, [0], 100, 4)
    (plain,) = fit_temperatures(rows, [0], 100, 4)
    assert "100 resamples of 200 patients" in one.by
    assert one.temperature == pytest.approx(plain.temperature)
    # Five copies of a row tell no more than one.
    assert (one.low, one.high) == (
        pytest.approx(plain.low, rel=1e-3),
        pytest.approx(plain.high, rel=1e-3),
    )
    assert fit_temperatures(rows, [0])[0].low is None


def test_raw_probabilities_are_kept_and_calibrating_begins_from_them() -> None:
    rows = simulated(50, 2.0, seed=1)
    once = calibrated(rows, {0: 1.7})
    assert once.raw is not None
    assert np.array_equal(once.raw, rows.probabilities)
    assert np.allclose(once.uncertainty, entropy(once.probabilities))
    assert np.array_equal(calibrated(once, {0: 1.7}).probabilities, once.probabilities)
    back = raw_of(replace(once, decision=rows.label, sets=once.probabilities > 0.5))
    assert np.array_equal(back.probabilities, rows.probabilities)
    assert np.allclose(back.uncertainty, rows.uncertainty)
    assert (back.raw, back.sets, back.decision) == (None, None, None)
    assert calibrated(rows, {}) is rows


def test_temperatures_come_back_from_a_runs_facts() -> None:
    rows = simulated(500, 2.0, seed=1)
    fitted = fit_temperatures(replace(rows, fold=np.arange(500) % 3), range(3))
    known = Fitted(calibration=Calibration(method="temperature", folds=fitted))
    facts = json.loads(json.dumps(plain(known)))
    assert from_facts(facts)["fitted"] == known
    assert known.temperature_by_fold() == {one.fold: one.temperature for one in fitted}
    assert Fitted().temperature_by_fold() == {}


def test_no_rows() -> None:
    empty = table(np.zeros(0, dtype=np.int64), np.zeros((0, 3)))
    assert calibrated(empty, {0: 2.0}).probabilities.shape == (0, 3)
