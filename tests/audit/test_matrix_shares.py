"""Confusion matrices of shares: read as what they sum to, counts as counts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leukreg_plugins.audits.contradictions import MatrixOfShares

from leukreg import Reported, RunRecord, examine
from tests.plugins.audits.evidence import fires, passes

TWO: dict[str, Any] = {"classes": ["HEM", "ALL"]}


@pytest.mark.parametrize(
    ("matrix", "of"),
    [
        ([["95.2 %", "4.8 %"], ["4.9 %", "95.1 %"]], "row"),
        ([["0.95", "0.05"], ["0.10", "0.90"]], "row"),
        ([[95.5, 4.5], [10.0, 90.0]], "row"),
        ([[95, 5], [10, 90]], "row"),
        ([["0.95", "0.10"], ["0.05", "0.90"]], "column"),
        ([["0.50", "0.05"], ["0.05", "0.40"]], "everything"),
        ([[95, 5], [10, 91]], None),
        ([[1, 0], [0, 1]], None),
    ],
)
def test_what_a_matrix_sums_to(matrix: list[list[Any]], of: str | None) -> None:
    read = Reported.read(TWO | {"confusion": matrix})
    assert (read.shares.of if read.shares else None) == of
    assert (read.confusion is None) == (of is not None)


def test_a_hundred_of_each_class_are_counts_where_they_are_stated() -> None:
    table = TWO | {"confusion": [[95, 5], [10, 90]], "test_counts": {"HEM": 100, "ALL": 100}}
    assert Reported.read(table).confusion == ((95, 5), (10, 90))
    passes(MatrixOfShares(), RunRecord(recipe={"reported": table}))


def test_a_matrix_in_per_cent_of_its_rows_is_no_contradiction() -> None:
    table = TWO | {"confusion": [[85, 15], [10, 90]], "accuracy": "86 %"}
    read = Reported.read(table)
    assert read.of("HEM")["recall"].text == "85 %"
    assert not list(examine(read).contradictions())
    fires(MatrixOfShares(), RunRecord(recipe={"reported": table}), "note", "each row sums to 1")


FOUR = {"Benign": 101, "Early": 197, "Pre": 193, "Pro": 161}
ROWS = [[90, 10, 0, 0], [2, 96, 2, 0], [0, 3, 97, 0], [0, 0, 0, 100]]


def verdict(**table: Any) -> Any:
    return examine(Reported.read(table)).verdict


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({"accuracy": "95 %"}, "if accuracy may be 628/652 = 96.32 %"),
        ({"per_class": {"Benign": {"recall": "0.80"}}}, "Benign recall 90 % (matrix)"),
        ({"per_class": {"Early": {"precision": "0.90"}}}, "Early precision 0.90 comes from no"),
    ],
)
def test_figures_beside_a_matrix_of_shares_are_held_against_it(
    figures: dict[str, Any], words: str
) -> None:
    table = {"classes": list(FOUR), "test_counts": FOUR, "confusion": ROWS}
    assert verdict(**table).status == "consistent"
    found = verdict(**table | figures)
    assert found.status == "impossible"
    assert words in found.reason
    assert "the matrix turned" in found.tried


def test_a_matrix_of_shares_with_predictions_as_rows_is_read_so() -> None:
    rows = {"HEM": {"precision": "0.64", "recall": "0.955"}, "ALL": {"precision": "0.97"}}
    found = verdict(**TWO, confusion=[["64 %", "36 %"], ["3 %", "97 %"]], per_class=rows)
    assert found.headline == "consistent as a matrix with predictions as rows"
    assert found.assumptions[0].endswith("each row sums to 1 (100 %)")


def test_shares_of_everything_tell_the_accuracy() -> None:
    cells = [["0.20", "0.12"], ["0.02", "0.66"]]
    assert verdict(**TWO, confusion=cells, accuracy="0.86").status == "consistent"
    assert "accuracy 91 % comes from no" in verdict(**TWO, confusion=cells, accuracy="0.91").reason


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 30), min_size=3, max_size=3), min_size=3, max_size=3),
    st.sampled_from(["row", "column", "everything"]),
    st.booleans(),
)
def test_no_matrix_is_accused_beside_its_own_shares(
    counts: list[list[int]], of: str, turned: bool
) -> None:
    rows, columns = list(map(sum, counts)), [sum(column) for column in zip(*counts, strict=True)]
    n = sum(rows)
    if not all(rows) or not all(columns):
        return
    base = {"row": lambda i, j: rows[i], "column": lambda i, j: columns[j]}.get(of, lambda i, j: n)
    cells = [[f"{100 * c / base(i, j):.1f} %" for j, c in enumerate(row)]
             for i, row in enumerate(counts)]  # fmt: skip
    hits = [counts[i][i] for i in range(3)]
    table = {
        "classes": ["a", "b", "c"],
        "confusion": list(zip(*cells, strict=True)) if turned else cells,
        "accuracy": f"{sum(hits) / n:.4f}",
        "per_class": {
            label: {
                "recall": f"{hits[i] / rows[i]:.3f}",
                "precision": f"{hits[i] / columns[i]:.3f}",
            }
            for i, label in enumerate("abc")
        },
    }
    assert verdict(**table).status != "impossible", table
