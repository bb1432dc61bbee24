"""The gate's figures as a table: every class a row, and who was taught is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from leukreg_plugins.reporting.synthetic_images import lines, table

from leukreg.record import RunRecord
from tests.facts import from_facts

GOOD: dict[str, Any] = {
    "class": "pro-b", "fake": 1200, "real": 150, "kid": 0.0021, "floor_kid": 0.0007,
    "kid_ratio": 3.0, "coverage": 0.81, "copies": 2, "passed": True, "why": [], "entered": 1200,
    "fakes_only": {"score": 0.8, "real": 0.95, "pupil": "regression"},
}  # fmt: skip
BAD: dict[str, Any] = {
    "class": "pre-b", "fake": 10, "real": 0, "copies": 0, "passed": False, "entered": 0,
    "why": ["no real images to hold them against"], "unjudged": "no real images",
}  # fmt: skip


@pytest.fixture
def result(make_result: Callable[..., RunRecord]) -> Callable[..., RunRecord]:
    return lambda *tables: replace(make_result(), **from_facts({"fidelity": list(tables)}))


def test_each_class_is_a_row_and_what_is_unknown_a_dash(result: Any) -> None:
    shown = table(result(GOOD, BAD))
    assert shown is not None
    assert shown.rows == (
        ("pro-b", "1,200/150", "2.1/0.7", "3.0", "0.81", "2", "0.80/0.95", "pass"),
        ("pre-b", "10/0", "-", "-", "-", "0", "-", "FAIL"),
    )
    assert "FAILED, left out: no real images to hold them against" in next(lines(result(GOOD, BAD)))


def test_the_fold_is_a_column_where_there_are_several(result: Any) -> None:
    shown = table(result(GOOD | {"fold": 0}, GOOD | {"fold": 1}))
    assert shown is not None
    assert shown.columns[0] == "fold"
    assert [row[0] for row in shown.rows] == ["1", "2"]


def test_the_caption_says_who_was_taught(result: Any) -> None:
    by_network = GOOD | {"fakes_only": {"score": 0.6, "real": 0.9, "pupil": "network"}}
    plain, network = table(result(GOOD, BAD)), table(result(by_network, BAD))
    assert plain is not None
    assert network is not None
    assert "of a plain classifier taught" in str(plain.caption)
    assert "of a small network taught" in str(network.caption)


def test_without_figures_there_is_no_table(result: Any) -> None:
    assert table(result()) is None
