"""What a record has in ``facts.json``, from the plain data that stand there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from leukreg.record import Digests, RunRecord
from leukreg.runs.contents import facts_of


def from_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The record's fields with these facts; ``digests`` has a file of its own."""
    found = facts_of(Path("facts.json"), facts, RunRecord)
    return found | ({"digests": Digests(**facts["digests"])} if "digests" in facts else {})
