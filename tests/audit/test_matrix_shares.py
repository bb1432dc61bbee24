"""Confusion matrices of shares: read as what they sum to, counts as counts."""

from __future__ import annotations

from typing import Any

import pytest
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
