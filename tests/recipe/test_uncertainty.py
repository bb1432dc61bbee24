"""Test-time augmentation, calibration and conformal sets as a recipe says them."""

from __future__ import annotations

from pathlib import Path

import pytest

from leukreg.errors import Problems
from leukreg.recipe import parse
from leukreg.recipe.model import CalibrationSpec, ConformalSpec, TtaSpec
from leukreg.registry import Registry

ALL = (
    "tta = { views = 4 }\n"
    "calibration = {}\n"
    'conformal = { coverage = 0.95, method = "aps", by_class = true }\n'
)


@pytest.fixture
def whole(good: str) -> str:
    return good.replace("[evaluate]\n", f"[evaluate]\n{ALL}")


def shown(text: str, registry: Registry) -> str:
    with pytest.raises(Problems) as caught:
        parse(text, Path("r.toml"), registry=registry)
    return str(caught.value)


def test_they_are_read_resolved_and_dropped(whole: str, good: str, registry: Registry) -> None:
    evaluate = parse(whole, registry=registry).evaluate
    assert evaluate.tta == TtaSpec(views=4)
    assert evaluate.calibration == CalibrationSpec(method="temperature")
    assert evaluate.conformal == ConformalSpec(coverage=0.95, method="aps", by_class=True)
    resolved = parse(whole, registry=registry).resolved["evaluate"]
    assert resolved["calibration"] == {"method": "temperature"}
    assert resolved["conformal"] == {"coverage": 0.95, "method": "aps", "by_class": True}
    assert parse(good, registry=registry).resolved["evaluate"]["conformal"] is None
    off = [f"evaluate.{key}=false" for key in ("tta", "calibration", "conformal")]
    dropped = parse(whole, overrides=off, registry=registry).evaluate
    assert (dropped.tta, dropped.calibration, dropped.conformal) == (None, None, None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("views = 4", "views = 3"), "evaluate.tta.views: must be 2, 4 or 8, not 3"),
        (("calibration = {}", "calibration = { method = 'platt' }"), 'must be "temperature"'),
        (("coverage = 0.95", "coverage = 1"), "evaluate.conformal.coverage: must be a number"),
        (('"aps"', '"raps"'), 'evaluate.conformal.method: must be "lac" or "aps"'),
        (("by_class", "by_clas"), "did you mean 'by_class'?"),
        (("tta = {", "ttta = {"), "did you mean 'tta'?"),
    ],
)
def test_mistakes_in_them(
    change: tuple[str, str], message: str, whole: str, registry: Registry
) -> None:
    assert change[0] in whole
    assert message in shown(whole.replace(*change, 1), registry)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("k = 5", "validation = 0"), "there are no validation rows to fit it on"),
        (("k = 5", "validation_is_test = true"), "would be fitted on the rows it is judged on"),
        (("[evaluate]", '[evaluate]\non = "all"'), 'judged on: evaluate.on is "all"'),
    ],
)
def test_nothing_is_fitted_without_validation_rows_or_on_scored_ones(
    change: tuple[str, str], message: str, whole: str, registry: Registry
) -> None:
    text = whole.replace('threshold = { rule = "f1" }\n', "").replace(*change, 1)
    said = shown(text, registry)
    assert f"evaluate.calibration: {message}" in said or message in said.split("\n")[0]
    assert said.count(message) == 2
    assert "2 problems; nothing was run." in said
    # Views need no rows.
    without = [f"evaluate.{key}=false" for key in ("calibration", "conformal")]
    assert parse(text, overrides=without, registry=registry).evaluate.tta is not None
