"""No rule says anything, or fails, where it has nothing to look at."""

from __future__ import annotations

import pytest
from leukreg_plugins import AUDITS, plugins_in

from leukreg import RunRecord
from tests.plugins.audits.evidence import binary, found


@pytest.mark.parametrize("rule", plugins_in(*AUDITS))
def test_nothing_is_said_without_evidence(rule: type) -> None:
    assert found(rule(), RunRecord()) == []


@pytest.mark.parametrize("rule", plugins_in(*AUDITS))
def test_no_rows_are_no_reason_to_fail(rule: type) -> None:
    assert found(rule(), RunRecord(predictions=binary([], []), threshold=0.5)) == []
