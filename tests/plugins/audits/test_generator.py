"""Rules on generators: each fires on a small case, and not on its near miss."""

from __future__ import annotations

from typing import Any

import pytest
from leukreg_plugins.audits.generator import (
    GENERATOR,
    DistancesDiffer,
    FakesCopyTraining,
    FakesTeachNothing,
    GainIncludesZero,
    LowCoverage,
    ToldApart,
    TooFewForDistance,
)

from leukreg import Evidence
from tests.plugins.audits.evidence import fires, found, passes


def kept(**table: Any) -> Evidence:
    return Evidence(facts={"fidelity": [{"class": "ALL", **table}]})


CASES: list[tuple[type, dict[str, Any], tuple[str, str], dict[str, Any]]] = [
    (TooFewForDistance, {"fid": 31.5, "real": 3000, "fake": 500}, ("warning", "500 images"),
     {"fid": 31.5, "real": 3000, "fake": 2048}),
    (TooFewForDistance, {"kid": 0.02, "real": 99, "fake": 500}, ("warning", "99 images"),
     {"kid": 0.02, "real": 100, "fake": 500}),
    (DistancesDiffer, {"extractor": "inception", "compared_with": {"extractor": "resnet18"}},
     ("error", "extractor inception and resnet18"),
     {"extractor": "inception", "compared_with": {"extractor": "inception"}}),
    (DistancesDiffer, {"size": 64, "fake": 500, "compared_with": {"size": 224, "fake": 900}},
     ("error", "size 64 and 224, fake 500 and 900"), {"size": 64, "compared_with": {"fake": 500}}),
    (LowCoverage, {"coverage": 0.31}, ("warning", "31.0 %"), {"coverage": 0.5}),
    (FakesCopyTraining, {"copies": 6, "fake": 400}, ("error", "6 of 400"),
     {"copies": 4, "fake": 400}),
    (ToldApart, {"told_apart": 0.97}, ("warning", "0.970"), {"told_apart": 0.9}),
    (FakesTeachNothing, {"fakes_only": {"score": 0.55, "chance": 0.5, "low": 0.48}},
     ("warning", "0.550"), {"fakes_only": {"score": 0.55, "chance": 0.5, "low": 0.51}}),
    (GainIncludesZero, {"gain": {"value": 0.012, "low": -0.004, "high": 0.03}},
     ("warning", "-0.0040 to +0.0300"), {"gain": {"value": 0.012, "low": 0.001, "high": 0.03}}),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "bad", "says", "good"), CASES)
def test_it_fires_and_its_near_miss_does_not(
    rule: type, bad: dict[str, Any], says: tuple[str, str], good: dict[str, Any]
) -> None:
    fires(rule(), kept(**bad), says[0], "ALL: ", says[1])
    passes(rule(), kept(**good))


def test_every_rule_has_a_case() -> None:
    assert {case[0] for case in CASES} == set(GENERATOR)


@pytest.mark.parametrize("rule", GENERATOR)
@pytest.mark.parametrize(
    "fidelity", [None, [], {}, "none", [{"class": "ALL", "fid": None, "gain": 3}]]
)
def test_nothing_is_said_without_figures(rule: type, fidelity: Any) -> None:
    assert found(rule(), Evidence(facts={"fidelity": fidelity})) == []
    assert found(rule(), Evidence()) == []


def test_tables_may_come_by_name_or_alone() -> None:
    by_name = Evidence(facts={"fidelity": {"pro-b": {"coverage": 0.1}}})
    fires(LowCoverage(), by_name, "warning", "pro-b: ")
    fires(LowCoverage(), Evidence(facts={"fidelity": {"coverage": 0.1}}), "warning", "10.0 %")
