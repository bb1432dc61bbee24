"""Scoring with calibration and conformal sets: what is fitted where, and what is measured."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from leukreg.errors import Problems
from leukreg.evaluate.calibration import Uncalibrated
from leukreg.evaluate.conformal import SetFigures
from leukreg.evaluate.feasibility import refuse_too_few
from leukreg.evaluate.scoring import score
from leukreg.fitted import Fitted
from leukreg.recipe import parse
from leukreg.recipe.mistakes import Mark
from leukreg.recipe.model import CalibrationSpec, ConformalSpec, EvaluateSpec, ThresholdSpec
from leukreg.record import RunRecord
from leukreg.registry import installed
from leukreg.types import Fold, Predictions, Sample, Samples, Score
from tests.evaluate.simulated import simulated, table
from tests.small_run import RECIPE

CALIBRATED: dict[str, Any] = {"calibration": CalibrationSpec()}


def two(n: int = 600, temperature: float = 2.5, k: int = 4) -> tuple[Predictions, Predictions]:
    """Scored rows and validation rows of two folds, by patients of four images."""
    rows = simulated(2 * n, temperature, seed=5, k=k)
    rows = replace(
        rows,
        fold=np.arange(2 * n) % 2,
        patient=tuple(f"P{i // 4}" for i in range(2 * n)),
    )
    return rows.take(np.arange(n)), rows.take(np.arange(n, 2 * n))


def scored(rows: Predictions, validation: Predictions | None, **options: Any) -> RunRecord:
    spec = EvaluateSpec(**{"bootstrap": 100, **options})
    return score(rows, validation, spec, 4, installed())


def figures(found: RunRecord) -> dict[tuple[str, str | None], Score]:
    return {(one.name, one.label): one for one in found.scores}


def value(score: Score) -> float:
    assert score.value is not None
    return score.value


def test_perfectly_calibrated_after_scaling_and_not_before() -> None:
    rows, validation = two(20_000)
    found = figures(scored(rows, validation, bootstrap=0, **CALIBRATED))
    assert value(found["raw_ece", None]) > 0.1
    # Chance alone leaves about 15 bins a deviation of .4 / sqrt(20,000 / 15) each.
    assert value(found["ece", None]) < 0.015
    assert value(found["nll", None]) < value(found["raw_nll", None])
    assert value(found["brier", None]) < value(found["raw_brier", None])
    # What the truth itself would score: the temperature costs next to nothing.
    truth = figures(scored(*two(20_000, temperature=1.0), bootstrap=0))
    assert value(found["nll", None]) == pytest.approx(value(truth["nll", None]), abs=2e-3)


def test_each_fold_is_scaled_by_its_own_validation_rows() -> None:
    rows, validation = two(2000)
    found = scored(rows, validation, bootstrap=0, **CALIBRATED)
    temperatures = found.fitted.temperature_by_fold()
    assert set(temperatures) == {0, 1}
    assert all(t == pytest.approx(2.5, rel=0.15) for t in temperatures.values())
    # Labels of the scored rows have no say, those of another fold's validation rows neither.
    again = scored(replace(rows, label=rows.label * 0), validation, bootstrap=0, **CALIBRATED)
    assert again.fitted == found.fitted
    odd = replace(validation, label=np.where(validation.fold == 1, 0, validation.label))
    other = scored(rows, odd, bootstrap=0, **CALIBRATED).fitted.temperature_by_fold()
    assert other[0] == temperatures[0]
    assert other[1] != temperatures[1]


def test_raw_and_calibrated_stand_side_by_side_with_intervals() -> None:
    found = figures(scored(*two(), **CALIBRATED))
    for name in ("nll", "brier", "ece"):
        raw, now, change = (found[key, None] for key in (f"raw_{name}", name, f"{name}_change"))
        assert value(change) == pytest.approx(value(now) - value(raw))
        for one in (raw, now, change):
            assert one.low is not None
            assert one.high is not None
            assert one.low < one.high
            assert "100 resamples of 150 patients" in one.why
    # The same resamples for both: the change is known better than either.
    change, raw = found["nll_change", None], found["raw_nll", None]
    assert change.high is not None
    assert change.high < 0
    # Ranks do not change within a fold, nor do answers.
    assert not [name for name, _ in found if name.startswith("raw_accuracy")]


def test_scored_rows_keep_raw_probabilities_and_scoring_again_changes_nothing() -> None:
    rows, validation = two(200)
    options: dict[str, Any] = {**CALIBRATED, "conformal": ConformalSpec(), "bootstrap": 20}
    once = scored(rows, validation, **options)
    assert once.predictions.raw is not None
    assert np.array_equal(once.predictions.raw, rows.probabilities)
    assert once.validation is not None
    assert once.validation.raw is not None
    again = scored(once.predictions, once.validation, **options)
    assert again.scores == once.scores
    assert again.fitted == once.fitted
    assert np.array_equal(again.predictions.probabilities, once.predictions.probabilities)
    plain = scored(once.predictions, once.validation, bootstrap=20)
    assert np.array_equal(plain.predictions.probabilities, rows.probabilities)
    assert plain.predictions.raw is None
    assert plain.fitted == Fitted()


def test_thresholds_are_chosen_on_calibrated_validation_rows() -> None:
    rows, validation = two(400, k=2)
    found = scored(rows, validation, bootstrap=0, threshold=ThresholdSpec(), **CALIBRATED)
    assert found.validation is not None
    raw = scored(rows, validation, bootstrap=0, threshold=ThresholdSpec())
    for one, other in zip(found.fitted.thresholds, raw.fitted.thresholds, strict=True):
        own = found.validation.probabilities[validation.fold == one.fold, 1]
        assert one.threshold in own
        assert one.threshold != other.threshold


def test_sets_are_made_from_calibrated_probabilities_and_measured() -> None:
    rows, validation = two()
    found = scored(rows, validation, conformal=ConformalSpec(coverage=0.8), **CALIBRATED)
    plain = scored(rows, validation, conformal=ConformalSpec(coverage=0.8))
    sets = found.predictions.sets
    assert sets is not None
    assert plain.predictions.sets is not None
    assert not np.array_equal(sets, plain.predictions.sets)
    score = figures(found)
    hit = sets[np.arange(len(rows)), rows.label]
    assert value(score["set_coverage", None]) == hit.mean() == pytest.approx(0.8, abs=0.05)
    assert value(score["set_size", None]) == pytest.approx(sets.sum(axis=1).mean())
    assert value(score["set_singletons", None]) == (sets.sum(axis=1) == 1).mean()
    assert value(score["set_empty", None]) == (sets.sum(axis=1) == 0).mean()
    assert value(score["set_coverage", "Pre-B"]) == hit[rows.label == 2].mean()
    coverage = score["set_coverage", "Pre-B"]
    assert coverage.low is not None
    assert coverage.why.startswith("95 % percentile bootstrap, 100 resamples of 150 patients")


def test_what_was_asked_for_is_measured_whatever_metrics_are_chosen() -> None:
    (accuracy,) = [e for e in installed() if (e.kind, e.name) == ("metric", "accuracy")]
    from leukreg.registry.plugin_call import Choice

    chosen = Choice(kind="metric", name="accuracy", plugin=accuracy.cls(), owner="leukreg")
    names = {
        one.name
        for one in scored(
            *two(100), metrics=(chosen,), conformal=ConformalSpec(), **CALIBRATED
        ).scores
    }
    assert names == {
        "accuracy", "majority_baseline", "set_coverage", "set_size", "set_singletons", "set_empty",
    }  # fmt: skip


def test_an_absent_class_and_no_rows_are_undefined() -> None:
    rows = replace(table(np.array([0]), np.eye(3)[:1]), sets=np.array([[True, True, False]]))
    found = {(s.name, s.label): s for s in SetFigures().build(rows)}
    assert found["set_coverage", "Benign"].value == 1
    assert found["set_size", None].value == 2
    assert found["set_coverage", "Pre-B"].value is None
    assert found["set_coverage", "Pre-B"].why == "no row of Pre-B"
    empty = rows.take(np.zeros(0, dtype=np.int64))
    assert all(one.value is None and one.why for one in SetFigures().build(empty))


class Undefined:
    of_probabilities = True

    def build(self, predictions: Predictions) -> list[Score]:
        return [Score(name="odd", value=None if predictions.raw is None else 1.0, why="no")]


def test_the_change_of_an_undefined_figure_is_undefined() -> None:
    rows = replace(simulated(10, 1.0, seed=1), raw=simulated(10, 2.0, seed=1).probabilities)
    raw, change = Uncalibrated(Undefined()).build(rows)
    assert (raw.name, raw.value) == ("raw_odd", None)
    assert (change.name, change.value, change.why) == ("odd_change", None, "no")
    assert Uncalibrated(Undefined()).resampled is None


def test_validation_rows_that_carry_nothing_are_refused_together() -> None:
    rows, validation = two(40)
    options: dict[str, Any] = {**CALIBRATED, "conformal": ConformalSpec(coverage=0.98)}
    with pytest.raises(Problems) as caught:
        scored(rows, None, **options)
    assert "calibration: no validation rows to fit it on in folds 1, 2" in str(caught.value)
    assert "98 % coverage needs 49 validation rows, fold 1 has 0" in str(caught.value)
    with pytest.raises(Problems, match=r"fold 1 has 10 .*count as one.; lower the"):
        scored(rows, validation, **options)
    one = validation.take(np.flatnonzero(validation.fold == 1))
    with pytest.raises(Problems, match="no validation rows to fit it on in fold 1"):
        scored(rows, one, **CALIBRATED)


def listed(samples: Samples, pixels: dict[str, str] | None = None) -> Any:
    """As much of a store as is asked for: digests of the pixels, no near duplicates."""
    digests = {row.id: row.id for row in samples.rows} if pixels is None else pixels
    return SimpleNamespace(samples=samples, digests=digests, near_duplicates=())


def test_too_few_rows_are_told_before_training_with_their_line() -> None:
    spec = EvaluateSpec(conformal=ConformalSpec(coverage=0.9, by_class=True), **CALIBRATED)
    places = {"evaluate.conformal": Mark("r.toml", 7), "evaluate.calibration": Mark("r.toml", 6)}
    recipe = replace(parse(RECIPE), evaluate=spec, where=places)
    samples = Samples(
        rows=tuple(Sample(id=str(i), path=str(i), label="AB"[i % 5 == 0]) for i in range(60)),
        classes=("A", "B"),
    )
    enough = Fold(index=0, train=(), validation=tuple(range(50)), test=())
    refuse_too_few(recipe, listed(samples), [enough])
    few = Fold(index=1, train=(), validation=tuple(range(20)), test=())
    none = Fold(index=2, train=(), validation=(), test=())
    with pytest.raises(Problems) as caught:
        refuse_too_few(recipe, listed(samples), [enough, few, none])
    first, second = map(str, caught.value.problems)
    assert first.startswith("r.toml:6  evaluate.calibration: no validation rows to fit it on in fo")
    assert second.startswith("r.toml:7  evaluate.conformal: 90 % coverage needs 9 validation rows")
    assert "fold 3 has 0 of 'A' (and 1 other class lacks rows); lower the coverage" in second
    assert "or set by_class = false\n" in second
    with pytest.raises(Problems, match="the only fold has 4 of 'B'"):
        refuse_too_few(recipe, listed(samples), [few])


def test_a_threshold_without_validation_rows_is_refused_before_training() -> None:
    recipe = replace(parse(RECIPE), evaluate=EvaluateSpec(threshold=ThresholdSpec()))
    rows = tuple(Sample(id=str(i), path=str(i), label="AB"[i % 2]) for i in range(10))
    samples = Samples(rows=rows, classes=("A", "B"))
    some = Fold(index=0, train=(), validation=(0,), test=())
    none = Fold(index=1, train=(), validation=(), test=())
    refuse_too_few(recipe, listed(samples), [some, none])
    with pytest.raises(Problems, match=r"evaluate.threshold: .* set data.folds.validation above 0"):
        refuse_too_few(recipe, listed(samples), [none])
    fixed = EvaluateSpec(threshold=ThresholdSpec(rule="fixed"))
    refuse_too_few(replace(recipe, evaluate=fixed), listed(samples), [none])


def test_copies_and_patients_count_as_one_where_rows_are_too_few() -> None:
    spec = EvaluateSpec(conformal=ConformalSpec(coverage=0.9))
    recipe = replace(parse(RECIPE), evaluate=spec)
    rows = tuple(Sample(id=str(i), path=str(i), label="AB"[i % 2]) for i in range(32))
    samples = Samples(rows=rows, classes=("A", "B"))
    fold = Fold(index=0, train=(), validation=tuple(range(32)), test=())
    refuse_too_few(recipe, listed(samples), [fold])
    four_times = {str(i): str(i // 4) for i in range(32)}
    with pytest.raises(Problems, match=r"needs 9 validation rows, the only fold has 8 .copies of"):
        refuse_too_few(recipe, listed(samples, four_times), [fold])
    patients = tuple(replace(row, patient=f"p{i // 8}") for i, row in enumerate(rows))
    of_four = replace(samples, rows=patients)
    with pytest.raises(Problems, match=r"the only fold has 4 .copies of a picture, and images of"):
        refuse_too_few(recipe, listed(of_four), [fold])
    own = simulated(32, 2.0, seed=1)
    with pytest.raises(Problems, match="the only fold has 8"):
        scored(own, replace(own, group=np.arange(32) // 4), conformal=ConformalSpec(coverage=0.9))
