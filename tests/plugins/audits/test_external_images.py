"""Rules on evaluations elsewhere: each fires on a case, and not on its near miss."""

from __future__ import annotations

from typing import Any

import pytest
from leukreg_plugins.audits.leakage import ExternalClasses, ExternalCopies

from leukreg import RunRecord
from tests.facts import from_facts

COPIES = {"exact": {"b/1.png": "a/7.png"}, "near": {"b/2.png": "a/8.png"}}


def found(rule: type, **facts: Any) -> list[tuple[str, str]]:
    evidence = RunRecord(**from_facts({"evaluated_from": {"run": "v4", **facts}}))
    return [(one.severity, one.message) for one in rule().build(evidence)]


@pytest.mark.parametrize(
    ("rule", "facts", "severity", "words"),
    [
        (ExternalCopies, {"copies": COPIES}, "error", "2 of 2 images copy training images of v4"),
        (ExternalCopies, {"copies": COPIES, "copies_left_out": 2}, "note", "2 copies"),
        (ExternalCopies, {"copies_unknown": "0 of 9"}, "warning", "looked for: 0 of 9"),
        (ExternalClasses, {"missing": ["Pre-B"]}, "warning", "shows Pre-B"),
        (ExternalClasses, {"unmapped": {"x": 3, "y": 1}}, "note", "4 images of classes"),
    ],
)
def test_it_fires(rule: type, facts: dict[str, Any], severity: str, words: str) -> None:
    [(how, message)] = found(rule, **facts)
    assert how == severity
    assert words in message


@pytest.mark.parametrize("rule", [ExternalCopies, ExternalClasses])
def test_it_does_not_fire_without_cause(rule: type) -> None:
    nothing = {"exact": {}, "near": {}}
    assert found(rule, copies=nothing, copies_left_out=0, copies_unknown="", missing=[]) == []
    assert list(rule().build(RunRecord())) == []
    assert list(rule().build(RunRecord(**from_facts({"evaluated_from": None})))) == []
