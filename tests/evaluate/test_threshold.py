"""Where the positive class begins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leukreg.evaluate.threshold import best_threshold, choose, decide
from leukreg.recipe.model import EvaluateSpec, ThresholdSpec
from leukreg.types import Predictions


def rows(label: list[int], positive: list[float], fold: list[int] | None = None) -> Predictions:
    n, p = len(label), np.array(positive, dtype=np.float64)
    return Predictions(
        classes=("Benign", "ALL"),
        row=np.arange(n),
        id=tuple(map(str, range(n))),
        path=tuple(map(str, range(n))),
        patient=(None,) * n,
        origin=("real",) * n,
        fold=np.array(fold or [0] * n, dtype=np.int64),
        label=np.array(label, dtype=np.int64),
        probabilities=np.stack([1 - p, p], axis=1),
        uncertainty=np.zeros(n),
        mutual_information=np.zeros(n),
    )


def spec(**options: Any) -> EvaluateSpec:
    return EvaluateSpec(threshold=ThresholdSpec(**options))


def f1(truth: np.ndarray[Any, Any], said: np.ndarray[Any, Any]) -> float:
    return float(2 * (truth & said).sum() / (truth.sum() + said.sum()))


def youden(truth: np.ndarray[Any, Any], said: np.ndarray[Any, Any]) -> float:
    return float(said[truth].mean() - said[~truth].mean())


@settings(deadline=None)  # the first call imports scikit-learn
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=2, max_size=30),
    st.sampled_from(["f1", "youden"]),
)
def test_no_other_observed_threshold_does_better(pairs: list[tuple[bool, int]], rule: str) -> None:
    truth = np.array([pair[0] for pair in pairs])
    p = np.array([pair[1] / 8 for pair in pairs])
    found = best_threshold(truth, p, rule)
    if truth.all() or not truth.any():
        assert found is None
        return
    assert found is not None
    goodness = f1 if rule == "f1" else youden
    best = max(goodness(truth, p >= limit) for limit in set(p.tolist()))
    assert goodness(truth, p >= found) == pytest.approx(best)


def test_it_is_fitted_on_validation_and_applied_to_the_scored_rows() -> None:
    validation = rows([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4])
    cut = choose(rows([0, 1, 1], [0.25, 0.3, 0.9]), validation, spec())
    assert cut.threshold == pytest.approx(0.3)
    assert cut.source == "validation"
    assert "F1" in cut.why
    assert "4 validation rows" in cut.why
    assert decide(rows([0, 1, 1], [0.25, 0.3, 0.9]), cut).tolist() == [0, 1, 1]


def test_each_fold_has_its_own() -> None:
    validation = rows([0, 1, 0, 1], [0.1, 0.4, 0.5, 0.8], fold=[0, 0, 1, 1])
    scored = rows([1, 1], [0.45, 0.45], fold=[0, 1])
    cut = choose(scored, validation, spec())
    assert cut.by_fold == {0: pytest.approx(0.4), 1: pytest.approx(0.8)}
    assert cut.threshold == pytest.approx(0.6)
    assert decide(scored, cut).tolist() == [1, 0]
    assert "0.4000 to 0.8000" in cut.why


@pytest.mark.parametrize("validation", [None, rows([0, 0], [0.2, 0.9]), rows([], [])])
def test_without_both_classes_a_half_is_taken_and_said(validation: Predictions | None) -> None:
    cut = choose(rows([0, 1], [0.4, 0.6]), validation, spec())
    assert cut.threshold == 0.5
    assert cut.source == "fixed"
    assert "not fitted" in cut.score().why


def test_fitted_on_the_scored_rows_it_says_so() -> None:
    cut = choose(rows([0, 1], [0.2, 0.3]), None, spec(fitted_on="scored"))
    assert cut.source == "scored"
    assert "scored rows themselves" in cut.why
    assert cut.threshold == pytest.approx(0.3)


def test_fixed() -> None:
    cut = choose(rows([0, 1], [0.2, 0.3]), None, spec(rule="fixed", value=0.3))
    assert (cut.threshold, cut.source) == (0.3, "fixed")
    assert decide(rows([0, 1], [0.2, 0.3]), cut).tolist() == [0, 1]


def test_the_positive_class_may_be_the_first() -> None:
    chosen = EvaluateSpec(positive="Benign", threshold=ThresholdSpec(rule="fixed", value=0.9))
    scored = rows([0, 0], [0.05, 0.5])
    assert decide(scored, choose(scored, None, chosen)).tolist() == [0, 1]


def test_without_a_cut_the_first_of_equals_wins() -> None:
    assert rows([0], [0.5]).answers.tolist() == [0]
    assert rows([], []).answers.tolist() == []
