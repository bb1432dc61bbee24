"""Rules on generators: each fires on a small case, and not on its near miss."""

from __future__ import annotations

from typing import Any

import pytest
from leukreg_plugins import plugins_in
from leukreg_plugins.audits.fidelity import (
    DistancesDiffer,
    FailedGateTrained,
    FakesCopyTraining,
    FakesTeachNothing,
    FarFromReal,
    GainIncludesZero,
    HeldAgainstTraining,
    LeftOutByGate,
    LowCoverage,
    RealReplaced,
    ToldApart,
    TooFewForDistance,
    UnmeasuredSynthetic,
)
from leukreg_plugins.audits.lineage import TrainedElsewhere

from leukreg import RunRecord
from leukreg.errors import RunError
from tests.facts import from_facts
from tests.plugins.audits.evidence import evidence, fires, found, made, passes, rows

RULES = plugins_in("audits.fidelity")


def kept(**table: Any) -> RunRecord:
    return RunRecord(**from_facts({"fidelity": [{"class": "ALL", **table}]}))


CASES: list[tuple[type, dict[str, Any], tuple[str, str], dict[str, Any]]] = [
    (TooFewForDistance, {"fid": 31.5, "real": 3000, "fake": 500}, ("warning", "500 images"),
     {"fid": 31.5, "real": 3000, "fake": 2048}),
    (TooFewForDistance, {"fid": 3.5, "real": 300, "fake": 255, "dimensions": 128},
     ("warning", "255 images; 256 are needed"),
     {"fid": 3.5, "real": 300, "fake": 256, "dimensions": 128}),
    (TooFewForDistance, {"kid": 0.02, "real": 99, "fake": 500}, ("warning", "99 images"),
     {"kid": 0.02, "real": 100, "fake": 500}),
    (DistancesDiffer, {"extractor": "inception", "compared_with": {"extractor": "resnet18"}},
     ("note", "extractor inception and resnet18"),
     {"extractor": "inception", "compared_with": {"extractor": "inception"}}),
    (DistancesDiffer, {"size": 64, "fake": 500, "compared_with": {"size": 224, "fake": 900}},
     ("note", "size 64 and 224, fake 500 and 900"), {"size": 64, "compared_with": {"fake": 500}}),
    (LowCoverage, {"coverage": 0.31}, ("warning", "31.0 %"), {"coverage": 0.5}),
    (FakesCopyTraining, {"copies": 6, "fake": 400}, ("error", "6 of 400"),
     {"copies": 4, "fake": 400}),
    (FakesCopyTraining, {"copies": 6, "fake": 700, "drawn": 500}, ("error", "6 of 500"),
     {"copies": 5, "fake": 100, "drawn": 500}),
    (FarFromReal, {"kid_ratio": 31.4, "kid": 0.0314, "floor_kid": 0.001},
     ("warning", "31.4 times its floor (0.0314 against 0.001)"), {"kid_ratio": 10.0}),
    (FailedGateTrained, {"passed": False, "entered": 100, "why": ["KID is 31 times the floor"]},
     ("error", "100 synthetic images trained on that failed the gate: KID is 31"),
     {"passed": False, "entered": 0}),
    (LeftOutByGate, {"passed": False, "entered": 0, "why": ["KID is 31 times the floor"]},
     ("warning", "left out of training: KID is 31"), {"passed": True, "entered": 1}),
    (LeftOutByGate, {"passed": True, "entered": 0}, ("warning", "not all together"), {}),
    (HeldAgainstTraining, {"held_against": "validation and training rows", "real": 20},
     ("note", "20 images (validation and training rows)"), {"held_against": "validation rows"}),
    (ToldApart, {"told_apart": 0.97}, ("warning", "tells 97.0 %"), {"told_apart": 0.9}),
    (FakesTeachNothing, {"fakes_only": {"score": 0.55, "chance": 0.5, "low": 0.48}},
     ("warning", "0.550"), {"fakes_only": {"score": 0.55, "chance": 0.5, "low": 0.51}}),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "bad", "says", "good"), CASES)
def test_it_fires_and_its_near_miss_does_not(
    rule: type, bad: dict[str, Any], says: tuple[str, str], good: dict[str, Any]
) -> None:
    fires(rule(), kept(**bad), says[0], "ALL: ", says[1])
    passes(rule(), kept(**good))


def test_every_rule_has_a_case() -> None:
    others = {UnmeasuredSynthetic, TrainedElsewhere, RealReplaced, GainIncludesZero}
    assert {case[0] for case in CASES} | others == {*RULES, TrainedElsewhere}


def test_a_gain_that_may_be_none() -> None:
    gain = {"value": 0.012, "low": -0.004, "high": 0.03, "with": "v6-b", "without": "v6-a"}
    words = ("+1.2 points (95 % interval -0.4 to +3.0)", "run v6-b against run v6-a")
    fires(GainIncludesZero(), RunRecord(**from_facts({"gain": gain})), "warning", *words)
    passes(GainIncludesZero(), RunRecord(**from_facts({"gain": {**gain, "low": 0.001}})))


def test_real_rows_that_were_replaced() -> None:
    table = {"classes": ["a", "b", "c", "d", "e"], "mix": "replace"}
    fires(RealReplaced(), RunRecord(recipe={"synthesis": table}), "warning", "a, b, c and 2 more")
    passes(RealReplaced(), RunRecord(recipe={"synthesis": {**table, "mix": "add"}}))
    passes(RealReplaced(), RunRecord(recipe={"synthesis": None}))


def test_a_generator_that_was_trained_elsewhere() -> None:
    inside = {"trained on": "60 images of this training fold"}
    outside = {"trained on": "3 of its 60 training images are outside this fold"}
    for condition, fires_ in ((inside, False), (outside, True), ({}, False)):
        of = evidence([*rows(1, 1), made("s", fold=0, condition=condition)], train=[0, 2], test=[1])
        if fires_:
            fires(TrainedElsewhere(), of, "warning", "1 synthetic", "3 of its 60")
        else:
            passes(TrainedElsewhere(), of)


def test_synthetic_training_rows_of_which_nothing_is_known() -> None:
    listed = [*rows(2, 2), made("s1", fold=0), made("s2", fold=0), made("s3", "Benign", fold=0)]
    bare = evidence(listed, train=[0, 2, 4, 5, 6], test=[1, 3])
    fires(UnmeasuredSynthetic(), bare, "warning", "3 synthetic", "2 ALL, 1 Benign")
    figures = [{"class": "ALL", "fold": 0, "passed": False, "entered": 2}]
    half = evidence(listed, train=[0, 2, 4, 5, 6], test=[1, 3], **from_facts({"fidelity": figures}))
    fires(UnmeasuredSynthetic(), half, "warning", "1 synthetic", "1 Benign")
    passes(UnmeasuredSynthetic(), evidence(listed, train=[0, 2], test=[1, 3]))
    elsewhere = [{"class": "ALL", "fold": 3, "passed": True}]
    other = evidence(listed, train=[0, 2, 4, 5], test=[1, 3], **from_facts({"fidelity": elsewhere}))
    fires(UnmeasuredSynthetic(), other, "warning", "2 ALL")


def test_a_whole_that_failed_has_no_class_and_is_told_once() -> None:
    whole = {"classes": ["a", "b"], "passed": False, "entered": 9, "why": ["w"], "fold": 1}
    fires(
        FailedGateTrained(),
        RunRecord(**from_facts({"fidelity": [whole]})),
        "error",
        "(fold 2)",
        ": w",
    )
    passes(LeftOutByGate(), RunRecord(**from_facts({"fidelity": [{**whole, "entered": 0}]})))


@pytest.mark.parametrize("rule", [*RULES, TrainedElsewhere])
@pytest.mark.parametrize("fidelity", [[], [{"class": "ALL", "fid": None, "gain": 3}]])
def test_nothing_is_said_without_figures(rule: type, fidelity: Any) -> None:
    assert found(rule(), RunRecord(**from_facts({"fidelity": fidelity}))) == []
    assert found(rule(), RunRecord()) == []


@pytest.mark.parametrize("fidelity", [None, "none", {"pro-b": {"coverage": 0.1}}])
def test_figures_of_another_shape_are_damage(fidelity: Any) -> None:
    with pytest.raises(RunError, match=r"facts\.json is damaged: fidelity"):
        from_facts({"fidelity": fidelity})
