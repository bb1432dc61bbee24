"""How much figures rest on: rules fire on small cases, not on near misses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from leukreg_plugins.audits.sample_size import (
    ChosenByTest,
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

from leukreg import RunRecord, Score
from tests.facts import from_facts
from tests.plugins.audits.evidence import (
    binary,
    evidence,
    fires,
    passes,
    rows,
)

TWO: dict[str, Any] = {"classes": ["Benign", "ALL"]}

V4: dict[str, Any] = TWO | {"confusion": [[187, 18], [18, 2]], "accuracy": "84.00 %"}


def reported(**table: Any) -> RunRecord:
    return RunRecord(recipe={"reported": table})


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


def test_looks_of_a_sweep_count_as_others() -> None:
    swept = {"sweep": "s", "sweep_looks": ["a", "b"], "sweep_choice": "validation"}
    said = "2 other variations of sweep s are scored on them: a, b"
    fires(LooksAtTest(), RunRecord(**from_facts(swept)), "warning", said)
    both = RunRecord(**from_facts({**swept, "test_looks": ["v3"]}))
    fires(LooksAtTest(most=2), both, "warning", "1 earlier run scored the same", said)
    passes(LooksAtTest(most=3), both)


def test_chosen_by_test() -> None:
    swept = {"sweep": "s", "sweep_looks": ["a", "b"], "sweep_choice": "test"}
    fires(ChosenByTest(), RunRecord(**from_facts(swept)), "error", "among 3 variations")
    passes(ChosenByTest(), RunRecord(**from_facts({**swept, "sweep_choice": "validation"})))
    passes(ChosenByTest(), RunRecord(**from_facts({**swept, "sweep_looks": []})))


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
