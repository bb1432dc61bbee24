"""From predictions to scores with intervals."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leukreg.errors import Problems, TrainingError
from leukreg.evaluate.bootstrap import percentiles, resampling
from leukreg.evaluate.scoring import score
from leukreg.recipe.model import EvaluateSpec, ThresholdSpec
from leukreg.registry import installed
from leukreg.registry.plugin_call import Choice
from leukreg.testing import example_predictions
from leukreg.types import Predictions, Score
from tests.evaluate.simulated import table


def found(predictions: Predictions, **options: Any) -> dict[tuple[str, str | None], Score]:
    spec = EvaluateSpec(**{"bootstrap": 100, **options})
    scored = score(predictions, None, spec, 4, installed())
    return {(one.name, one.label): one for one in scored.scores}


def choice(metric: Any) -> Choice:
    return Choice(kind="metric", name="own", plugin=metric, owner="me 1.0")


def test_every_built_in_metric_is_there_with_an_interval_around_it() -> None:
    scores = found(example_predictions(3, n=120))
    for name in ("accuracy", "balanced_accuracy", "mcc", "auc", "average_precision", "brier"):
        one = scores[name, None]
        assert one.value is not None
        assert one.low is not None
        assert one.high is not None
        assert one.low < one.value < one.high
        assert "100 resamples of 42 patients" in one.why
    assert scores["majority_baseline", None].low is None
    assert scores["support", "benign"].value == 40


def test_the_same_seed_gives_the_same_intervals_whatever_the_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = example_predictions(2, n=60)
    first = found(rows)
    monkeypatch.setattr("leukreg.evaluate.bootstrap.MEMORY", 7 * 60)
    again = found(rows)
    for key, one in first.items():
        assert again[key].value == one.value
        assert again[key].low == pytest.approx(one.low)
        assert again[key].high == pytest.approx(one.high)


def test_patients_are_drawn_whole_where_every_row_has_one() -> None:
    rows = example_predictions(2, n=60)
    draws = resampling(rows, 50, 1)
    assert draws is not None
    assert draws.of == f"{len(set(rows.patient))} patients"
    for counts in draws.counts():
        for patient in set(rows.patient):
            own = counts[[p == patient for p in rows.patient]]
            assert len(set(own.tolist())) == 1


def test_images_of_an_unknown_patient_count_one_by_one_beside_whole_patients() -> None:
    rows = example_predictions(2, n=60)
    some = (*rows.patient[:30], *(None,) * 30)
    draws = resampling(replace(rows, patient=some), 50, 1)
    assert draws is not None
    units = len(set(rows.patient[:30])) + 30
    assert draws.units == units
    assert draws.says().endswith(
        f"50 resamples of {units} groups of images (of one patient, or copies of one picture); "
        "of 30 of 60 images the patient is unknown"
    )


def pictures(right: list[int], copies: int) -> Predictions:
    """So many files of each picture; ``right`` of the copies are answered with their class."""
    label = np.repeat(np.arange(len(right)) % 2, copies)
    good = np.concatenate([np.arange(copies) < hits for hits in right])
    p = np.where(good, 0.9, 0.1)
    p = np.where(label == 1, p, 1 - p)
    group = np.repeat(np.arange(len(right)), copies)
    return replace(table(label, np.stack([1 - p, p], axis=1)), group=group)


def test_copies_of_a_picture_count_as_one_in_every_interval() -> None:
    rows = pictures([4] * 17 + [3] + [0] * 6, copies=4)
    by_picture = found(rows, bootstrap=1000)["accuracy", None]
    by_file = found(replace(rows, group=None), bootstrap=1000)["accuracy", None]
    assert by_picture.value == by_file.value == 71 / 96
    assert (by_file.low, by_file.high) == pytest.approx((0.646, 0.823), abs=0.011)
    assert (by_picture.low, by_picture.high) == pytest.approx((0.562, 0.906), abs=0.011)
    assert by_picture.why.endswith("1000 resamples of 24 pictures in 96 files")


@given(
    right=st.lists(st.integers(0, 1), min_size=4, max_size=30),
    copies=st.integers(2, 5),
    seed=st.integers(0, 9),
)
@settings(max_examples=30, deadline=None)
def test_copying_every_file_moves_no_interval(right: list[int], copies: int, seed: int) -> None:
    once, often = pictures(right, 1), pictures([copies * one for one in right], copies)
    spec = EvaluateSpec(bootstrap=40)
    alone = score(once, None, spec, seed, installed()).scores
    copied = score(often, None, spec, seed, installed()).scores
    for one, other in zip(alone, copied, strict=True):
        if one.name != "support":
            assert (other.value, other.low, other.high) == pytest.approx(
                (one.value, one.low, one.high), nan_ok=True
            )


def test_patient_wise_intervals_are_wider_where_patients_differ() -> None:
    n = 400
    rows = example_predictions(2, n=n)
    hard = np.arange(n) % 8 < 4
    answers = np.where(hard, 1 - rows.label, rows.label)
    rows = replace(rows, probabilities=np.eye(2)[answers] * 0.8 + 0.1)
    by_row = found(replace(rows, patient=(None,) * n))["accuracy", None]
    patients = tuple(f"P{i % 8}" for i in range(n))
    by_patient = found(replace(rows, patient=patients))["accuracy", None]
    assert by_row.low is not None
    assert by_patient.low is not None
    assert by_patient.low < by_row.low - 0.1
    assert "few" in by_patient.why


def test_one_patient_only_gives_no_interval_and_says_so() -> None:
    rows = example_predictions(2, n=20)
    one = found(replace(rows, patient=("P1",) * 20))["accuracy", None]
    assert one.low is None
    assert one.why == "no interval: 1 patient only"
    assert found(rows, bootstrap=0)["accuracy", None].why == "no interval: none asked for"


def test_an_absent_class_is_undefined_with_a_reason_and_nothing_warns() -> None:
    rows = example_predictions(3, n=60)
    rows = rows.take(np.flatnonzero(rows.label != 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = found(rows)
    for key in (("recall", "pre-b"), ("auc", "pre-b"), ("balanced_accuracy", None), ("auc", None)):
        assert scores[key].value is None
        assert "no row of pre-b" in scores[key].why
    assert scores["accuracy", None].low is not None


def test_resamples_that_lack_a_class_are_counted() -> None:
    rows = example_predictions(2, n=40)
    rows = replace(rows, patient=(None,) * 40, label=np.array([1] + [0] * 39))
    recall = found(rows)["recall", "early-pre-b"]
    assert recall.low is not None
    assert "undefined in" in recall.why


def test_no_rows_at_all() -> None:
    rows = example_predictions(3).take(np.zeros(0, dtype=np.int64))
    scores = found(rows)
    assert scores["accuracy", None] == Score(name="accuracy", value=None, why="no rows")
    assert score(rows, None, EvaluateSpec(), 0, installed()).confusion == ((0, 0, 0),) * 3


def test_decisions_confusion_and_threshold_go_together() -> None:
    rows = example_predictions(2, n=60)
    spec = EvaluateSpec(bootstrap=0, threshold=ThresholdSpec(rule="fixed", value=0.9))
    scored = score(rows, None, spec, 0, installed())
    decision = (rows.probabilities[:, 1] >= 0.9).astype(int)
    assert scored.predictions.decision is not None
    assert scored.predictions.decision.tolist() == decision.tolist()
    expected = [[int(((rows.label == i) & (decision == j)).sum()) for j in (0, 1)] for i in (0, 1)]
    assert [list(line) for line in scored.confusion] == expected
    assert (scored.threshold, scored.threshold_from) == (0.9, "fixed")
    assert [(one.fold, one.threshold) for one in scored.fitted.thresholds] == [(0, 0.9), (1, 0.9)]
    assert scored.scores[-1] == Score(name="threshold", value=0.9, why="fixed by the recipe")


def test_impossible_requests_are_refused_together() -> None:
    spec = EvaluateSpec(positive="AML", threshold=ThresholdSpec())
    with pytest.raises(Problems) as caught:
        score(example_predictions(3), None, spec, 0, installed())
    assert "no class 'AML'" in str(caught.value)
    assert "needs two classes, the data have 3" in str(caught.value)
    assert "2 problems; nothing was scored." in str(caught.value)


@pytest.mark.parametrize("bad", [np.nan, -0.5, np.inf])
def test_a_diverged_model_is_named_with_its_image(bad: float) -> None:
    rows = example_predictions(2, n=10)
    rows.probabilities[3, 1] = bad
    with pytest.raises(TrainingError, match="1 of 10 predictions") as caught:
        found(rows)
    assert rows.path[3] in str(caught.value)


class Median:
    def build(self, predictions: Predictions) -> Iterable[Score]:
        return [Score(name="median", value=float(np.median(predictions.uncertainty)))]


class Failing:
    def build(self, predictions: Predictions) -> Iterable[Score]:
        raise KeyError("oh")


class FailingResamples(Median):
    def resampled(self, predictions: Predictions, weights: object) -> object:
        raise ValueError("no")


def test_a_strangers_metric_gets_an_interval_too() -> None:
    one = found(example_predictions(2), metrics=(choice(Median()),))["median", None]
    assert one.value is not None
    assert one.low is not None
    assert one.high is not None
    assert one.low <= one.value <= one.high


def test_a_failing_metric_is_undefined_and_the_others_stand() -> None:
    scores = found(example_predictions(2), metrics=(choice(Failing()), choice(Median())))
    assert scores["own", None].value is None
    assert "KeyError" in scores["own", None].why
    assert scores["median", None].value is not None


def test_failing_resamples_leave_the_value() -> None:
    one = found(example_predictions(2), metrics=(choice(FailingResamples()),))["median", None]
    assert one.value is not None
    assert one.low is None
    assert "no interval: own failed: ValueError: no" in one.why


def test_percentiles_leave_out_the_undefined_unless_they_are_most() -> None:
    values = np.arange(101, dtype=np.float64)
    assert percentiles(values) == (2.5, 97.5)
    assert percentiles(np.r_[values, [np.nan] * 100]) == (2.5, 97.5)
    assert percentiles(np.r_[values, [np.nan] * 102]) is None
    assert percentiles(np.zeros(0)) is None
