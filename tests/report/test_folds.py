"""Figures per fold, beside the pooled ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from leukreg_plugins.audits.confidence import ThresholdsDiffer
from leukreg_plugins.reporting.folds import EachFold, figures, within
from sklearn.metrics import roc_auc_score

from leukreg.record import RunRecord
from leukreg.types import Predictions
from tests.evaluate.simulated import table
from tests.facts import from_facts

Make = Callable[..., RunRecord]


def drawn(n: int, folds: int, seed: int, k: int = 2) -> Predictions:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(k), n)
    return table(rng.integers(0, k, n), p, fold=np.arange(n) % folds)


@given(n=st.integers(4, 60), folds=st.integers(2, 4), seed=st.integers(0, 99))
def test_folds_weighted_by_what_they_hold_give_the_pooled_figures(
    n: int, folds: int, seed: int
) -> None:
    rows = drawn(n, folds, seed)
    there = sorted(set(rows.fold.tolist()))
    each = figures(rows, there)
    sizes = np.bincount(rows.fold)
    pooled = figures(replace(rows, fold=rows.fold * 0), [0])
    assert each["accuracy"] @ sizes / n == pytest.approx(pooled["accuracy"][0])
    truth, won, pairs = rows.label == 1, 0.0, 0
    for fold in there:
        own = rows.fold == fold
        some = int((own & truth).sum()) * int((own & ~truth).sum())
        if some:
            one = roc_auc_score(truth[own], rows.probabilities[own, 1])
            assert each["AUC"][fold] == pytest.approx(one)
            won, pairs = won + some * one, pairs + some
        else:
            assert np.isnan(each["AUC"][fold])
    assert within(rows, there) == (pytest.approx(won / pairs) if pairs else None)


def test_the_table_has_the_folds_their_spread_and_the_pooled_figures(make_result: Make) -> None:
    result = make_result(folds=3, threshold=True, skill=0.5)
    (section,) = EachFold().build(result)
    (shown,) = section.tables
    assert shown.columns[:5] == ("fold", "images", "accuracy", "balanced accuracy", "AUC")
    assert {"threshold", "best epochs"} <= set(shown.columns)
    assert [row[0] for row in shown.rows] == ["1", "2", "3", "lowest", "highest", "pooled"]
    accuracy = next(s for s in result.scores if s.name == "accuracy")
    assert shown.rows[-1][2] == f"{accuracy.value:.3f}"
    assert section.text[0].startswith("AUC within folds ")
    assert [one.fold for one in result.fitted.thresholds] == [0, 1, 2]
    assert any("which was never scored" in line for line in section.text)


WIDE = {"thresholds": [{"fold": 0, "threshold": 0.315}, {"fold": 1, "threshold": 0.986}]}
NEAR = {"thresholds": [{"fold": 0, "threshold": 0.5}, {"fold": 1, "threshold": 0.5001}]}


@pytest.mark.parametrize("waived", [None, "a pilot"])
def test_thresholds_that_matter_are_a_finding_which_the_section_does_not_repeat(
    make_result: Make, waived: str | None
) -> None:
    result = replace(make_result(folds=2, threshold=True), **from_facts(WIDE))
    (finding,) = ThresholdsDiffer().build(result)
    assert finding.message.startswith("thresholds of the folds run from 0.3150 to 0.9860; ")
    (section,) = EachFold().build(replace(result, findings=(replace(finding, waived=waived),)))
    assert not any("run from" in line or line.startswith("! ") for line in section.text)
    assert any(", 0.6505, which was never scored" in line for line in section.text)


def test_thresholds_that_do_not_matter_are_said_in_the_section(make_result: Make) -> None:
    result = replace(make_result(folds=2, threshold=True), **from_facts(NEAR))
    assert list(ThresholdsDiffer().build(result)) == []
    (quiet,) = EachFold().build(result)
    assert not any(line.startswith("! ") for line in quiet.text)
    assert any(line.startswith("Thresholds of the folds run from 0.5000") for line in quiet.text)
    at = quiet.tables[0].columns.index("threshold")
    assert [row[at] for row in quiet.tables[0].rows[:2]] == ["0.5000", "0.5001"]


def test_one_fold_is_no_table(make_result: Make) -> None:
    assert list(EachFold().build(make_result(folds=1))) == []
