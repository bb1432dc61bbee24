"""A table is accused only when no honest reading fits; otherwise the one that fits is named."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leukreg.audit.cp_sat import Purse
from leukreg.audit.examination import examine
from leukreg.audit.published_table import Reported
from leukreg.audit.reading_search import of_test
from leukreg.audit.reconstruct import puzzle_of
from tests.audit.printed_forms import FORMS, Draw, drawn, from_seed, printed_as

TWO: dict[str, Any] = {"classes": ["HEM", "ALL"], "positive": "ALL"}
SIZED = TWO | {"test_counts": {"HEM": 678, "ALL": 1455}}
MATRIX = [[435, 243], [49, 1406]]


def verdict(**table: Any) -> Any:
    return examine(Reported.read(table)).verdict


@pytest.mark.parametrize(
    ("table", "headline"),
    [
        (SIZED | {"accuracy": "0.8631", "precision": "0.8526", "recall": "0.9663"}, "consistent"),
        (
            SIZED | {"accuracy": "86.31 %", "specificity": "64.15 %"},
            "consistent as truncated (specificity 64.15 %)",
        ),
        (
            SIZED | {"precision": "0.8988", "recall": "0.6416", "specificity": "0.9663"},
            "consistent as figures of HEM",
        ),
        (
            TWO
            | {"confusion": [list(row) for row in zip(*MATRIX, strict=True)]}
            | {"precision": "0.8526", "recall": "0.9663"},
            "consistent as a matrix with predictions as rows",
        ),
        (
            SIZED | {"accuracy": "0.863", "precision": "0.867", "recall": "0.863", "f1": "0.855"},
            "consistent as weighted averages",
        ),
        (SIZED | {"folds": 5, "accuracy": "0.8632", "recall": "0.9660"}, "not checkable"),
        (SIZED | {"accuracy": "0.863 ± 0.01", "recall": "0.9660 ± 0.02"}, "not checkable"),
        (SIZED | {"sensitivity": "0.9663", "npv": "0.8988", "mcc": "0.6759"}, "consistent"),
        (SIZED | {"sensitivity": "0.9663", "ppv": "0.8526", "kappa": "0.66"}, "consistent"),
        # Recall as the accuracy, to three digits: a weighted average, though HEM and ALL may have
        # the same; where a specificity stands beside it, or with two digits, it may be chance.
        (
            TWO | {"accuracy": "0.979", "precision": "0.979", "recall": "0.979"},
            "consistent as weighted averages",
        ),
        (TWO | {"accuracy": "0.95", "precision": "0.96", "recall": "0.95"}, "consistent"),
        # 2,136 images of the class print so: digits need not have been cut off.
        (
            {"classes": ["a", "b", "c", "d"]}
            | {"per_class": {"d": {"precision": ".987", "recall": ".993", "f1": ".989"}}},
            "consistent",
        ),
        (TWO | {"accuracy": "0.950", "recall": "0.950", "specificity": "0.950"}, "consistent"),
        (
            TWO | {"precision": ".50", "recall": ".50", "f1": ".60"},
            "consistent as a mix, as no single reading fits: precision of HEM, recall of ALL, "
            "F1 of ALL",
        ),
    ],
)
def test_the_reading_that_fits_is_named(table: dict[str, Any], headline: str) -> None:
    assert verdict(**table).headline == headline


def rows(*f1: str, name: str = "f1") -> dict[str, Any]:
    return {f"c{i}": {name: value} for i, value in enumerate(f1)}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        # An average under all its rows, an accuracy under all recalls: of any size.
        ({"f1": "0.64", "per_class": rows("0.92", "0.92", "0.94", "0.98")}, "F1 0.64"),
        (
            {"accuracy": "0.80", "per_class": rows("0.92", "0.93", "0.97", name="recall")},
            "accuracy 80 %",
        ),
        (SIZED | {"sensitivity": "0.9663", "ppv": "0.8526", "mcc": "0.6771"}, "it is 0.6759"),
        # Of five ways out the accuracy is told, which the recalls make.
        (
            {"test_counts": {"c0": 101, "c1": 197, "c2": 193, "c3": 161}, "accuracy": "95 %"}
            | {"per_class": rows("90 %", "96 %", "97 %", "100 %", name="recall")},
            "the rest agrees if accuracy may be 628/652 = 96.32 %",
        ),
        (
            {"folds": 5, "classes": ["a", "b"]}
            | {"per_class": {"a": {"precision": ".80", "recall": ".80", "f1": ".90"}}},
            "in any folds",
        ),
    ],
)
def test_where_nothing_fits_the_conflict_is_short(table: dict[str, Any], words: str) -> None:
    found = verdict(**table)
    assert found.status == "impossible"
    assert words in found.reason


def test_of_ten_classes_three_figures_are_named() -> None:
    row = {"precision": "0.8512", "recall": "0.8571", "f1": "0.8542"}
    wrong = {"precision": "0.7597", "recall": "0.8345", "f1": "0.7951"}
    table = {"per_class": {f"c{i}": wrong if i == 3 else row for i in range(10)}}
    reason = verdict(**table).reason
    assert reason.startswith("c3 precision 0.7597, c3 recall 0.8345, c3 F1 0.7951 cannot be true")


def test_two_figures_are_named_where_an_average_misses_its_rows_too() -> None:
    row = {"precision": "0.95", "recall": "0.91", "f1": "0.93"}
    table = {f"c{i}": row | ({"precision": "0.55"} if i == 3 else {}) for i in range(8)}
    reason = verdict(per_class=table, macro_precision="0.95").reason
    assert reason.startswith("c3 precision 0.55, c3 F1 0.93 cannot be true together")


def test_no_slip_is_named_while_the_plain_reading_is_open() -> None:
    row = {"precision": "0.987", "recall": "0.993", "f1": "0.989"}  # in very large tests alone
    found = verdict(classes=list("abcd"), per_class={"d": row})
    assert not found.reading
    assert found.status == "consistent" or "set effort" in found.reason


def test_a_verdict_lists_what_it_rests_on_and_what_it_could_not_use() -> None:
    found = verdict(**SIZED, accuracy="0.8631", recall="0.9663", auc="0.91", top_3="1.00")
    assert found.rests_on == ("accuracy 86.31 %", "recall 0.9663")
    assert [one.split(" (")[0] for one in found.unused] == ["AUC 0.91", "top 3 1.00"]
    assert found.assumptions == ("figures of the whole are those of ALL",)


def test_how_the_matrix_is_read_is_among_the_assumptions() -> None:
    (said,) = verdict(**TWO, confusion=MATRIX, accuracy="0.8631").assumptions
    assert said == "the rows of the matrix are the true classes, its columns the predicted ones"
    shares = verdict(**TWO, confusion=[["64 %", "36 %"], ["3 %", "97 %"]])
    assert shares.assumptions[0].endswith("each row sums to 1 (100 %)")


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(FORMS), drawn())
def test_no_honest_table_is_impossible(form: str, draw: Draw) -> None:
    table = printed_as(form, draw)
    assert verdict(**table).status != "impossible", table


@pytest.mark.parametrize("effort", [0.0, 0.001, 0.01, 0.03, 0.1, 0.3])
@pytest.mark.parametrize("seed", [3, 5, 8])
def test_whatever_effort_is_left_nothing_breaks(seed: int, effort: float) -> None:
    puzzle = puzzle_of(Reported.read(printed_as("truncated", from_seed(seed, 60))))
    assert not isinstance(puzzle, str)
    reading, why = of_test(puzzle, Purse(effort))
    assert why or (reading is not None and reading.answer.answers)
