"""Sections on calibration and prediction sets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from leukreg_plugins.reporting.uncertainty import (
    CalibrationReport,
    PredictionSets,
    Uncertainty,
    passes,
)

from leukreg import RunRecord, Section
from leukreg.evaluate.calibration import raw_of
from leukreg.evaluate.scoring import score
from leukreg.fitted import Calibration, Temperature
from leukreg.recipe.model import CalibrationSpec, ConformalSpec, EvaluateSpec
from leukreg.registry import installed
from tests.factory import build_result
from tests.facts import from_facts

CLASSES = ("Benign", "early Pre-B", "Pro-B")


def rescored(result: RunRecord, spec: EvaluateSpec, **options: Any) -> RunRecord:
    """A finished run, scored again from what it keeps: no model, no torch."""
    rows = raw_of(result.predictions)
    found = score(rows, result.validation, spec, 4, installed(), record=result)
    return replace(found, **options)


def whole(**options: Any) -> RunRecord:
    spec = EvaluateSpec(
        calibration=CalibrationSpec(), conformal=ConformalSpec(coverage=0.8), bootstrap=50
    )
    return rescored(build_result(CLASSES, (200, 100, 60), **options), spec)


def heated(result: RunRecord, *folds: Temperature) -> RunRecord:
    """The same run with other temperatures."""
    fitted = replace(result.fitted, calibration=Calibration(method="temperature", folds=folds))
    return replace(result, fitted=fitted)


def only(sections: Any) -> Section:
    (section,) = sections
    return section  # type: ignore[no-any-return]


def test_raw_and_calibrated_stand_side_by_side() -> None:
    section = only(CalibrationReport().build(whole()))
    (figures,) = section.tables
    assert figures.columns == ("figure", "raw", "calibrated", "calibrated - raw")
    names = [row[0] for row in figures.rows]
    assert names == ["log loss (NLL)", "Brier score", "calibration error (ECE)"]
    for _, raw, now, change in figures.rows:
        for cell in (raw, now, change):
            assert len(cell.split("\n")) == 2, cell
        first = [float(cell.split("\n")[0]) for cell in (raw, now, change)]
        assert abs(first[1] - first[0] - first[2]) < 2e-4
    assert section.text[0].startswith("Temperature ")
    assert "fitted on 72 validation rows: it may well be 1" in section.text[0]
    assert section.text[1].startswith("Its interval: 95 % percentile bootstrap, 50 resamples of")
    assert "50 resamples of 12 patients; temperatures are held fixed." in section.text[2]


def test_by_row_is_said_where_patients_are_unknown() -> None:
    result = whole(patients=0)
    assert "50 resamples of 72 images" in only(CalibrationReport().build(result)).text[1]
    assert "50 resamples of 72 images" in only(CalibrationReport().build(result)).text[2]
    text = "\n".join(only(PredictionSets().build(result)).text)
    assert "50 resamples of 72 images; limits are held fixed" in text
    assert "those of new patients may differ" in text


def test_what_a_temperature_says_of_the_network() -> None:
    result = whole()
    for low, value, high, said in (
        (1.1, 1.5, 2.0, "1.500 (95 % interval 1.100–2.000), fitted on 9 validation rows: the netwo"
         "rk was too sure."),
        (0.5, 0.7, 0.9, "the network was not sure enough."),
        (0.9, 1.2, 1.4, "it may well be 1, so the network need not be too sure, nor too unsure."),
        (None, 1.0, None, "the probabilities are left as they are."),
    ):  # fmt: skip
        one = Temperature(fold=0, temperature=value, rows=9, low=low, high=high)
        assert only(CalibrationReport().build(heated(result, one))).text[0].endswith(said)


def test_folds_are_told_as_a_range_and_odd_ones_loudly() -> None:
    result = whole(folds=3)
    assert (
        " in 3 folds, each fitted on the fold's own"
        in only(CalibrationReport().build(result)).text[0]
    )
    folds = list(result.fitted.temperatures)
    why = "not fitted: all 20 validation rows are right"
    folds[1] = replace(folds[1], temperature=1.0, why=why)
    text = only(CalibrationReport().build(heated(result, *folds))).text
    assert "! Fold 2: temperature 1, not fitted: all 20 validation rows are right." in text


def test_sets_are_told_in_all_and_for_each_class() -> None:
    result = whole()
    section = only(PredictionSets().build(result))
    (figures,) = section.tables
    assert figures.columns == ("class", "images", "coverage", "mean size", "one class", "empty")
    assert [row[:2] for row in figures.rows] == [
        ("all", "72"), ("Benign", "40"), ("early Pre-B", "20"), ("Pro-B", "12"),
    ]  # fmt: skip
    assert all("\n" in row[2] and "%" in row[2] for row in figures.rows)
    text = "\n".join(section.text)
    assert "of 80 % of images; limits from 12 groups of validation rows (a patient's, or" in text
    assert "50 resamples of 12 patients" in text
    assert "as the validation rows did; the same rows chose the epochs and the temperature" in text


GROUPS = "groups of validation rows (a patient's, or copies of a picture)"


def test_what_was_stated_within_classes_and_folds_is_said() -> None:
    for folds, rows in ((1, "at least 12 {} of each class"),
                        (2, "at least 12 {} of each class in each fold")):  # fmt: skip
        spec = EvaluateSpec(conformal=ConformalSpec(coverage=0.8, by_class=True), bootstrap=0)
        result = rescored(build_result(CLASSES, (200, 100, 60), folds=folds), spec)
        text = only(PredictionSets().build(result)).text
        assert f"of 80 % within every class; limits from {rows.format(GROUPS)}." in text[0]
        assert "Intervals: none asked for." in text
    phases = [{"restore_best": False, "patience": None}]
    text = only(
        PredictionSets().build(replace(result, recipe={**result.recipe, "phase": phases}))
    ).text
    assert text[-1].endswith("that come as the validation rows did.")


def test_limits_rest_on_rows_where_none_belong_together() -> None:
    result = build_result(CLASSES, (200, 100, 60), patients=0)
    spec = EvaluateSpec(conformal=ConformalSpec(coverage=0.8), bootstrap=0)
    text = only(PredictionSets().build(rescored(result, spec))).text
    assert "limits from 72 validation rows." in text[0]
    assert "those of new patients may differ" in text[-1]


def test_classes_that_pay_for_the_others_are_named() -> None:
    result = whole()
    assert not [line for line in only(PredictionSets().build(result)).text if line.startswith("!")]
    scores = tuple(
        replace(s, value=0.4, low=0.3, high=0.5)
        if (s.name, s.label) == ("set_coverage", "Pro-B") else s
        for s in result.scores
    )  # fmt: skip
    text = only(PredictionSets().build(replace(result, scores=scores))).text
    less = "! For Pro-B they hold it less often; by_class = true fits limits for every class."
    assert less in text


def test_an_undefined_share_is_undefined() -> None:
    result = whole()
    scores = tuple(
        replace(s, value=None, low=None, high=None, why="no row of Pro-B")
        if (s.name, s.label) == ("set_coverage", "Pro-B") else s
        for s in result.scores
    )  # fmt: skip
    (figures,) = only(PredictionSets().build(replace(result, scores=scores))).tables
    assert figures.rows[-1][2] == "undefined"


def test_without_them_nothing_is_said_and_other_sections_do_not_list_them() -> None:
    plain = build_result(CLASSES, (200, 100, 60))
    assert list(CalibrationReport().build(plain)) == []
    assert list(PredictionSets().build(plain)) == []
    from leukreg_plugins.reporting.scores import whole as table

    listed = [row[0] for row in table(whole()).rows]
    assert listed == [row[0] for row in table(plain).rows]


def test_uncertainty_says_what_it_was_measured_over() -> None:
    result = build_result()

    def over(evaluate: Any, **facts: Any) -> str:
        return passes(replace(result, recipe={"evaluate": evaluate}, **from_facts(facts)))

    assert over({"mc_dropout": {"passes": 30}}) == "MC dropout, 30 passes"
    assert over({"tta": {"views": 8}}) == "test-time augmentation, 8 views"
    both = {"tta": {"views": 8}, "mc_dropout": {"passes": 30}}
    assert over(both) == "MC dropout over 8 views, 32 passes"
    assert over({}, evaluated_from={"folds": 5}) == "5 models together"
    section = only(
        Uncertainty().build(replace(result, recipe={"evaluate": {"mc_dropout": {"passes": 9}}}))
    )
    assert section.title == "Uncertainty (MC dropout, 9 passes)"
    assert [row[0] for row in section.tables[0].rows] == ["right answers", "wrong answers"]


def test_one_pass_has_no_section_of_its_uncertainty() -> None:
    assert list(Uncertainty().build(build_result())) == []


def test_a_calibration_that_made_the_log_loss_worse_says_so() -> None:
    result = whole()

    def warned(change: tuple[float, float, float]) -> list[str]:
        value, low, high = change
        scores = tuple(
            replace(s, value=0.5 + value if s.name == "nll" else 0.5) if s.name.endswith("nll")
            else replace(s, value=value, low=low, high=high) if s.name == "nll_change" else s
            for s in result.scores
        )  # fmt: skip
        text = only(CalibrationReport().build(replace(result, scores=scores))).text
        return [line for line in text if line.startswith("! ")]

    assert warned((-0.1, -0.2, -0.05)) == []
    (line,) = warned((0.1, 0.05, 0.2))
    assert line == "! Calibration made the log loss worse, from 0.5000 to 0.6000."
    (line,) = warned((0.1, -0.05, 0.2))
    assert line.endswith("0.6000, though chance may explain it.")
