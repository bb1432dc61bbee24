"""How training was set up: rules fire on small cases, not on near misses."""

from __future__ import annotations

from typing import Any

import pytest
from leukreg_plugins.audits.training_setup import (
    DoubleCorrection,
    FallbackTaken,
    InputRange,
    LearningRate,
    McChangedBatchNorm,
    NothingToDrop,
)

from leukreg import RunRecord
from leukreg.types import Notice
from tests.facts import from_facts
from tests.plugins.audits.evidence import epoch, fires, found, passes, phase


def test_input_range() -> None:
    twice = RunRecord(**from_facts({"folds": [{"input_range": [-2.118, -2.1, -2.118, 2.64]}]}))
    fires(InputRange(), twice, "error", "-2.12 to -2.1", "-2.12 to 2.64")
    raw = RunRecord(**from_facts({"folds": [{"input_range": [0.0, 255.0, -2.118, 2.64]}]}))
    fires(InputRange(), raw, "error", "0 to 255")
    passes(
        InputRange(),
        RunRecord(**from_facts({"folds": [{"input_range": [-1.9, 2.5, -2.118, 2.64]}]})),
    )
    per_fold = RunRecord(**from_facts({"folds": [{}, {"input_range": [0.0, 0.004, 0.0, 1.0]}]}))
    fires(InputRange(), per_fold, "error")
    fires(InputRange(), RunRecord(recipe={"model": {"input": "divided-twice"}}), "error", "255")


def test_fallback_taken() -> None:
    notice = Notice(what="data", wanted="folder", used="demo", why="no data/all",
                    label="rendered cells, not real")  # fmt: skip
    fires(
        FallbackTaken(), RunRecord(notices=(notice,)), "warning", "rendered cells", "demo in place"
    )
    passes(FallbackTaken(), RunRecord())
    device = {"device_fallbacks": ["device 'cuda' was asked for; the CPU was used"]}
    fires(
        FallbackTaken(), RunRecord(**from_facts({"folds": [device, device]})), "warning", "'cuda'"
    )
    passes(FallbackTaken(), RunRecord(**from_facts({"folds": [{"device_fallbacks": []}]})))


@pytest.mark.parametrize(
    ("first", "seen", "schedule", "says"),
    [
        (1e-3, 1e-3, None, ""),
        (1e-4, 1e-4, None, "0.0001"),
        (1e-4, 1e-3, "cosine", ""),
        (1e-4, 1e-4, "plateau", "0.0001"),
        (1e-3, 5e-3, "one-cycle", "0.005"),
        (1e-3, 1e-5, "plateau", ""),
    ],
)
def test_learning_rate(first: float, seen: float, schedule: str | None, says: str) -> None:
    recipe = {"phase": [{"name": "head", "schedule": schedule and {"use": schedule}}]}
    case = RunRecord(
        recipe=recipe, phases=(phase(lr_first=first),), epochs=(epoch(1, 0.5, lr=(seen,)),)
    )
    if says:
        fires(LearningRate(), case, "warning", says, "asks for 0.001")
    else:
        passes(LearningRate(), case)


@pytest.mark.parametrize(
    ("loss", "sampler", "taken"),
    [
        ({"use": "cross-entropy", "class_weights": {"use": "balanced"}}, "class-balanced", 2),
        ({"use": "class-balanced", "class_weights": None}, "class-balanced", 2),
        ({"use": "focal", "alpha": 0.25, "class_weights": {"use": "balanced"}}, "shuffle", 2),
        ({"use": "focal", "alpha": None, "class_weights": {"use": "balanced"}}, "shuffle", 0),
        ({"use": "cross-entropy", "class_weights": None}, "class-balanced", 0),
        ({"use": "cross-entropy", "class_weights": {"use": "balanced"}}, "patient-balanced", 0),
    ],
)
def test_double_correction(loss: dict[str, Any], sampler: str, taken: int) -> None:
    case = RunRecord(recipe={"loss": loss, "sampler": {"use": sampler}})
    if taken:
        fires(DoubleCorrection(), case, "warning", f"{taken} times")
    else:
        passes(DoubleCorrection(), case)


def test_mc_changed_batch_norm() -> None:
    fires(
        McChangedBatchNorm(),
        RunRecord(**from_facts({"folds": [{"bn_changed_by_mc": True}]})),
        "error",
        "batch-norm",
    )
    passes(McChangedBatchNorm(), RunRecord(**from_facts({"folds": [{"bn_changed_by_mc": False}]})))


def test_mc_dropout_without_dropout() -> None:
    recipe = {"evaluate": {"mc_dropout": {"passes": 30}}}
    facts = {"folds": [{"mc_dropout_layers": 2}, {"mc_dropout_layers": 0}]}
    fires(
        NothingToDrop(), RunRecord(recipe=recipe, **from_facts(facts)), "warning", "all 30 passes"
    )
    passes(NothingToDrop(), RunRecord(recipe=recipe, **from_facts({"folds": facts["folds"][:1]})))


def test_a_fallback_is_found_with_the_first_clause_of_its_reason() -> None:
    why = "the folder /data does not exist; put the images there. Or (see below) elsewhere"
    notice = Notice(what="data", wanted="folder", used="demo", why=why)
    (finding,) = found(FallbackTaken(), RunRecord(notices=(notice,)))
    assert finding.message == "data: demo in place of folder: the folder /data does not exist"
