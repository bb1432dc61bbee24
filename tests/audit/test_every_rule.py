"""Every rule fires on the evidence of some real run, and reads only facts that some run writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from leukreg.audit import audit, evidence_of
from leukreg.registry import installed
from leukreg.types import Evidence
from tests.audit.real_runs import Bench, evaluated, folded, leaking, papers, swapped, synthetic

RULES = installed().names("audit")


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Evidence]]:
    folder = tmp_path_factory.mktemp("real")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEUKREG_CACHE", str(folder / "cache"))
        patch.syspath_prepend(folder)
        bench = Bench.of(folder)
        runs = [*leaking(bench), *swapped(bench), *synthetic(bench), folded(bench)]
        runs.append(evaluated(bench, runs[2]))
        yield [*papers(), *map(evidence_of, runs)]


@pytest.fixture(scope="module")
def fired(evidence: list[Evidence]) -> set[str]:
    return {finding.rule for each in evidence for finding in audit(each, None, installed())}


@pytest.mark.parametrize("rule", RULES)
def test_it_fires_in_some_real_run(rule: str, fired: set[str]) -> None:
    assert rule in fired, f"no real run makes {rule!r} fire: add one to real_runs, or drop the rule"


class Asked(dict[str, Any]):
    """Facts that remember which of their keys were asked for."""

    def __init__(self, facts: Mapping[str, Any], path: str, asked: dict[str, bool]) -> None:
        inner = {key: _asked(value, f"{path}.{key}", asked) for key, value in facts.items()}
        super().__init__(inner)
        self.path, self.asked = path, asked

    def _note(self, key: object) -> None:
        name = f"{self.path}.{key}"
        self.asked[name] = self.asked.get(name, False) or super().__contains__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self._note(key)
        return super().get(key, default)

    def __getitem__(self, key: str) -> Any:
        self._note(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self._note(key)
        return super().__contains__(key)


def _asked(value: Any, path: str, asked: dict[str, bool]) -> Any:
    if isinstance(value, Mapping):
        return Asked(value, path, asked)
    if isinstance(value, list | tuple):
        return [_asked(item, path, asked) for item in value]
    return value


def test_no_rule_waits_for_a_fact_that_no_run_writes(evidence: list[Evidence]) -> None:
    asked: dict[str, bool] = {}
    for each in evidence:
        noted = replace(each, facts=Asked(each.facts, "facts", asked))
        for rule in RULES:
            list(installed().get("audit", rule).cls().build(noted))
    assert len(asked) > 20
    # Some facts are asked of the run and of each of its folds: one of the two is enough.
    written = {name.rsplit(".", 1)[1] for name, there in asked.items() if there}
    assert [name for name in asked if name.rsplit(".", 1)[1] not in written] == []
