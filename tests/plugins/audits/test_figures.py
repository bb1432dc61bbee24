"""Rules on figures: each fires on a small case, and not on its near miss."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from leukreg_plugins.audits import baseline, confidence, published_table, rules_in, sample_size
from leukreg_plugins.audits.baseline import (
    AucNearHalf,
    BaselineMisquoted,
    BrierNoBetter,
    MajorityBaseline,
)
from leukreg_plugins.audits.confidence import (
    PoorCalibration,
    ThresholdNeverCrossed,
    ThresholdOnScored,
    UniformPredictions,
)
from leukreg_plugins.audits.published_table import (
    ConsistentTable,
    ImpossibleFigures,
    ReportedUnreadable,
    UndefinedPrinted,
)
from leukreg_plugins.audits.sample_size import (
    FewerFolds,
    FewPositives,
    ImbalancedAnswers,
    LooksAtTest,
    OneClassTested,
    auc_interval,
    base_rate_brier,
    effective,
    wilson,
)

from leukreg import RunRecord, Samples, Score
from tests.facts import from_facts
from tests.plugins.audits.evidence import (
    binary,
    evidence,
    fires,
    found,
    passes,
    predictions,
    rows,
    sample,
)

TWO: dict[str, Any] = {"classes": ["Benign", "ALL"]}
V4: dict[str, Any] = TWO | {"confusion": [[187, 18], [18, 2]], "accuracy": "84.00 %"}

FIGURES = rules_in(baseline, confidence, published_table, sample_size)


def reported(**table: Any) -> RunRecord:
    return RunRecord(recipe={"reported": table})


def test_reported_unreadable() -> None:
    fires(ReportedUnreadable(), reported(precision=1.7, recall="x"), "error", "1.7", "1 more")
    passes(ReportedUnreadable(), reported(precision=0.7))


def test_a_figure_against_its_own_matrix() -> None:
    wrong = reported(**V4, recall="0.1500")
    fires(ImpossibleFigures(), wrong, "error", "recall 0.1500", "2/20 = 0.1000")
    passes(ImpossibleFigures(), reported(**V4, recall="0.1000", specificity="0.9122"))
    # 187/205 = 0.91219...: one unit of the last digit off is caught.
    fires(ImpossibleFigures(), reported(**V4, specificity="0.9121"), "error", "187/205")


def test_figures_without_a_matrix_that_cannot_be_true_together() -> None:
    table = TWO | {"test_counts": {"Benign": 205, "ALL": 20}, "recall": "0.1000"}
    fires(ImpossibleFigures(), reported(**table, accuracy="0.9500"), "error", "accuracy 95.00 %")
    passes(ImpossibleFigures(), reported(**table, accuracy="0.8400"))
    fires(ImpossibleFigures(), reported(**table | {"recall": "0.1100"}), "error", "recall 0.1100")


def test_f1_is_checked_in_a_test_of_any_size() -> None:
    table = TWO | {"precision": "0.50", "recall": "0.50", "f1": "0.60"}
    fires(ImpossibleFigures(), reported(**table), "error", "f1 0.60", "cannot be true together")
    passes(ImpossibleFigures(), reported(**table | {"f1": "0.50"}))


def test_means_over_classes_are_checked_against_the_matrix() -> None:
    table = {"classes": list("abc"), "confusion": [[5, 0, 0], [2, 3, 0], [0, 0, 10]]}
    for text in ("0.8667", "0.9000"):  # macro recall, and the weighted one
        passes(ImpossibleFigures(), reported(**table, recall=text))
    fires(ImpossibleFigures(), reported(**table, recall="0.9500"), "error", "recall 0.9500")
    fires(ImpossibleFigures(), reported(**table, balanced_accuracy="0.80"), "error", "balanced")


def test_counts_stated_twice() -> None:
    table = V4 | {"test_counts": {"Benign": 205, "ALL": 21}}
    fires(ImpossibleFigures(), reported(**table), "error", "ALL 21 (matrix: 20)")
    fires(ImpossibleFigures(), reported(**V4, test_images=226), "error", "226", "225")
    sides: dict[str, Any] = {"class_counts": {"ALL": 100}, "train_counts": {"ALL": 81}}
    sides["test_counts"] = {"ALL": 20}
    fires(ImpossibleFigures(), reported(**sides), "error", "101", "100")
    passes(ImpossibleFigures(), reported(**sides | {"train_counts": {"ALL": 80}}))


def test_consistent_table() -> None:
    fires(ConsistentTable(), reported(**V4), "note", "its matrix of 225 rows")
    passes(ConsistentTable(), reported(**V4, recall="0.1500"))
    table = TWO | {"test_counts": {"Benign": 205, "ALL": 20}, "recall": "0.1000"}
    unique = reported(**table, specificity="0.9122")
    fires(ConsistentTable(), unique, "note", "one matrix", "[[187, 18], [18, 2]]")
    fires(ConsistentTable(), reported(**TWO, accuracy="0.9"), "note", "not stated")


def test_stratified_supports_are_named() -> None:
    table = TWO | {"class_counts": {"Benign": 100, "ALL": 50}, "test_images": 30}
    case = reported(**table, recall="0.10", precision="0.1", f1="0.1")
    fires(ConsistentTable(), case, "note", "supports 20/10")


def test_undefined_printed() -> None:
    table = {"classes": ["a", "b"], "confusion": [[5, 0], [0, 0]]}
    per_class = {"a": {"recall": "1.00", "specificity": "0.00"}, "b": {"recall": "0.00"}}
    case = reported(**table, per_class=per_class)
    fires(UndefinedPrinted(), case, "error", "2 figures", "a specificity 0.00", "b recall 0.00")
    passes(UndefinedPrinted(), reported(**table, per_class={"b": {"recall": "undefined"}}))
    passes(UndefinedPrinted(), reported(**table, per_class={"a": {"recall": "1.00"}}))


def test_undefined_measured() -> None:
    all_benign = binary([0, 0, 0], [0.1, 0.2, 0.3])
    zero = Score(name="recall", value=0.0, label="ALL")
    fires(
        UndefinedPrinted(), RunRecord(predictions=all_benign, scores=(zero,)), "error", "ALL recall"
    )
    none = Score(name="recall", value=None, label="ALL")
    passes(UndefinedPrinted(), RunRecord(predictions=all_benign, scores=(none,)))


def test_one_class_tested() -> None:
    case = evidence(rows(3, 1), predictions=binary([0, 0, 0], [0.1, 0.2, 0.3]))
    fires(OneClassTested(), case, "error", "all 3 scored rows are Benign")
    passes(OneClassTested(), evidence(predictions=binary([0, 0, 1], [0.1, 0.2, 0.3])))
    fires(OneClassTested(), reported(**TWO, confusion=[[5, 1], [0, 0]]), "error", "Benign")
    passes(OneClassTested(), reported(**TWO, confusion=[[5, 1], [0, 1]]))
    v2 = {"classes": ["a", "b"], "test_counts": {"a": 205}}
    fires(OneClassTested(), reported(**v2), "error", "205 a")


def test_one_class_follows_from_precision_one_and_specificity_zero() -> None:
    figures = {"precision": "1.0000", "specificity": "0.0000"}
    case = reported(classes=["a", "b"], per_class={"a": figures})
    fires(OneClassTested(), case, "error", "one class, a", "19,998")
    other = reported(classes=["a", "b"], per_class={"a": figures | {"specificity": "0.0001"}})
    passes(OneClassTested(), other)


def test_an_auc_from_one_class_is_named() -> None:
    auc = Score(name="auc", value=0.5)
    case = RunRecord(predictions=binary([0, 0], [0.1, 0.2]), scores=(auc,))
    fires(OneClassTested(), case, "error", "auc cannot come from it")


def test_majority_baseline() -> None:
    fires(MajorityBaseline(), reported(**V4), "error", "84.00 %", "91.1 %", "20 positives")
    better = V4 | {"confusion": [[204, 1], [18, 2]], "accuracy": "91.56 %"}
    passes(MajorityBaseline(), reported(**better))
    labels = [0] * 8 + [1] * 2
    constant = binary(labels, [0.1] * 10)
    fires(MajorityBaseline(), RunRecord(predictions=constant), "warning", "80.0 %", "at the")
    passes(MajorityBaseline(), RunRecord(predictions=binary(labels, [0.1] * 9 + [0.9])))
    decided = dataclasses.replace(constant, decision=np.array(labels))
    passes(MajorityBaseline(), RunRecord(predictions=decided))


def test_baseline_misquoted() -> None:
    table = {"classes": list("abcd"), "baseline_claimed": "0.25",
             "test_counts": {"a": 102, "b": 191, "c": 160, "d": 196}}  # fmt: skip
    fires(BaselineMisquoted(), reported(**table), "warning", "30.2 %", "d, 196 of 649", "25.0 %")
    passes(BaselineMisquoted(), reported(**table | {"baseline_claimed": "0.30"}))
    even = {"test_counts": dict.fromkeys("abcd", 10)}
    passes(BaselineMisquoted(), reported(**table | even))


def test_auc_near_half() -> None:
    fires(AucNearHalf(), reported(**V4, auc="0.3898"), "warning", "under one half", "0.27 to 0.51")
    large = TWO | {"confusion": [[852, 172], [100, 309]]}
    passes(AucNearHalf(), reported(**large, auc="0.8515"))
    fires(AucNearHalf(), reported(**large, auc="0.3000"), "warning", "under one half")
    near = Score(name="auc", value=0.55, low=0.48, high=0.62)
    fires(AucNearHalf(), RunRecord(scores=(near,)), "warning", "0.48 to 0.62", "includes")
    clear = Score(name="auc", value=0.58, low=0.51, high=0.65)
    passes(AucNearHalf(), RunRecord(scores=(clear,)))


def test_brier_no_better() -> None:
    v5 = TWO | {"confusion": [[852, 172], [100, 309]]}
    fires(BrierNoBetter(), reported(**v5, brier="0.2065"), "error", "0.2065", "0.2040")
    passes(BrierNoBetter(), reported(**v5, brier="0.2035"))
    case = RunRecord(
        predictions=binary([0, 1], [0.5, 0.5]), scores=(Score(name="brier", value=0.25),)
    )
    fires(BrierNoBetter(), case, "warning", "0.250 is no better than the base rate's 0.250")
    good = dataclasses.replace(case, scores=(Score(name="brier", value=0.24),))
    passes(BrierNoBetter(), good)


def test_few_positives() -> None:
    fires(FewPositives(), reported(**V4, recall="0.1000"), "warning", "20 images", "0.03 to 0.30")
    passes(FewPositives(), reported(**TWO, confusion=[[852, 172], [100, 309]], recall="0.7555"))
    few = binary([0] * 200 + [1] * 10, [0.1] * 200 + [0.9] * 5 + [0.1] * 5)
    fires(FewPositives(), RunRecord(predictions=few), "warning", "ALL rests on 10 images")
    many = binary([0] * 200 + [1] * 200, [0.1] * 200 + [0.9] * 100 + [0.1] * 100)
    passes(FewPositives(), RunRecord(predictions=many))


def test_imbalanced_answers() -> None:
    case = RunRecord(predictions=binary([0, 0, 1], [0.1, 0.2, 0.3]))
    fires(ImbalancedAnswers(), case, "warning", "ALL (1 row)")
    passes(ImbalancedAnswers(), RunRecord(predictions=binary([0, 0, 1], [0.1, 0.6, 0.3])))
    passes(ImbalancedAnswers(), RunRecord(predictions=binary([0, 0], [0.1, 0.2])))


def test_threshold_on_scored() -> None:
    fires(
        ThresholdOnScored(), RunRecord(threshold=0.36, threshold_from="scored"), "error", "0.3600"
    )
    passes(ThresholdOnScored(), RunRecord(threshold=0.36, threshold_from="validation"))
    asked = {"evaluate": {"threshold": {"rule": "f1", "fitted_on": "scored"}}}
    fires(ThresholdOnScored(), RunRecord(recipe=asked), "error", "recipe")
    fixed = {"evaluate": {"threshold": {"rule": "fixed", "fitted_on": "scored"}}}
    passes(ThresholdOnScored(), RunRecord(recipe=fixed))


def test_threshold_never_crossed() -> None:
    scored = binary([0, 1], [0.1, 0.4])
    fires(ThresholdNeverCrossed(), RunRecord(predictions=scored, threshold=0.5), "warning", "under")
    fires(ThresholdNeverCrossed(), RunRecord(predictions=scored, threshold=0.1), "warning", "over")
    passes(ThresholdNeverCrossed(), RunRecord(predictions=scored, threshold=0.4))


def test_poor_calibration() -> None:
    rng = np.random.default_rng(0)
    scores = rng.uniform(0, 1, 400)
    honest = (rng.uniform(0, 1, 400) < scores).astype(int).tolist()
    passes(PoorCalibration(), RunRecord(predictions=binary(honest, scores.tolist())))
    sure = np.where(scores > 0.5, 0.99, 0.01).tolist()
    fires(PoorCalibration(), RunRecord(predictions=binary(honest, sure)), "warning", "99.0 %")
    passes(PoorCalibration(), RunRecord(predictions=binary(honest[:50], sure[:50])))


def test_copies_are_no_further_images_to_the_rules_on_amount() -> None:
    right = [True] * 18 + [False] * 6
    labels, scores = [1] * 24 + [0] * 400, [0.9 if one else 0.2 for one in right] + [0.1] * 400
    four = binary([1] * 96 + [0] * 400, [p for p in scores[:24] for _ in range(4)] + [0.1] * 400)
    group = np.array([n // 4 for n in range(96)] + list(range(100, 500)))
    once = RunRecord(predictions=binary(labels, scores))
    often = RunRecord(predictions=replace(four, group=group))
    fires(FewPositives(), once, "warning", "of ALL rests on 24 images: its 95 % interval is 0.55")
    fires(FewPositives(), often, "warning", "ALL rests on 24 pictures in 96 files", "is 0.55 to")
    passes(FewPositives(), RunRecord(predictions=four))


@given(
    hits=st.lists(st.integers(0, 3), min_size=2, max_size=40),
    apart=st.booleans(),
)
def test_as_many_rows_count_as_tell_something_new(hits: list[int], apart: bool) -> None:
    right = np.array([row < n for n in hits for row in range(3)])
    unit = np.arange(len(right)) if apart else np.repeat(np.arange(len(hits)), 3)
    counted = effective(right, unit)
    assert counted == len(right) if apart else 0 < counted <= len(right)
    copied = np.repeat(np.array(hits) > 1, 3)
    if not apart:
        assert effective(copied, unit) == pytest.approx(len(hits))


def test_poor_calibration_counts_pictures() -> None:
    rng = np.random.default_rng(0)
    honest = (rng.random(50) < 0.5).astype(int)
    sure = np.where(rng.random(50) > 0.5, 0.99, 0.01)
    files = [sample(f"{n}-{copy}.jpg", "ALL") for n in range(50) for copy in range(4)]
    rows = binary(np.repeat(honest, 4).tolist(), np.repeat(sure, 4).tolist())
    rows = replace(rows, id=tuple(one.id for one in files))
    fires(PoorCalibration(), RunRecord(predictions=rows), "warning", "99.0 %")
    samples = Samples(rows=tuple(files), classes=("Benign", "ALL"))
    pixels = {one.id: one.id.partition("-")[0] for one in files}
    passes(PoorCalibration(), RunRecord(predictions=rows, samples=samples, pixels=pixels))


def test_uniform_predictions() -> None:
    uniform = predictions([0, 1, 2], [[0.34, 0.33, 0.33]] * 3, classes="abc")
    fires(UniformPredictions(), RunRecord(predictions=uniform), "warning", "ln 3 = 1.0986")
    passes(UniformPredictions(), RunRecord(predictions=binary([0, 1], [0.4, 0.6])))


def test_fewer_folds() -> None:
    recipe = {"data": {"folds": {"k": 3}}}
    two = binary([0, 1], [0.1, 0.9], fold=[0, 1])
    fires(FewerFolds(), RunRecord(predictions=two, recipe=recipe), "error", "2 of 3 folds")
    three = binary([0, 1, 0], [0.1, 0.9, 0.1], fold=[0, 1, 2])
    passes(FewerFolds(), RunRecord(predictions=three, recipe=recipe))
    table = {"classes": ["a", "b"], "folds": 5, "test_images": 205, "images": 1024}
    fires(FewerFolds(), reported(**table), "warning", "205 of 1,024", "5 folds")
    passes(FewerFolds(), reported(**table | {"test_images": 1024}))


def test_test_looks() -> None:
    fires(
        LooksAtTest(),
        RunRecord(**from_facts({"test_looks": ["a", "b", "c"]})),
        "warning",
        "3 earlier runs",
    )
    fires(
        LooksAtTest(),
        RunRecord(**from_facts({"test_looks": ["v3-a"]})),
        "warning",
        "1 earlier run",
        "v3-a",
    )
    passes(LooksAtTest(), RunRecord(**from_facts({"test_looks": []})))
    passes(LooksAtTest(most=3), RunRecord(**from_facts({"test_looks": ["a", "b", "c"]})))


@pytest.mark.parametrize("rule", FIGURES)
def test_nothing_is_said_without_evidence(rule: type) -> None:
    assert found(rule(), RunRecord()) == []


@pytest.mark.parametrize("rule", FIGURES)
def test_no_rows_are_no_reason_to_fail(rule: type) -> None:
    assert found(rule(), RunRecord(predictions=binary([], []), threshold=0.5)) == []


def test_intervals_are_those_of_the_literature() -> None:
    # Newcombe (1998), table I: 81 of 263 and 15 of 148, by Wilson's method.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0, 10)[0] == 0
    # At one half the formula is the variance of Mann and Whitney's U under no difference.
    low, high = auc_interval(0.5, 20, 205)
    assert (high - low) / 2 / 1.959964 == pytest.approx((226 / (12 * 20 * 205)) ** 0.5)
    assert auc_interval(1.0, 5, 5) == (1.0, 1.0)
    assert base_rate_brier([1024, 409]) == pytest.approx(0.20395, abs=1e-5)
    assert base_rate_brier([5, 5, 5]) == pytest.approx(2 / 3)
