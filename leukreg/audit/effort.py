"""How much a search may try before it says that it did not decide."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Effort:
    """Bounds counted in work, not in seconds, so that an answer does not depend on the machine."""

    items: int
    """Candidates of one class."""
    pairs: int
    """Pairs of candidates that are summed at once."""
    work: int
    """Candidates looked at where they are too many to list."""


FULL = Effort(items=2_000_000, pairs=6_000_000, work=20_000_000)
QUICK = Effort(items=60_000, pairs=600_000, work=3_000_000)
"""For the many searches that find out which figures contradict each other."""
