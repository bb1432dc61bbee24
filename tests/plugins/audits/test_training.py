"""Rules on training: each fires on a small case, and not on its near miss."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from leukreg_plugins.audits import convergence, rules_in, training_setup
from leukreg_plugins.audits.convergence import BelowChance, ChanceLoss, IdlePhase, NoBetterThanStart
from leukreg_plugins.audits.training_setup import (
    DoubleCorrection,
    FallbackTaken,
    InputRange,
    LearningRate,
    McChangedBatchNorm,
    NothingToDrop,
)

from leukreg import Notice, RunRecord
from tests.facts import from_facts
from tests.plugins.audits.evidence import epoch, evidence, fires, found, passes, phase, rows


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


def test_idle_phase() -> None:
    fires(IdlePhase(), RunRecord(phases=(phase(changed=0),)), "error", "'head'", "no parameter")
    passes(IdlePhase(), RunRecord(phases=(phase(changed=1),)))


def test_no_better_than_start() -> None:
    rule = NoBetterThanStart()
    worse = [epoch(i + 1, loss) for i, loss in enumerate((1.0, 1.2, 1.3))]
    fires(rule, RunRecord(epochs=tuple(worse)), "warning", "first epoch was the best")
    folds = [replace(one, fold=fold) for fold in (0, 2) for one in worse]
    fires(
        rule, RunRecord(epochs=tuple(folds)), "warning", "folds 1, 3: the first epoch was the best"
    )
    rose = [epoch(i + 1, loss) for i, loss in enumerate((1.0, 0.8, 1.3))]
    fires(rule, RunRecord(epochs=tuple(rose)), "warning", "0.8 to 1.3")
    good = [epoch(i + 1, loss) for i, loss in enumerate((1.0, 0.8, 1.1))]
    passes(rule, RunRecord(epochs=tuple(good)))
    passes(rule, RunRecord(epochs=tuple(worse[:2])))
    v2 = {"best_epoch": 1, "best_validation_loss": "1.34622", "final_validation_loss": "3.989"}
    fires(rule, RunRecord(recipe={"reported": v2}), "warning", "1.346 to 3.989")
    passes(rule, RunRecord(recipe={"reported": {"best_epoch": 43}}))


def test_below_chance() -> None:
    four = rows(1, 1, 1, 1, classes="abcd")
    low = evidence(four, classes="abcd", epochs=(epoch(1, 1.0, 0.3), epoch(2, 1.0, 0.1)))
    fires(BelowChance(), low, "warning", "10.0 %", "best epoch: 30.0 %", "25.0 %")
    passes(BelowChance(), evidence(four, classes="abcd", epochs=(epoch(1, 1.0, 0.13),)))
    folds = tuple(epoch(1, 1.0, accuracy, fold=k) for k, accuracy in enumerate((0.1, 0.5, 0.0)))
    fires(BelowChance(), evidence(four, classes="abcd", epochs=folds), "warning",
          "in 2 of 3 folds", "in fold 3, the lowest, it is 0.0 %")  # fmt: skip
    table = {"classes": list("abcd"), "validation_accuracy": "0.00"}
    fires(BelowChance(), RunRecord(recipe={"reported": table}), "warning", "reported")
    passes(BelowChance(), RunRecord(recipe={"reported": table | {"validation_accuracy": "0.24"}}))


def test_chance_loss() -> None:
    table = {"classes": list("abcd"), "best_validation_loss": "1.34622"}
    fires(
        ChanceLoss(),
        RunRecord(recipe={"reported": table}),
        "warning",
        "1.3462 is hardly better than the 1.3863",
    )
    passes(ChanceLoss(), RunRecord(recipe={"reported": table | {"best_validation_loss": "1.30"}}))
    plain = {"loss": {"use": "cross-entropy", "smoothing": 0.0}}
    at_chance = (epoch(1, math.log(2)), epoch(2, 0.7))
    case = evidence(rows(1, 1), epochs=at_chance, recipe=plain)
    fires(ChanceLoss(), case, "warning", "0.6931 is no better than the 0.6931")
    focal = evidence(rows(1, 1), epochs=at_chance, recipe={"loss": {"use": "focal"}})
    passes(ChanceLoss(), focal)


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


@pytest.mark.parametrize("rule", rules_in(convergence, training_setup))
def test_nothing_is_said_without_evidence(rule: type) -> None:
    assert found(rule(), RunRecord()) == []


def test_a_fallback_is_found_with_the_first_clause_of_its_reason() -> None:
    why = "the folder /data does not exist; put the images there. Or (see below) elsewhere"
    notice = Notice(what="data", wanted="folder", used="demo", why=why)
    (finding,) = found(FallbackTaken(), RunRecord(notices=(notice,)))
    assert finding.message == "data: demo in place of folder: the folder /data does not exist"
