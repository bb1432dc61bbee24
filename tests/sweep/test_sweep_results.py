"""What is said of variations is what their figures carry, and no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from leukreg.report.sweep_report import sweep_sections
from leukreg.runs.sweep_record import SweepRecord, SweptRun
from leukreg.sweep.sweep_results import (
    FoldFigures,
    SweepResults,
    VariationFigures,
    differences,
)
from leukreg.types import Figure

FOLDS = 5


def results(
    test: Mapping[str, Sequence[float]],
    validation: Mapping[str, float] | None = None,
    choose: str = "validation",
    pictures: Mapping[str, str] | None = None,
) -> SweepResults:
    """Of variations whose folds have these figures."""
    variations = tuple(
        VariationFigures(
            name=name,
            runs=(name,),
            pooled=(values[0],),
            folds={
                (1, fold): FoldFigures(
                    value,
                    None if validation is None else validation[name],
                    (pictures or {}).get(name, "same"),
                    0.25,
                )
                for fold, value in enumerate(values)
            },
        )
        for name, values in test.items()
    )
    run = {"path": "a.toml", "overrides": (), "digest": "", "folds": FOLDS, "apart": True}
    record = SweepRecord(
        name="s",
        started="",
        figure="accuracy",
        choose=choose,  # type: ignore[arg-type]
        runs=tuple(SweptRun(name=n, variation=n, seed=1, **run) for n in test),  # type: ignore[arg-type]
    )
    return SweepResults(
        record=record,
        figure=Figure(name="accuracy", title="accuracy"),
        of_patients=False,
        variations=variations,
        differences=differences(variations),
        unfinished=(),
    )


def said(found: SweepResults) -> str:
    sections = sweep_sections(found)
    return "\n".join(line for section in sections for line in section.text)


GOOD = [0.90, 0.92, 0.91, 0.89, 0.93]
BAD = [0.60, 0.61, 0.63, 0.58, 0.64]


def test_a_winner_is_ahead_of_every_other() -> None:
    assert results({"a": GOOD, "b": BAD, "c": [x - 0.01 for x in reversed(BAD)]}).winner == "a"
    close = results({"a": GOOD, "b": BAD, "c": [0.91, 0.90, 0.93, 0.92, 0.90]})
    assert close.winner is None
    assert "2 of 3 differences in accuracy stand; none is best of all." in said(close)


def test_no_winner_is_named_where_chance_may_be_the_reason() -> None:
    found = results({"a": [0.9, 0.6, 0.8, 0.7, 0.85], "b": [0.8, 0.7, 0.75, 0.7, 0.8]})
    assert found.winner is None
    assert "No difference in accuracy between variations stands" in said(found)


def test_one_fold_of_one_seed_carries_nothing() -> None:
    found = results({"a": [0.95], "b": [0.05]})
    assert found.winner is None
    assert "how much training itself varies is not known" in said(found)


def test_folds_that_scored_other_pictures_are_not_compared() -> None:
    found = results({"a": GOOD, "b": BAD}, pictures={"a": "x", "b": "y"})
    assert found.differences[0].mean is None
    assert found.winner is None


def test_choices_are_made_on_validation_rows() -> None:
    found = results({"a": GOOD, "b": BAD}, {"a": 0.5, "b": 0.6})
    assert found.chosen == ("b",)
    assert found.nested is not None
    assert abs(found.nested.value - sum(BAD) / FOLDS) < 1e-12
    assert "Chosen on validation rows: b." in said(found)
    by_test = results({"a": GOOD, "b": BAD}, {"a": 0.5, "b": 0.6}, choose="test")
    assert by_test.chosen == ("a",)
    assert "! Chosen by figures of test rows" in said(by_test)


def test_equal_figures_choose_nothing() -> None:
    found = results({"a": GOOD, "b": BAD}, {"a": 0.5, "b": 0.5})
    assert "Nothing is chosen: a and b are equal on validation rows." in said(found)
    assert "not every variation has a figure" in said(results({"a": GOOD, "b": BAD}))


@given(st.lists(st.lists(st.floats(0, 1), min_size=FOLDS, max_size=FOLDS), min_size=2, max_size=4))
def test_a_winner_is_named_only_where_every_interval_carries_it(figures: list[list[float]]) -> None:
    found = results(dict(zip("abcd", figures, strict=False)))
    if found.winner is None:
        assert " is ahead of every other" not in said(found)
        return
    own = [one for one in found.differences if found.winner in (one.first, one.second)]
    assert len(own) == len(figures) - 1
    for one in own:
        sign = 1 if one.first == found.winner else -1
        assert one.mean is not None
        assert one.mean.low is not None
        assert one.mean.high is not None
        assert sign * one.mean.low > 0
        assert sign * one.mean.high > 0
        assert one.adjusted is not None
        assert one.adjusted < 0.05
