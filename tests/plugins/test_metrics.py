"""Built-in metrics against scikit-learn and against formulas written out."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st
from leukreg_plugins import metric_formulas as formulas
from leukreg_plugins import plugins_in
from leukreg_plugins.metrics import (
    Accuracy,
    Auc,
    AveragePrecision,
    Brier,
    Ece,
    Macro,
    Mcc,
    Nll,
    PerClass,
    SensitivityAtSpecificity,
)

from leukreg import Predictions, Score
from leukreg.testing import check_metric

METRICS = plugins_in("metrics")

# The first call pays for importing scikit-learn, hence no deadline.
unhurried = settings(deadline=None, max_examples=60)


def table(label: list[int], p: list[list[float]], decision: list[int] | None = None) -> Predictions:
    n, k = len(label), len(p[0]) if p else 3
    probabilities = np.array(p, dtype=np.float64)
    return Predictions(
        classes=tuple("ABCDEFG"[:k]),
        row=np.arange(n),
        id=tuple(map(str, range(n))),
        path=tuple(map(str, range(n))),
        patient=(None,) * n,
        origin=("real",) * n,
        fold=np.zeros(n, dtype=np.int64),
        label=np.array(label, dtype=np.int64),
        probabilities=probabilities.reshape(n, k),
        uncertainty=np.zeros(n),
        mutual_information=np.zeros(n),
        decision=None if decision is None else np.array(decision, dtype=np.int64),
    )


@st.composite
def predictions(draw: st.DrawFn) -> Predictions:
    """Few classes, coarse probabilities: absent classes, ties, constant answers are common."""
    k = draw(st.integers(2, 4))
    n = draw(st.integers(1, 25))
    label = draw(st.lists(st.integers(0, k - 1), min_size=n, max_size=n))
    row = st.lists(st.integers(1, 5), min_size=k, max_size=k)
    raw = np.array(draw(st.lists(row, min_size=n, max_size=n)), dtype=np.float64)
    decision = draw(st.none() | st.lists(st.integers(0, k - 1), min_size=n, max_size=n))
    return table(label, (raw / raw.sum(axis=1, keepdims=True)).tolist(), decision)


def scores(metric: object, rows: Predictions) -> dict[tuple[str, str | None], Score]:
    return {(s.name, s.label): s for s in metric().build(rows)}  # type: ignore[operator]


@unhurried
@given(predictions())
def test_figures_of_a_class_follow_from_its_four_counts(rows: Predictions) -> None:
    found, answers = scores(PerClass, rows), rows.answers
    for i, name in enumerate(rows.classes):
        tp = int(((answers == i) & (rows.label == i)).sum())
        fp = int(((answers == i) & (rows.label != i)).sum())
        fn = int(((answers != i) & (rows.label == i)).sum())
        tn = len(rows) - tp - fp - fn
        expected = {
            "precision": (tp, tp + fp),
            "recall": (tp, tp + fn),
            "f1": (2 * tp, 2 * tp + fp + fn),
            "specificity": (tn, tn + fp),
        }
        for figure, (above, below) in expected.items():
            score = found[figure, name]
            if below == 0:
                assert score.value is None
                assert name in score.why
            else:
                assert score.value == pytest.approx(above / below)
        assert found["support", name].value == tp + fn


@unhurried
@given(predictions())
def test_ranking_figures_are_those_of_pairs(rows: Predictions) -> None:
    found = scores(Auc, rows)
    for i, name in enumerate(rows.classes):
        positive, negative = rows.label == i, rows.label != i
        p = rows.probabilities[:, i]
        gaps = p[positive][:, None] - p[negative][None, :]
        score = found["auc", name]
        if gaps.size == 0:
            assert score.value is None
            assert "no row of" in score.why
        else:
            assert score.value == pytest.approx(((gaps > 0) + 0.5 * (gaps == 0)).mean())
    whole = found["auc", None]
    values = [found["auc", name].value for name in rows.classes]
    if None in values:
        assert whole.value is None
        assert whole.why
    else:
        assert whole.value == pytest.approx(np.mean([v for v in values if v is not None]))


@unhurried
@given(predictions())
def test_means_over_classes_are_undefined_with_a_class(rows: Predictions) -> None:
    found, single = scores(Macro, rows), scores(PerClass, rows)
    for figure in ("precision", "recall", "f1", "specificity"):
        values = [single[figure, name].value for name in rows.classes]
        mean = found[f"macro_{figure}", None]
        if None in values:
            assert mean.value is None
            assert mean.why
        else:
            assert mean.value == pytest.approx(np.mean([v for v in values if v is not None]))
    balanced = found["balanced_accuracy", None]
    assert balanced.value == found["macro_recall", None].value
    if balanced.value is not None:
        expected = sk.balanced_accuracy_score(rows.label, rows.answers)
        assert balanced.value == pytest.approx(expected)


@unhurried
@given(predictions(), st.data())
def test_weighted_figures_equal_those_of_repeated_rows(
    rows: Predictions, data: st.DataObject
) -> None:
    times = data.draw(st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows)))
    repeated = rows.take(np.repeat(np.arange(len(rows)), times))
    weights = np.stack([np.array(times), np.ones(len(rows))], axis=1).astype(np.float64)
    for metric in plugins_in("metrics"):
        once = {(s.name, s.label): s.value for s in metric().build(repeated)}
        for key, values in metric().resampled(rows, weights).items():
            assert values.shape == (2,)
            if once[key] is None:
                assert math.isnan(values[0]), key
            else:
                assert values[0] == pytest.approx(once[key], abs=1e-9), key


@unhurried
@given(predictions())
def test_weighted_ranks_agree_with_scikit_learn(rows: Predictions) -> None:
    weights = np.random.default_rng(len(rows)).integers(0, 4, (len(rows), 3)).astype(np.float64)
    truth, p = rows.label == 0, rows.probabilities[:, 0]
    auc = formulas.auc(truth, p, weights)
    precision = formulas.average_precision(truth, p, weights)
    for b in range(3):
        w = weights[:, b]
        if w[truth].sum() and w[~truth].sum():
            assert auc[b] == pytest.approx(sk.roc_auc_score(truth, p, sample_weight=w))
            expected = sk.average_precision_score(truth, p, sample_weight=w)
            assert precision[b] == pytest.approx(expected)
        else:
            assert math.isnan(auc[b])
            assert math.isnan(precision[b])


@unhurried
@given(predictions(), st.sampled_from([0.0, 0.5, 0.8, 0.9, 1.0]))
def test_sensitivity_is_the_best_that_the_roc_curve_has(rows: Predictions, kept: float) -> None:
    metric = SensitivityAtSpecificity(specificity=kept)
    found = {s.label: s for s in metric.build(rows)}
    for i, name in enumerate(rows.classes):
        truth = rows.label == i
        if truth.all() or not truth.any():
            assert found[name].value is None
            assert "no row of" in found[name].why
        else:
            wrong, right, _ = sk.roc_curve(truth, rows.probabilities[:, i], drop_intermediate=False)
            assert found[name].value == pytest.approx(right[wrong <= 1 - kept + 1e-9].max())


@unhurried
@given(predictions())
def test_mcc_is_scikit_learns_where_it_is_defined(rows: Predictions) -> None:
    score, answers = scores(Mcc, rows)["mcc", None], rows.answers
    if len(set(answers.tolist())) == 1 or len(set(rows.label.tolist())) == 1:
        assert score.value is None
        assert score.why
    else:
        assert score.value == pytest.approx(sk.matthews_corrcoef(rows.label, answers))


@unhurried
@given(predictions())
def test_log_loss_is_scikit_learns(rows: Predictions) -> None:
    value = scores(Nll, rows)["nll", None].value
    every = list(range(len(rows.classes)))
    assert value == pytest.approx(sk.log_loss(rows.label, rows.probabilities, labels=every))
    assert Nll.of_probabilities  # type: ignore[attr-defined]


def test_a_certain_mistake_has_a_finite_log_loss() -> None:
    value = scores(Nll, table([1], [[1.0, 0.0]]))["nll", None].value
    assert value == pytest.approx(-math.log(np.finfo(np.float64).eps))


@unhurried
@given(predictions())
def test_brier_score(rows: Predictions) -> None:
    value = scores(Brier, rows)["brier", None].value
    truth = np.eye(len(rows.classes))[rows.label]
    if len(rows.classes) == 2:
        expected = ((rows.probabilities[:, 1] - truth[:, 1]) ** 2).mean()
    else:
        expected = ((rows.probabilities - truth) ** 2).sum(axis=1).mean()
    assert value == pytest.approx(expected)


@unhurried
@given(predictions(), st.integers(1, 12))
def test_calibration_error_is_the_gap_bin_by_bin(rows: Predictions, bins: int) -> None:
    confidence = rows.probabilities.max(axis=1)
    right = rows.probabilities.argmax(axis=1) == rows.label
    expected = 0.0
    for i in range(bins):
        low, high = i / bins, (i + 1) / bins
        inside = np.array([low < c * 1.0 and math.ceil(c * bins) == i + 1 for c in confidence])
        if inside.any():
            gap = abs(right[inside].mean() - confidence[inside].mean())
            expected += inside.mean() * gap
        assert high <= 1.0 + 1e-9
    score = next(iter(Ece(bins=bins).build(rows)))
    assert score.value == pytest.approx(expected)
    assert str(bins) in score.why


def test_the_baseline_is_the_most_frequent_class() -> None:
    rows = table([0, 0, 0, 1], [[0.9, 0.1]] * 4)
    found = scores(Accuracy, rows)
    assert found["majority_baseline", None].value == 0.75
    assert found["majority_baseline", None].why == "always answering A"
    assert found["accuracy", None].value == 0.75


def test_decisions_count_not_probabilities() -> None:
    rows = table([0, 1], [[0.6, 0.4], [0.6, 0.4]], decision=[1, 1])
    assert scores(Accuracy, rows)["accuracy", None].value == 0.5
    assert scores(PerClass, rows)["recall", "B"].value == 1.0
    assert scores(PerClass, rows)["recall", "A"].value == 0.0


def test_history_v4_from_its_matrix() -> None:
    label = [0] * 205 + [1] * 20
    decision = [0] * 187 + [1] * 18 + [0] * 18 + [1] * 2
    rows = table(label, [[0.5, 0.5]] * 225, decision)
    single = scores(PerClass, rows)
    assert single["precision", "B"].value == pytest.approx(0.1)
    assert single["recall", "B"].value == pytest.approx(0.1)
    assert single["specificity", "B"].value == pytest.approx(0.9122, abs=5e-5)
    found = scores(Accuracy, rows)
    assert found["accuracy", None].value == pytest.approx(0.84)
    assert found["majority_baseline", None].value == pytest.approx(0.9111, abs=5e-5)


@pytest.mark.parametrize("metric", plugins_in("metrics"))
def test_without_rows_everything_is_undefined_and_nothing_warns(metric: type) -> None:
    rows = table([], [])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = list(metric().build(rows))
        resampled = metric().resampled(rows, np.zeros((0, 2)))
    assert found
    for score in found:
        if score.name == "support":
            assert score.value == 0
        else:
            assert score.value is None
            assert score.why
    assert all(np.isnan(values).all() and values.shape == (2,) for values in resampled.values())


@pytest.mark.parametrize("metric", plugins_in("metrics"))
def test_contract(metric: type) -> None:
    check_metric(metric)


def test_perfect_answers() -> None:
    rows = table([0, 1, 2], np.eye(3).tolist())
    assert scores(AveragePrecision, rows)["average_precision", None].value == 1.0
    assert scores(Ece, rows)["ece", None].value == 0.0
    assert formulas.brier_rows(rows).tolist() == [0.0, 0.0, 0.0]
    single = scores(PerClass, rows)
    assert [single["support", name].value for name in rows.classes] == [1, 1, 1]
    assert [single["f1", name].value for name in rows.classes] == [1.0, 1.0, 1.0]
