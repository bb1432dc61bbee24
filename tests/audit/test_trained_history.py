"""V1 to V5, trained small on rendered cells: which rule fires on which recipe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from leukreg_plugins import AUDITS, plugins_in
from leukreg_plugins.sources.demo import Demo

from leukreg.record import RunRecord
from leukreg.runs import read
from tests.audit.small import trained

pytestmark = pytest.mark.slow

Fires = dict[str, tuple[str, ...]]
MISSING = "Pre-B: 0 of 16, Pro-B: 0 of 16, early Pre-B: 0 of 16"

ERRORS: dict[str, Fires] = {
    "v1": {
        "input-range": ("to 0.00392", "expect 0 to 1"),
        "validation-is-test": ("validation is the test",),
    },
    "v2": {
        "listed-wrongly": ("16 files listed 2 times", MISSING),
        "copies-across-split": ("test rows",),
        "absent-class": ("no real training image of Pre-B", "no real test image of Pre-B"),
        "one-class-tested": ("scored rows are Benign", "205 Benign"),
        "parent-of-other-label": ("36 synthetic", "12 Pro-B from Benign"),
        "parent-outside-fold": ("held-out",),  # each held-out file is listed in training, too
        "validation-is-test": ("validation is the test",),
    },
    "v3": {
        "listed-wrongly": ("16 files listed 2 times", MISSING),
        "copies-across-split": ("32 test rows",),
        "absent-class": ("no real training image of Pre-B", "no real test image of Pre-B"),
        "one-class-tested": ("all 32 scored rows are Benign", "specificity of 0"),
        "parent-of-other-label": ("180 synthetic", "60 Pro-B from Benign"),
        "parent-outside-fold": ("held-out",),
        "validation-is-test": ("validation is the test",),
        "impossible-figures": ("40.49 % lies above", "Benign 0.1902"),
        "undefined-printed": ("Benign specificity 0.0000",),
    },
    "v4": {
        "listed-wrongly": ("16 files listed 2 times", "ALL: 0 of 48"),
        "copies-across-split": ("test rows",),
        "absent-class": ("no real training image of ALL", "no real test image of ALL"),
        "synthetic-scored": ("test rows are synthetic", "validation rows are synthetic"),
        "parent-of-other-label": ("12 ALL from Benign",),
        "parent-outside-fold": ("held-out",),
        "validation-is-test": ("validation is the test",),
        "majority-baseline": ("84.00 %", "91.1 %"),
    },
    "v5": {
        "listed-wrongly": ("16 files listed 2 times", "ALL: 0 of 48"),
        "copies-across-split": ("test rows",),
        "absent-class": ("no real training image of ALL", "no real test image of ALL"),
        "synthetic-scored": ("test rows are synthetic", "validation rows are synthetic"),
        "parent-of-other-label": ("12 ALL from Benign",),
        "parent-outside-fold": ("held-out",),
        "scored-training-rows": ("of 44 scored rows", "were trained on"),
        "threshold-on-scored": ("was fitted on the scored rows",),
        "input-range": ("to 0.00392", "expect 0 to 1"),
        "whole-set-scored": ("1,433",),
        "brier-no-better": ("0.2065", "0.2040"),
    },
}
"""Recipe to all rules that find an error in its run, with words of their messages."""
WARNS: dict[str, tuple[str, ...]] = {
    "v1": ("fallback-taken", "patients-unknown", "baseline-misquoted"),
    "v2": ("fallback-taken", "patients-unknown", "chance-loss", "no-better-than-start"),
    "v3": ("fallback-taken", "patients-unknown", "below-chance"),
    "v4": ("fallback-taken", "patients-unknown", "auc-near-half", "few-positives"),
    "v5": ("fallback-taken", "patients-unknown"),
}
"""Recipe to rules that must warn, among others that depend on the small training."""
REPAIRED = [f"{version}-repaired" for version in ERRORS]
Train = Callable[..., RunRecord]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("history")


@pytest.fixture
def train(root: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    """Trains a shipped recipe small; cells are rendered once for all."""
    monkeypatch.setenv("LEUKREG_CACHE", str(root / "cache"))
    monkeypatch.chdir(root)  # where no data/all lies

    def go(name: str, runs: str = "", more: tuple[str, ...] = ()) -> RunRecord:
        return trained(name, root / (runs or name), more)

    return go


def told(result: RunRecord, severity: str) -> dict[str, str]:
    """Rule to all its messages of this severity."""
    found: dict[str, str] = {}
    for finding in result.findings:
        if finding.severity == severity:
            found[finding.rule] = f"{found.get(finding.rule, '')}\n{finding.message}"
    return found


@pytest.mark.parametrize("name", ERRORS)
def test_on_the_faithful_run_the_faults_of_the_history_are_found(name: str, train: Train) -> None:
    result = train(name)
    errors = told(result, "error")
    assert set(errors) == set(ERRORS[name])
    for rule, words in ERRORS[name].items():
        for word in words:
            assert word in errors[rule], f"{rule}: {errors[rule]}"
    assert set(told(result, "warning")) >= set(WARNS[name])
    assert read(result.folder).findings == result.findings


@pytest.mark.parametrize("name", REPAIRED)
def test_on_the_repaired_run_no_error_is_found(name: str, train: Train) -> None:
    result = train(name)
    assert told(result, "error") == {}
    rules = {str(vars(rule)["leukreg_name"]) for rule in plugins_in(*AUDITS)}
    quiet = {"repeated-pixels", "copies-disagree", "class-counts-moved", "patients-unknown",
             "shortcut", "learning-rate", "copies-across-split"}  # fmt: skip
    assert quiet <= rules
    assert quiet.isdisjoint(told(result, "warning"))


def test_a_run_writes_down_what_rules_read(train: Train) -> None:
    record = train("v4", "facts")
    (fold,) = record.training.folds
    assert record.listing.files_found == {"Benign": 16, "ALL": 48}
    assert record.listing.listed == {"Benign": 32, "ALL": 0}
    assert record.earlier.test_looks == ()
    assert fold.bn_changed_by_mc is False
    assert fold.input_range is not None
    low, high, *contract = fold.input_range
    assert 0 <= low < 0.5 < high <= 1
    assert contract == [0, 1]


def test_a_second_look_and_lost_files_are_found(train: Train, root: Path) -> None:
    """Two runs of one recipe on a folder that changes between them."""
    data = root / "cells"
    Demo(images=16, size=32, patients=8).write(data)
    where = ("data.root=" + str(data), "synthesis.per_class=4")
    first = train("v4", "twice", where)
    assert "fallback-taken" not in told(first, "warning")
    second = train("v4", "twice", where)
    assert first.name in told(second, "warning")["test-looks"]
    assert first.name not in told(second, "warning").get("class-counts-moved", "")
    for path in sorted((data / "Benign").iterdir())[:2]:
        path.unlink()
    third = told(train("v4", "twice", where), "warning")
    assert f"{second.name} had -> this run): Benign 32 -> 28" in third["class-counts-moved"]
    assert "test-looks" not in third


def test_patient_ids_that_fell_back_to_the_folder_name_are_found(train: Train, root: Path) -> None:
    data = root / "cells-of-folders"
    Demo(images=16, size=32).write(data)
    result = train("v4", "folders", (f"data.root={data}", 'data.patient="^([^/]+)/"'))
    assert "1 of 1 patient" in told(result, "error")["patient-across-split"]
    assert "patient 'Benign' holds 32 of 32 images" in told(result, "warning")["concentrated-class"]
