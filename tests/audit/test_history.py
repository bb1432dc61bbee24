"""V1 to V5: what the audit says of the published figures and of the recipes' wishes."""

from __future__ import annotations

from pathlib import Path

import pytest

from leukreg.audit.rules import audit
from leukreg.recipe import load
from leukreg.record import RunRecord
from leukreg.registry import installed
from leukreg.types import Finding

EXPERIMENTS = Path(__file__).parents[2] / "experiments"

FIRES: dict[str, dict[str, tuple[str, ...]]] = {
    "v1": {
        "consistent-table": ("consistent", "supports 102/191/160/196"),
        "baseline-misquoted": ("30.2 %", "not 25.0 %"),
        "input-range": ("divides by 255",),
        "validation-is-test": (),
    },
    "v2": {
        "one-class-tested": ("205 Benign",),
        "chance-loss": ("1.3462", "the 1.3863"),
        "no-better-than-start": ("first epoch", "3.989"),
        "validation-is-test": (),
    },
    "v3": {
        "impossible-figures": ("accuracy 40.49 % lies above", "Benign 0.1902", "in any folds"),
        "one-class-tested": ("one class, Benign", "precision of 1 and specificity of 0"),
        "undefined-printed": ("Benign specificity 0.0000",),
        "validation-is-test": (),
    },
    "v4": {
        "consistent-table": ("its matrix of 225 rows",),
        "majority-baseline": ("84.00 %", "91.1 %", "20 positives"),
        "auc-near-half": ("0.3898", "0.27 to 0.51"),
        "few-positives": ("20 images",),
        "no-better-than-start": ("first epoch",),
        "synthetic-scored": ("before the split",),
        "validation-is-test": (),
    },
    "v5": {
        "consistent-table": ("its matrix of 1,433 rows",),
        "whole-set-scored": ("1,433", "whole data set"),
        "brier-no-better": ("0.2065", "0.2040"),
        "threshold-on-scored": (),
        "scored-training-rows": (),
        "synthetic-scored": (),
        "input-range": (),
    },
}
"""Version to the rules that fire on its recipe alone, with words of their messages."""


def findings_of(name: str) -> tuple[Finding, ...]:
    recipe = load(EXPERIMENTS / f"{name}.toml")
    evidence = RunRecord(recipe=recipe.resolved)
    return audit(evidence, recipe.audit, installed())


@pytest.mark.parametrize("version", FIRES)
def test_the_faithful_recipe(version: str) -> None:
    findings = {finding.rule: finding for finding in findings_of(version)}
    assert set(findings) == set(FIRES[version])
    for rule, words in FIRES[version].items():
        for word in words:
            assert word in findings[rule].message


@pytest.mark.parametrize("version", FIRES)
def test_its_repaired_twin_has_no_error(version: str) -> None:
    assert [f for f in findings_of(f"{version}-repaired") if f.severity == "error"] == []
