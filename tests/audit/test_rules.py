"""All rules over the evidence: order, waivers, rules that fail."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from leukreg.audit.rules import audit, has_errors, spec_of
from leukreg.errors import RunError
from leukreg.recipe.model import AuditSpec, Waiver
from leukreg.record import RunRecord
from leukreg.registry import Registry, discover, installed
from leukreg.registry.plugin import hookimpl, plugin
from leukreg.types import Finding, Fold, Predictions, Sample, Samples

TABLE = {"classes": ["a", "b"], "confusion": [[187, 18], [18, 2]], "accuracy": "0.84",
         "recall": "0.10"}  # fmt: skip


class Point:
    """An entry point of a module made here."""

    def __init__(self, *rules: type) -> None:
        def leukreg_audits() -> list[type]:
            return list(rules)

        self.name, self.value, self.group = "rules", "rules", "leukreg"
        self.dist = SimpleNamespace(name="stranger", version="1")
        self.module = SimpleNamespace(leukreg_audits=hookimpl(leukreg_audits))

    def load(self) -> Any:
        return self.module


@plugin("says-two")
class SaysTwo:
    """Finds a note, then an error."""

    second: str = "wrong"
    """The error's message."""

    def build(self, evidence: RunRecord) -> Iterable[Finding]:
        yield Finding(rule="says-two", severity="note", message="by the way")
        yield Finding(rule="says-two", severity="error", message=self.second)


@plugin("breaks")
class Breaks:
    """Fails."""

    def build(self, evidence: RunRecord) -> Iterable[Finding]:
        yield Finding(rule="breaks", severity="note", message="before")
        raise KeyError("nothing there")


def registry(*rules: type) -> Registry:
    return discover([Point(*rules)])  # type: ignore[list-item]


def test_errors_come_first_and_waived_ones_last() -> None:
    spec = AuditSpec(waive=(Waiver(rule="breaks", reason="known"),))
    findings = audit(RunRecord(), spec, registry(SaysTwo, Breaks))
    assert [(f.severity, f.waived) for f in findings] == [
        ("error", None),
        ("note", None),
        ("warning", "known"),
    ]
    assert has_errors(findings)


def test_a_waived_error_is_no_error_but_stays() -> None:
    spec = AuditSpec(waive=(Waiver(rule="says-two", reason="known"),))
    findings = audit(RunRecord(), spec, registry(SaysTwo))
    assert [f.waived for f in findings] == ["known", "known"]
    assert not has_errors(findings)


def test_a_rule_that_fails_is_named_and_the_others_go_on() -> None:
    findings = audit(RunRecord(), None, registry(Breaks, SaysTwo))
    (broken,) = [f for f in findings if f.rule == "breaks"]
    assert "could not be applied: KeyError" in broken.message
    assert len(findings) == 3


def test_a_waiver_that_meets_nothing_is_said() -> None:
    spec = AuditSpec(waive=(Waiver(rule="idle-phase", reason="old"),))
    (finding,) = audit(RunRecord(), spec, installed())
    assert (finding.severity, finding.rule) == ("note", "idle-phase")
    assert "meets no finding" in finding.message


def test_options_come_from_the_kept_recipe() -> None:
    kept = {"audit": {"waive": [], "rules": {"says-two": {"second": "worse"}}}}
    rules = registry(SaysTwo)
    assert audit(RunRecord(), spec_of(kept, rules), rules)[0].message == "worse"
    with pytest.raises(RunError, match="do not fit"):
        spec_of({"audit": {"rules": {"says-two": {"third": 1}}}}, rules)
    with pytest.raises(RunError, match="there is no audit 'gone'"):
        spec_of({"audit": {"rules": {"gone": {}}}}, rules)
    assert spec_of({}, rules) == AuditSpec()


def test_an_unreadable_table_is_a_finding_not_a_failure() -> None:
    findings = audit(RunRecord(recipe={"reported": {"precision": 1.7}}), None, installed())
    assert [f.rule for f in findings] == ["reported-unreadable"]


def test_evidence_of_a_run(make_result: Any) -> None:
    result = make_result(reported=TABLE)
    evidence = replace(result, threshold_from="scored")
    assert evidence.reported == (TABLE,)
    assert evidence.near_duplicates == result.near_duplicates
    assert evidence.threshold_from == "scored"
    rules = {f.rule for f in audit(evidence, None, installed())}
    assert {"majority-baseline", "few-positives", "threshold-on-scored"} <= rules
    assert make_result().reported == ()


def _large(n: int) -> RunRecord:
    """A run on ``n`` images in five folds, with statistics, digests and copies."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, n)
    listed = tuple(
        Sample(id=f"c{c}/{i:06d}.jpg", path=f"/d/{i}.jpg", label=f"c{c}", patient=f"p{i % 400}")
        for i, c in enumerate(labels.tolist())
    )
    order = np.arange(n) % 400 % 5
    folds = tuple(
        Fold(index=k, train=tuple(np.flatnonzero(order != k).tolist()), validation=(),
             test=tuple(np.flatnonzero(order == k).tolist()))
        for k in range(5)
    )  # fmt: skip
    p = rng.dirichlet(np.ones(4), n)
    predictions = Predictions(
        classes=("c0", "c1", "c2", "c3"), row=np.arange(n), id=tuple(r.id for r in listed),
        path=tuple(r.path for r in listed), patient=tuple(r.patient for r in listed),
        origin=("real",) * n, fold=order, label=labels, probabilities=p,
        uncertainty=np.zeros(n), mutual_information=np.zeros(n),
    )  # fmt: skip
    statistics = rng.normal(100, 20, (n, 12))
    return RunRecord(
        samples=Samples(rows=listed, classes=predictions.classes),
        pixels={row.id: f"{i // 2 if i < 200 else i:032x}" for i, row in enumerate(listed)},
        near_duplicates=tuple((listed[i].id, listed[i + 400].id) for i in range(0, n - 400, 500)),
        statistics={row.id: tuple(v) for row, v in zip(listed, statistics.tolist(), strict=True)},
        folds=folds,
        predictions=predictions,
    )


def test_twenty_thousand_rows_take_seconds_and_little_memory() -> None:
    evidence, rules = _large(20_000), installed()
    audit(_large(200), None, rules)  # imports are not what is measured
    tracemalloc.start()
    began = time.process_time()
    findings = audit(evidence, None, rules)
    seconds, (_, peak) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert {"repeated-pixels", "copies-across-split"} <= {f.rule for f in findings}
    assert not any("could not be applied" in f.message for f in findings)
    assert seconds < 20
    assert peak < 200 * 2**20


def test_the_audit_changes_nothing_in_its_evidence() -> None:
    evidence = _large(300)
    kept = replace(evidence)
    first = audit(evidence, None, installed())
    assert audit(kept, None, installed()) == first
