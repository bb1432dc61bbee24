"""Figures against what needs no model: rules fire on small cases, not on near misses."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from leukreg_plugins.audits.baseline import (
    AucNearHalf,
    BaselineMisquoted,
    BrierNoBetter,
    MajorityBaseline,
)

from leukreg import RunRecord, Score
from tests.plugins.audits.evidence import (
    binary,
    fires,
    passes,
)

TWO: dict[str, Any] = {"classes": ["Benign", "ALL"]}

V4: dict[str, Any] = TWO | {"confusion": [[187, 18], [18, 2]], "accuracy": "84.00 %"}


def reported(**table: Any) -> RunRecord:
    return RunRecord(recipe={"reported": table})


def test_majority_baseline() -> None:
    fires(MajorityBaseline(), reported(**V4), "error", "84.00 %", "91.1 %", "20 positives")
    better = V4 | {"confusion": [[204, 1], [18, 2]], "accuracy": "91.56 %"}
    passes(MajorityBaseline(), reported(**better))
    labels = [0] * 8 + [1] * 2
    constant = binary(labels, [0.1] * 10)
    fires(MajorityBaseline(), RunRecord(predictions=constant), "warning", "80.0 %", "at the")
    passes(MajorityBaseline(), RunRecord(predictions=binary(labels, [0.1] * 9 + [0.9])))
    decided = dataclasses.replace(constant, decision=np.array(labels))
    passes(MajorityBaseline(), RunRecord(predictions=decided))


def test_baseline_misquoted() -> None:
    table = {"classes": list("abcd"), "baseline_claimed": "0.25",
             "test_counts": {"a": 102, "b": 191, "c": 160, "d": 196}}  # fmt: skip
    fires(BaselineMisquoted(), reported(**table), "warning", "30.2 %", "d, 196 of 649", "25.0 %")
    passes(BaselineMisquoted(), reported(**table | {"baseline_claimed": "0.30"}))
    even = {"test_counts": dict.fromkeys("abcd", 10)}
    passes(BaselineMisquoted(), reported(**table | even))


def test_auc_near_half() -> None:
    fires(AucNearHalf(), reported(**V4, auc="0.3898"), "warning", "under one half", "0.27 to 0.51")
    large = TWO | {"confusion": [[852, 172], [100, 309]]}
    passes(AucNearHalf(), reported(**large, auc="0.8515"))
    fires(AucNearHalf(), reported(**large, auc="0.3000"), "warning", "under one half")
    near = Score(name="auc", value=0.55, low=0.48, high=0.62)
    fires(AucNearHalf(), RunRecord(scores=(near,)), "warning", "0.48 to 0.62", "includes")
    clear = Score(name="auc", value=0.58, low=0.51, high=0.65)
    passes(AucNearHalf(), RunRecord(scores=(clear,)))


def test_brier_no_better() -> None:
    v5 = TWO | {"confusion": [[852, 172], [100, 309]]}
    fires(BrierNoBetter(), reported(**v5, brier="0.2065"), "error", "0.2065", "0.2040")
    passes(BrierNoBetter(), reported(**v5, brier="0.2035"))
    case = RunRecord(
        predictions=binary([0, 1], [0.5, 0.5]), scores=(Score(name="brier", value=0.25),)
    )
    fires(BrierNoBetter(), case, "warning", "0.250 is no better than the base rate's 0.250")
    good = dataclasses.replace(case, scores=(Score(name="brier", value=0.24),))
    passes(BrierNoBetter(), good)
