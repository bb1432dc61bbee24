"""What training did: rules fire on small cases, not on near misses."""

from __future__ import annotations

import math
from dataclasses import replace

from leukreg_plugins.audits.convergence import BelowChance, ChanceLoss, IdlePhase, NoBetterThanStart

from leukreg import RunRecord
from tests.plugins.audits.evidence import epoch, evidence, fires, passes, phase, rows


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
    low = [epoch(i + 1, loss, learned_from="patients") for i, loss in enumerate((0.2, 0.1))]
    passes(rule, RunRecord(epochs=(*good, *low, *good)))  # losses of patients are another figure
    low.append(epoch(3, 0.3, learned_from="patients"))
    fires(rule, RunRecord(epochs=(*good, *low, *good)), "warning", "0.1 to 0.3")
    v2 = {"best_epoch": 1, "best_validation_loss": "1.34622", "final_validation_loss": "3.989"}
    fires(rule, RunRecord(recipe={"reported": v2}), "warning", "1.346 to 3.989")
    passes(rule, RunRecord(recipe={"reported": {"best_epoch": 43}}))


def test_below_chance() -> None:
    four = rows(1, 1, 1, 1, classes="abcd")
    low = evidence(four, classes="abcd", epochs=(epoch(1, 1.0, 0.3), epoch(2, 1.0, 0.1)))
    fires(BelowChance(), low, "warning", "10.0 %", "best epoch: 30.0 %", "25.0 %")
    passes(BelowChance(), evidence(four, classes="abcd", epochs=(epoch(1, 1.0, 0.13),)))
    of_patients = epoch(1, 1.0, 0.0, learned_from="patients")
    passes(BelowChance(), evidence(four, classes="abcd", epochs=(of_patients,)))
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
    of_patients = (epoch(1, math.log(2), learned_from="patients"), epoch(2, 0.3))
    passes(ChanceLoss(), evidence(rows(1, 1), epochs=of_patients, recipe=plain))
