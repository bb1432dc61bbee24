"""Rules on temperatures and conformal sets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from leukreg_plugins.audits.confidence import (
    CalibratedOnScored,
    CoverageMissed,
    PoorCalibration,
    TemperatureNotFitted,
    TemperaturesDiffer,
    ThresholdNeverCrossed,
    ThresholdOnScored,
    UniformPredictions,
)
from scipy.stats import beta

from leukreg import RunRecord, Samples, Score
from tests.facts import from_facts
from tests.plugins.audits.evidence import (
    binary,
    fires,
    passes,
    predictions,
    sample,
)

ASKED: dict[str, Any] = {"evaluate": {"calibration": {"method": "temperature"}, "conformal": None}}


def test_calibrated_on_scored() -> None:
    scored = binary([0, 1, 0], [0.1, 0.9, 0.2], row=[0, 1, 2], fold=[0, 0, 1])
    apart = binary([0, 1], [0.1, 0.9], row=[2, 3], fold=[0, 0])
    passes(CalibratedOnScored(), RunRecord(recipe=ASKED, predictions=scored, validation=apart))
    same = binary([0, 1], [0.1, 0.9], row=[1, 3], fold=[0, 0])
    evidence = RunRecord(recipe=ASKED, predictions=scored, validation=same)
    fires(CalibratedOnScored(), evidence, "error", "calibration fitted on 1 of the 3 scored rows")
    # A copy of a row is the row again.
    copied = RunRecord(
        recipe=ASKED, predictions=scored, validation=apart, pixels={"0.jpg": "d", "3.jpg": "d"}
    )
    fires(CalibratedOnScored(), copied, "error", "1 of the 3")
    # Another fold's validation rows are no matter, nor are rows on which nothing was fitted.
    other = binary([0], [0.1], row=[1], fold=[1])
    passes(CalibratedOnScored(), RunRecord(recipe=ASKED, predictions=scored, validation=other))
    plain = {"evaluate": {"calibration": None, "conformal": None}}
    passes(CalibratedOnScored(), RunRecord(recipe=plain, predictions=scored, validation=same))
    sets = {"evaluate": {"calibration": {}, "conformal": {"coverage": 0.9}}}
    both = RunRecord(recipe=sets, predictions=scored, validation=same)
    fires(CalibratedOnScored(), both, "error", "calibration and conformal")


def temperatures(*whys: str) -> RunRecord:
    folds = [{"fold": i, "temperature": 1.0, "rows": 9, "why": why} for i, why in enumerate(whys)]
    return RunRecord(**from_facts({"calibration": {"method": "temperature", "folds": folds}}))


def test_temperature_not_fitted() -> None:
    passes(TemperatureNotFitted(), temperatures("", ""))
    odd = temperatures("", "not fitted: all 9 validation rows are right")
    fires(TemperatureNotFitted(), odd, "warning", "1 of 2 temperatures", "fold 2: not fitted: all")


def sets(value: float, high: float, rows: int, label: str | None = None) -> RunRecord:
    by_class = label is not None
    score = Score(name="set_coverage", value=value, label=label, low=value, high=high)
    folds = [{"fold": 0, "rows": [10 * rows, rows], "limits": [0.5, 0.6]},
             {"fold": 1, "rows": [10 * rows, 10 * rows], "limits": [0.5, 0.6]}]  # fmt: skip
    kept = {"method": "lac", "coverage": 0.9, "by_class": by_class, "seed": 0, "folds": folds}
    scored = binary([0, 1], [0.1, 0.9])
    return RunRecord(**from_facts({"conformal": kept}), scores=(score,), predictions=scored)


def test_coverage_missed() -> None:
    # 99 rows: the 90th of them is the limit; coverage is beta(90, 10) over draws.
    least = beta(90, 10).ppf(0.025)
    assert least == pytest.approx(0.8344, abs=1e-4)
    fires(CoverageMissed(), sets(0.8, 0.82, 99), "warning", "80.0 %", "at most 82.0 %", "90 %",
          "99 validation groups")  # fmt: skip
    passes(CoverageMissed(), sets(0.8, 0.84, 99))
    fires(CoverageMissed(), sets(0.8, 0.84, 999), "warning", "chance explains 88.1 % and more")
    passes(CoverageMissed(), sets(0.1, 0.2, 5))  # too few rows for any limit
    fires(CoverageMissed(), sets(0.8, 0.82, 99, "ALL"), "warning", "of ALL")
    passes(CoverageMissed(), sets(0.8, 0.84, 99, "ALL"))


def heated(*folds: tuple[float, float | None, float | None], why: str = "") -> RunRecord:
    each = [
        {"fold": i, "temperature": t, "rows": 9, "low": low, "high": high, "why": why}
        for i, (t, low, high) in enumerate(folds)
    ]
    return RunRecord(**from_facts({"calibration": {"method": "temperature", "folds": each}}))


def test_temperatures_differ() -> None:
    rule = TemperaturesDiffer()
    apart = ((0.5, 0.4, 0.7), (1.1, 0.7, 3.0), (1.6, 1.2, 2.0))
    fires(rule, heated(*apart), "warning", "0.500 (95 % interval 0.400 to 0.700, fold 1)", "fold 3")
    passes(rule, heated((0.5, 0.4, 1.3), (1.6, 1.2, 2.0)))  # chance explains it
    passes(rule, heated((1.0, 0.9, 1.1), (1.3, 1.2, 1.4)))  # sure, and near
    passes(rule, heated((0.5, None, None), (5.0, None, None)))  # nobody knows
    passes(rule, heated(*apart, why="at the upper bound"))  # another rule's
    passes(rule, heated(apart[0]))


def test_threshold_on_scored() -> None:
    fires(
        ThresholdOnScored(), RunRecord(threshold=0.36, threshold_from="scored"), "error", "0.3600"
    )
    passes(ThresholdOnScored(), RunRecord(threshold=0.36, threshold_from="validation"))
    asked = {"evaluate": {"threshold": {"rule": "f1", "fitted_on": "scored"}}}
    fires(ThresholdOnScored(), RunRecord(recipe=asked), "error", "recipe")
    fixed = {"evaluate": {"threshold": {"rule": "fixed", "fitted_on": "scored"}}}
    passes(ThresholdOnScored(), RunRecord(recipe=fixed))


def test_threshold_never_crossed() -> None:
    scored = binary([0, 1], [0.1, 0.4])
    fires(ThresholdNeverCrossed(), RunRecord(predictions=scored, threshold=0.5), "warning", "under")
    fires(ThresholdNeverCrossed(), RunRecord(predictions=scored, threshold=0.1), "warning", "over")
    passes(ThresholdNeverCrossed(), RunRecord(predictions=scored, threshold=0.4))


def test_poor_calibration() -> None:
    rng = np.random.default_rng(0)
    scores = rng.uniform(0, 1, 400)
    honest = (rng.uniform(0, 1, 400) < scores).astype(int).tolist()
    passes(PoorCalibration(), RunRecord(predictions=binary(honest, scores.tolist())))
    sure = np.where(scores > 0.5, 0.99, 0.01).tolist()
    fires(PoorCalibration(), RunRecord(predictions=binary(honest, sure)), "warning", "99.0 %")
    passes(PoorCalibration(), RunRecord(predictions=binary(honest[:50], sure[:50])))


def test_poor_calibration_counts_pictures() -> None:
    rng = np.random.default_rng(0)
    honest = (rng.random(50) < 0.5).astype(int)
    sure = np.where(rng.random(50) > 0.5, 0.99, 0.01)
    files = [sample(f"{n}-{copy}.jpg", "ALL") for n in range(50) for copy in range(4)]
    rows = binary(np.repeat(honest, 4).tolist(), np.repeat(sure, 4).tolist())
    rows = replace(rows, id=tuple(one.id for one in files))
    fires(PoorCalibration(), RunRecord(predictions=rows), "warning", "99.0 %")
    samples = Samples(rows=tuple(files), classes=("Benign", "ALL"))
    pixels = {one.id: one.id.partition("-")[0] for one in files}
    passes(PoorCalibration(), RunRecord(predictions=rows, samples=samples, pixels=pixels))


def test_uniform_predictions() -> None:
    uniform = predictions([0, 1, 2], [[0.34, 0.33, 0.33]] * 3, classes="abc")
    fires(UniformPredictions(), RunRecord(predictions=uniform), "warning", "ln 3 = 1.0986")
    passes(UniformPredictions(), RunRecord(predictions=binary([0, 1], [0.4, 0.6])))
