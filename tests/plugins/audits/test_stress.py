"""Rules about changed images: told where the figures say so, silent where they were not made."""

from __future__ import annotations

import pytest
from leukreg_plugins.audits.stress import CentreNotNeeded, StainDecides

from leukreg import RunRecord, Score, record
from leukreg.audit.rules import audit
from leukreg.recipe.model import AuditSpec, Waiver
from leukreg.registry import installed


def scores(value: float, spread: float = 0.05) -> tuple[Score, ...]:
    each = tuple(Score(name="sensitivity", label=name, value=value) for name in "abcd")
    bounds = {"low": value - spread, "high": value + spread}
    return (Score(name="balanced_accuracy", value=value, **bounds), *each)


def run(name: str, after: float, before: float = 0.9, spread: float = 0.05) -> RunRecord:
    bounds = {"low": before - after - spread, "high": before - after + spread}
    loss = Score(name="balanced_accuracy_loss", value=before - after, **bounds)
    step = record.StressStep(level=1.0, said="80 %", scores=scores(after, spread), loss=loss)
    changes = (record.StressChange(name=name, steps=(step,)),)
    return RunRecord(stress=record.Stress(images=40, of=40, scores=scores(before), changes=changes))


@pytest.mark.parametrize("rule", [CentreNotNeeded(), StainDecides()])
def test_nothing_is_said_of_what_was_not_measured(rule: CentreNotNeeded | StainDecides) -> None:
    assert list(rule.build(RunRecord())) == []
    assert (
        list(rule.build(RunRecord(stress=record.Stress(images=4, of=4, scores=scores(0.9))))) == []
    )
    assert list(rule.build(run("noise", 0.25))) == []


def test_a_model_that_does_without_the_centre_is_told() -> None:
    (finding,) = CentreNotNeeded().build(run("centre masked", 0.85))
    assert finding.rule == "centre-not-needed"
    assert finding.severity == "warning"
    assert "85.0 % (95 % interval 80.0 % to 90.0 %)" in finding.message
    assert "by chance 25.0 %" in finding.message
    assert list(CentreNotNeeded().build(run("centre masked", 0.5))) == []
    assert list(CentreNotNeeded().build(run("centre masked", 0.6, spread=0.2))) == []
    assert list(CentreNotNeeded().build(run("centre masked", 0.27, before=0.28))) == []


def test_a_model_that_falls_to_chance_by_colours_is_told() -> None:
    (finding,) = StainDecides().build(run("stain of another class", 0.22))
    assert finding.rule == "stain-decides"
    assert "by chance 25.0 %" in finding.message
    assert list(StainDecides().build(run("stain of another class", 0.4))) == []
    assert list(StainDecides().build(run("stain of another class", 0.2, before=0.27))) == []
    # Both intervals at the edge of chance: nothing was lost that could not be luck.
    near = run("stain of another class", 0.29, before=0.31)
    assert list(StainDecides().build(near)) == []


def test_a_waiver_is_not_idle_before_anything_was_measured() -> None:
    waive = (Waiver(rule="centre-not-needed", reason="whole fields"),)
    told = [
        audit(evidence, AuditSpec(waive=waive), installed())
        for evidence in (RunRecord(), run("noise", 0.25))
    ]
    assert [["meets no finding" in f.message for f in one] for one in told] == [[], [True]]
