"""The audit says "impossible" exactly where an independent enumeration finds that nothing fits."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from leukreg.audit.examination import examine
from leukreg.audit.published_table import Reported
from tests.audit.every_reading import anything_fits, small_table


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32))
def test_impossible_is_said_exactly_where_nothing_fits(seed: int) -> None:
    table = small_table(seed)
    verdict = examine(Reported.read(table)).verdict
    if len(table) > 2:  # it prints a figure
        assert (verdict.status == "impossible") == (not anything_fits(table)), table
