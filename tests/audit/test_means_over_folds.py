"""Means over folds: those of known sizes are decided, and no honest mean is accused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leukreg.audit.examination import examine
from leukreg.audit.published_table import Reported
from leukreg.errors import Problems

FIVE = {"classes": ["Benign", "ALL"], "fold_sizes": [{"Benign": 41, "ALL": 4}] * 5}


def verdict(**table: Any) -> Any:
    return examine(Reported.read(table)).verdict


@pytest.mark.parametrize(
    ("figures", "headline"),
    [
        # Five folds of four: recalls are twentieths.
        ({"accuracy": "0.9422", "recall": "0.6500"}, "consistent as means over 5 folds of these"),
        ({"accuracy": "0.9422", "recall": "0.6333"}, "impossible"),
        ({"accuracy": "0.9422", "recall": "0.6333", "runs": 3}, "consistent as means over 5 folds"),
        ({"accuracy": "0.942"}, "consistent as means over 5 folds"),
        ({"accuracy": "0.9420"}, "impossible"),
        ({"auc": "0.6333"}, "not checkable"),
    ],
)
def test_means_over_folds_of_known_sizes_are_decided(
    figures: dict[str, Any], headline: str
) -> None:
    assert verdict(**FIVE | figures).headline.startswith(headline)


def test_sizes_alone_tell_the_accuracy() -> None:
    table = {"classes": ["a", "b"], "fold_sizes": [20, 20, 20]}
    assert verdict(**table, accuracy="0.9333").status == "consistent"
    found = verdict(**table, accuracy="0.9200")
    assert (found.status, found.rests_on) == ("impossible", ("accuracy 92.00 %",))
    assert "rates of all tests' rows together" in found.tried


def test_rates_of_all_rows_are_tried_as_well() -> None:
    folds = [{"a": 10, "b": 3}, {"a": 10, "b": 4}]
    row = {"recall": "0.7143", "precision": "0.5556"}  # 5 of 7: no mean of thirds and quarters
    found = verdict(fold_sizes=folds, per_class={"b": row})
    assert found.headline == "consistent as rates of all tests' rows together"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"fold_sizes": 5}, "must be a list"),
        ({"fold_sizes": [5, 5], "folds": 3}, "there are 2, not 3"),
        ({"fold_sizes": [-5]}, "must lie between 0"),
        ({"fold_sizes": [{"a": "x"}]}, "whole number"),
        ({"fold_sizes": [{"c": 5}], "classes": ["a", "b"]}, "lacks 'c'"),
    ],
)
def test_absurd_folds_are_refused(table: dict[str, Any], words: str) -> None:
    with pytest.raises(Problems) as caught:
        Reported.read(table)
    assert words in str(caught.value)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_no_mean_over_folds_is_accused(data: st.DataObject) -> None:
    classes, digits = ["a", "b", "c"][: data.draw(st.integers(2, 3))], data.draw(st.integers(1, 4))
    folds = [{c: data.draw(st.integers(1, 9)) for c in classes} for _ in range(3)]
    hits = [{c: data.draw(st.integers(0, n)) for c, n in fold.items()} for fold in folds]
    pairs = list(zip(folds, hits, strict=True))
    mean = [sum(hit[c] / fold[c] for fold, hit in pairs) / 3 for c in classes]
    accuracy = sum(sum(hit.values()) / sum(fold.values()) for fold, hit in pairs) / 3
    table: dict[str, Any] = {"classes": classes, "fold_sizes": folds}
    table["accuracy"] = f"{accuracy:.{digits}f}"
    of = [sum(mean) / len(mean), *(mean if len(classes) == 2 else ())]
    table["recall"] = f"{data.draw(st.sampled_from(of)):.{digits}f}"
    rows = zip(classes, mean, strict=True)
    table["per_class"] = {c: {"recall": f"{value:.{digits}f}"} for c, value in rows}
    assert verdict(**table).headline == "consistent as means over 3 folds of these sizes", table
