"""What a report says twice, it says alike."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from leukreg_plugins.reporting import external_validation, roc_curves
from leukreg_plugins.reporting.format import find, number, percent
from leukreg_plugins.reporting.scores import whole

from leukreg import Score
from leukreg.record import External
from tests.factory import build_result


def test_337_of_400_is_one_figure_in_both_forms() -> None:
    score = Score(name="accuracy", value=337 / 400)
    assert percent(score).startswith("84.3")
    assert number(score.value) == "0.843"


@pytest.mark.parametrize("name", ["auc", "average_precision"])
def test_a_curve_and_the_table_show_one_figure(name: str) -> None:
    result = build_result()
    (axes,) = roc_curves.figure(result, name).axes
    shown = re.search(r"0\.\d+", axes.get_title())
    assert shown is not None
    head = {"auc": "AUC", "average_precision": "average precision of ALL"}[name]
    row = next(row for row in whole(result).rows if row[0] == head)
    assert shown[0] == row[1]
    assert [row[0] for row in whole(result).rows].count("average precision") == 0


@pytest.mark.parametrize("folds", [1, 3])
@pytest.mark.parametrize("threshold", [False, True])
def test_the_dot_on_the_curve_is_what_was_reported(folds: int, threshold: bool) -> None:
    result = build_result(folds=folds, threshold=threshold)
    if folds > 1:  # thresholds of folds differ: one drawn for all is another point
        odd = np.where(result.predictions.fold == 0, 0, result.predictions.decision)
        assert result.predictions.decision is not None
        result = replace(result, predictions=replace(result.predictions, decision=odd))
    (axes,) = roc_curves.figure(result, "auc").axes
    (x,), (y,) = axes.lines[-1].get_data()
    truth, answer = result.predictions.label == 1, result.predictions.decision == 1
    assert float(x) == pytest.approx(answer[~truth].mean())
    assert float(y) == pytest.approx(answer[truth].mean())
    if folds == 1:
        recall, specificity = (find(result, n, "ALL") for n in ("recall", "specificity"))
        assert recall is not None
        assert specificity is not None
        assert (1 - float(x), float(y)) == pytest.approx((specificity.value, recall.value))


def test_the_originals_figures_of_shared_classes_say_so() -> None:
    origin = External(how="no interval", missing=("Pro-B",))
    assert "original, these classes only" in external_validation.table(origin).columns
    assert "original" in external_validation.table(replace(origin, missing=())).columns
