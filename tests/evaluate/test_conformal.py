"""Conformal sets against their exact distribution and their definition."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import betabinom

from leukreg.evaluate.calibration import calibrated, fit_temperature
from leukreg.evaluate.conformal import (
    conformal_sets,
    fit_conformal,
    nonconformity,
    rank,
    rows_needed,
    voted_sets,
)
from leukreg.fitted import Conformal, ConformalFold, Fitted
from leukreg.recipe.model import ConformalSpec
from leukreg.runs.codec import plain
from leukreg.types import Predictions
from tests.evaluate.simulated import simulated, table
from tests.facts import from_facts

DRAWS, SCORED = 400, 150


def covered(rows: Predictions, conformal: Conformal) -> np.ndarray:  # type: ignore[type-arg]
    return conformal_sets(rows, conformal)[np.arange(len(rows)), rows.label]


def inside(hits: list[int], n: int, coverage: float) -> float:
    """Share of draws within the exact central 95 % interval of the covered rows."""
    k = rank(n, coverage)
    low, high = betabinom(SCORED, k, n + 1 - k).interval(0.95)
    return float(np.mean([(low <= hit <= high) for hit in hits]))


@pytest.mark.parametrize("method", ["lac", "aps"])
@pytest.mark.parametrize(("n", "coverage"), [(40, 0.9), (99, 0.8)])
def test_coverage_has_its_exact_distribution(method: str, n: int, coverage: float) -> None:
    """The covered rows are beta-binomial over draws, however wrong the probabilities (Vovk, 2012).

    The network says less than it knows, so that no probability exceeds a limit by itself and the
    most probable class need never be put in.
    """
    spec = ConformalSpec(coverage=coverage, method=method)  # type: ignore[arg-type]
    hits = []
    for draw in range(DRAWS):
        rows = simulated(n + SCORED, 0.5, seed=draw)
        own = rows.take(np.arange(n))
        conformal = fit_conformal(own, [0], spec, 4)
        hits.append(int(covered(rows.take(np.arange(n, n + SCORED)), conformal).sum()))
    expected = SCORED * rank(n, coverage) / (n + 1)
    error = betabinom(SCORED, rank(n, coverage), n + 1 - rank(n, coverage)).std() / DRAWS**0.5
    assert abs(np.mean(hits) - expected) < 3.5 * error
    # Of 400 draws 95 % and a little more (the distribution has steps) lie inside.
    assert 0.92 <= inside(hits, n, coverage) <= 0.99


def test_a_temperature_fitted_on_the_same_rows_does_no_harm() -> None:
    misses = []
    for draw in range(DRAWS):
        rows = simulated(60 + SCORED, 3.0, seed=draw)
        own = rows.take(np.arange(60))
        value, _ = fit_temperature(own.probabilities, own.label)
        rows = calibrated(rows, {0: value})
        conformal = fit_conformal(rows.take(np.arange(60)), [0], ConformalSpec(), 4)
        misses.append(1 - covered(rows.take(np.arange(60, 60 + SCORED)), conformal).mean())
    assert np.mean(misses) == pytest.approx(1 - rank(60, 0.9) / 61, abs=0.01)


def test_by_class_every_class_is_covered_where_plain_sets_leave_one_out() -> None:
    spec = ConformalSpec(coverage=0.9, by_class=True)
    shares: dict[bool, list[list[float]]] = {True: [], False: []}
    for draw in range(60):
        rows = simulated(1600, 1.0, seed=draw, k=3)
        p = rows.probabilities * np.array([1.0, 1.0, 0.15])  # the third class is held in contempt
        rows = replace(rows, probabilities=p / p.sum(axis=1, keepdims=True))
        own, rest = rows.take(np.arange(800)), rows.take(np.arange(800, 1600))
        for by_class, found in shares.items():
            conformal = fit_conformal(own, [0], replace(spec, by_class=by_class), 4)
            hit = covered(rest, conformal)
            found.append([float(hit[rest.label == c].mean()) for c in range(3)])
    assert np.mean(shares[True], axis=0) == pytest.approx([0.9, 0.9, 0.9], abs=0.012)
    assert np.mean(shares[False], axis=0)[2] < 0.8


def test_aps_always_holds_the_most_probable_class_and_lac_may_hold_none() -> None:
    rows = simulated(300, 0.4, seed=1)
    sure = simulated(500, 6.0, seed=2)
    for method in ("lac", "aps"):
        spec = ConformalSpec(coverage=0.5, method=method)  # type: ignore[arg-type]
        sets = conformal_sets(sure, fit_conformal(rows, [0], spec, 4))
        if method == "aps":
            assert sets[np.arange(500), sure.probabilities.argmax(axis=1)].all()
    even = table(np.zeros(1, dtype=np.int64), np.full((1, 4), 0.25))
    lac = fit_conformal(sure, [0], ConformalSpec(coverage=0.5), 4)
    assert not conformal_sets(even, lac).any()


@settings(deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(9, 40),
    st.sampled_from([0.5, 0.75, 0.9]),
    st.sampled_from(["lac", "aps"]),
    st.booleans(),
)
def test_a_class_is_in_the_set_where_its_p_value_exceeds_the_error(
    seed: int, n: int, coverage: float, method: str, by_class: bool
) -> None:
    """Vovk et al., 2005: p = (1 + rows that conform no better) / (n + 1)."""
    own, rows = simulated(n, 2.0, seed, k=3), simulated(5, 2.0, seed + 1, k=3, start=n)
    spec = ConformalSpec(coverage=coverage, method=method, by_class=by_class)  # type: ignore[arg-type]
    sets = conformal_sets(rows, fit_conformal(own, [0], spec, 4))
    before = nonconformity(own, method, 4)[np.arange(n), own.label]
    scores = nonconformity(rows, method, 4)
    for i in range(5):
        for c in range(3):
            others = before[own.label == c] if by_class else before
            p = (1 + (others >= scores[i, c]).sum()) / (len(others) + 1)
            forced = method == "aps" and c == rows.probabilities[i].argmax()
            assert sets[i, c] == (p > 1 - coverage + 1e-12 or forced)


def test_scores_written_out() -> None:
    rows = table(np.array([0]), np.array([[0.2, 0.5, 0.3]]))
    assert nonconformity(rows, "lac", 0)[0] == pytest.approx([0.8, 0.5, 0.7])
    one, two, three = nonconformity(rows, "aps", 0)[0]
    part = two / 0.5
    assert 0 <= part < 1
    assert three == pytest.approx(0.5 + part * 0.3)
    assert one == pytest.approx(0.8 + part * 0.2)


def test_an_image_has_the_same_set_wherever_it_stands() -> None:
    own, rows = simulated(100, 2.0, seed=1), simulated(40, 2.0, seed=2, start=100)
    conformal = fit_conformal(own, [0], ConformalSpec(method="aps"), 4)
    turned = conformal_sets(rows.take(np.arange(40)[::-1]), conformal)
    assert np.array_equal(turned[::-1], conformal_sets(rows, conformal))
    renamed = replace(rows, id=tuple(f"x{name}" for name in rows.id))
    assert not np.array_equal(conformal_sets(renamed, conformal), conformal_sets(rows, conformal))


@given(st.integers(0, 1000), st.sampled_from(["lac", "aps"]))
@settings(deadline=None, max_examples=30)
def test_more_coverage_never_takes_a_class_out(seed: int, method: str) -> None:
    own, rows = simulated(80, 2.0, seed), simulated(20, 2.0, seed + 1, start=80)
    smaller = np.zeros((20, 4), dtype=bool)
    for coverage in (0.3, 0.6, 0.9, 0.95):
        spec = ConformalSpec(coverage=coverage, method=method)  # type: ignore[arg-type]
        sets = conformal_sets(rows, fit_conformal(own, [0], spec, 4))
        assert (sets >= smaller).all()
        smaller = sets


@given(st.floats(0.01, 0.999))
def test_fewest_rows_are_enough_and_one_less_is_not(coverage: float) -> None:
    n = rows_needed(coverage)
    assert rank(n, coverage) <= n
    assert n == 1 or rank(n - 1, coverage) > n - 1


def test_known_numbers_of_rows() -> None:
    assert [rows_needed(c) for c in (0.5, 0.8, 0.9, 0.95, 0.99)] == [1, 4, 9, 19, 99]
    few = simulated(8, 2.0, seed=1)
    conformal = fit_conformal(few, [0], ConformalSpec(coverage=0.9), 4)
    assert conformal_sets(few, conformal).all()


def test_each_fold_has_its_own_limits() -> None:
    one, two = simulated(200, 0.3, seed=1), simulated(200, 5.0, seed=2)
    both = Predictions.joined([one, replace(two, fold=two.fold + 1)])
    conformal = fit_conformal(both, [0, 1], ConformalSpec(), 4)
    first, second = conformal.folds
    assert first.limits == fit_conformal(one, [0], ConformalSpec(), 4).folds[0].limits
    assert first.limits != second.limits
    assert [fold.rows for fold in conformal.folds] == [(200,) * 4, (200,) * 4]
    with pytest.raises(KeyError):
        conformal_sets(replace(one, fold=one.fold + 7), conformal)


@given(st.integers(0, 10**6), st.integers(1, 40), st.integers(1, 4), st.booleans())
@settings(deadline=None, max_examples=50)
def test_copies_of_a_row_do_not_move_the_limits(
    seed: int, n: int, times: int, by_class: bool
) -> None:
    """However often each picture is listed, it weighs as one."""
    own, spec = simulated(n, 2.0, seed, k=3), ConformalSpec(coverage=0.8, by_class=by_class)
    again = np.repeat(np.arange(n), np.random.default_rng(seed).integers(1, times + 1, n))
    copied = replace(own.take(again), group=again)
    (one,), (other,) = (fit_conformal(rows, [0], spec, 4).folds for rows in (own, copied))
    assert other.limits == one.limits
    assert other.groups == one.groups == one.rows
    assert sum(other.rows) == (len(again) if by_class else 3 * len(again))


def test_images_of_new_patients_are_covered_however_many_the_others_have() -> None:
    """Three patients of four have one image, hard ones; the fourth has ten easy ones."""
    hits = []
    for draw in range(DRAWS):
        rng = np.random.default_rng(draw)
        easy = rng.random(40) < 0.25
        right = np.where(easy, 0.95, 0.6) + rng.uniform(-0.04, 0.04, 40)
        unit = np.repeat(np.arange(39), np.where(easy[:39], 10, 1))
        p = np.stack([right, 1 - right], axis=1)
        labels = np.zeros(len(unit), dtype=np.int64)
        own = replace(table(labels, p[unit]), group=unit)
        conformal = fit_conformal(own, [0], ConformalSpec(coverage=0.8), 4)
        hits.append(bool(covered(table(np.zeros(1, dtype=np.int64), p[39:]), conformal)[0]))
    assert np.mean(hits) == pytest.approx(0.8, abs=3 * (0.16 / DRAWS) ** 0.5)


def test_an_ensemble_votes() -> None:
    rows = table(np.array([0, 0]), np.array([[0.6, 0.4, 0.0], [0.1, 0.1, 0.8]]))
    limits = {0: (0.5,) * 3, 1: (0.7,) * 3, 2: (0.95,) * 3}
    nine = (9,) * 3
    folds = tuple(ConformalFold(fold=i, rows=nine, groups=nine, limits=own)
                  for i, own in limits.items())  # fmt: skip
    conformal = Conformal(method="lac", coverage=0.9, by_class=False, seed=0, folds=folds)
    parts = [replace(rows, fold=np.full(2, fold)) for fold in limits]
    assert voted_sets(parts, conformal).tolist() == [[True, True, False], [False, False, True]]
    # One model alone: as it is. Two: both must agree.
    assert np.array_equal(voted_sets(parts[:1], conformal), conformal_sets(parts[0], conformal))
    assert voted_sets(parts[:2], conformal).tolist()[0] == [True, False, False]


def test_an_ensemble_of_alike_models_covers_as_one_of_them() -> None:
    spec = ConformalSpec(coverage=0.9)
    own, rows = simulated(3000, 1.0, seed=1), simulated(4000, 1.0, seed=2, start=3000)
    own = replace(own, fold=np.arange(3000) % 5)
    conformal = fit_conformal(own, range(5), spec, 4)
    parts = [replace(rows, fold=np.full(4000, fold)) for fold in range(5)]
    sets = voted_sets(parts, conformal)
    assert sets[np.arange(4000), rows.label].mean() == pytest.approx(0.9, abs=0.02)


def test_limits_come_back_from_a_runs_facts() -> None:
    rows = replace(simulated(300, 2.0, seed=1), fold=np.arange(300) % 2)
    for by_class in (False, True):
        spec = ConformalSpec(coverage=0.8, method="aps", by_class=by_class)
        conformal = fit_conformal(rows, [0, 1], spec, 4)
        facts = json.loads(json.dumps(plain(Fitted(conformal=conformal))))
        assert from_facts(facts)["fitted"].conformal == conformal
    assert from_facts({})["fitted"].conformal is None
