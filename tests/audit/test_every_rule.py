"""Every rule fires on the evidence of some real run, and reads only facts that some run writes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import leukreg_plugins
import pytest

import leukreg
from leukreg.audit.rules import audit
from leukreg.record import RunRecord
from leukreg.registry import installed
from tests.audit.papers import papers
from tests.audit.real_runs import (
    Bench,
    evaluated,
    folded,
    leaking,
    of_patients,
    stressed,
    swapped,
    swept,
    synthetic,
)

RULES = installed().names("audit")


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[RunRecord]]:
    folder = tmp_path_factory.mktemp("real")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEUKREG_CACHE", str(folder / "cache"))
        patch.syspath_prepend(folder)
        bench = Bench.of(folder)
        runs = [*leaking(bench), *swapped(bench), *synthetic(bench), folded(bench)]
        runs += [evaluated(bench, runs[2]), stressed(bench), of_patients(bench)]
        runs.append(swept(bench))
        yield [*papers(), *runs]


@pytest.fixture(scope="module")
def fired(evidence: list[RunRecord]) -> set[str]:
    return {finding.rule for each in evidence for finding in audit(each, None, installed())}


@pytest.mark.parametrize("rule", RULES)
def test_it_fires_in_some_real_run(rule: str, fired: set[str]) -> None:
    assert rule in fired, f"no real run makes {rule!r} fire: add one to real_runs, or drop the rule"


def test_no_rule_is_written_and_never_asked() -> None:
    folder = Path(leukreg_plugins.__file__).parent / "audits"
    texts = [path.read_text(encoding="utf-8") for path in folder.glob("*.py")]
    written = {name for text in texts for name in re.findall(r'^@plugin\("(.+?)"\)', text, re.M)}
    assert written <= set(RULES)


class Asked:
    """A part of a record that remembers which of its fields were asked for."""

    def __init__(self, part: Any, asked: set[str]) -> None:
        self._part, self._asked = part, asked

    def __getattr__(self, name: str) -> Any:
        if name in {field.name for field in fields(self._part)}:
            self._asked.add(name)
        return _asked(getattr(self._part, name), self._asked)

    def __str__(self) -> str:
        return str(self._part)


def _asked(value: Any, asked: set[str]) -> Any:
    if is_dataclass(value):
        return Asked(value, asked)
    return tuple(_asked(one, asked) for one in value) if isinstance(value, tuple) else value


PARTS = ("listing", "synthesis", "training", "fitted", "earlier", "evaluated_from")
DECLARED = ("record.py", "gate_figures.py", "types.py")


def _written() -> set[str]:
    """What the core gives values by name: as an argument, or as a key of plain data."""
    found = set()
    for path in Path(leukreg.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text()) if path.name not in DECLARED else ast.Module([], [])
        for node in ast.walk(tree):
            found |= {node.arg} if isinstance(node, ast.keyword) else set()
            found |= {node.value} if isinstance(node, ast.Constant) else set()
    return found


def test_no_rule_waits_for_a_fact_that_no_run_writes(evidence: list[RunRecord]) -> None:
    asked: set[str] = set()
    for each in evidence:
        parts = {name: _asked(getattr(each, name), asked) for name in PARTS}
        for rule in RULES:
            list(installed().get("audit", rule).cls().build(replace(each, **parts)))
    assert len(asked) > 20
    # The floors of distances are named by these: "floor_kid".
    assert {name.removeprefix("floor_") for name in asked} - _written() == set()
