"""Figures of fidelity beside those of an earlier check."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from leukreg.report.fidelity_report import changes


def figures(kid: float) -> dict[str, Any]:
    return {"extractor": "grid@1", "size": 32, "real": 52, "fake": 48, "fid": None, "kid": kid}


def measured(kid: float) -> SimpleNamespace:
    return SimpleNamespace(table=lambda: figures(kid))


def test_a_class_that_is_called_all_is_held_against_itself() -> None:
    found = SimpleNamespace(
        classes={"all": measured(0.3), "new": measured(1)}, overall=measured(0.5)
    )
    before = {"overall": figures(0.1), "classes": {"all": figures(0.2)}}
    (table,) = changes(before, cast("Any", found), "before.json").tables
    assert [(row[0], row[2]) for row in table.rows] == [("all", "+0.1000"), ("all", "+0.4000")]
