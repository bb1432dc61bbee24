"""What arithmetic says of a published table, and what it says that of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["consistent", "impossible", "not checkable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableVerdict:
    """What arithmetic says of one table of figures. Every field is plain text, to be shown."""

    status: Status
    """ "impossible" only where no honest reading fits; "consistent" only of ``rests_on``."""
    reading: str = ""
    """How the figures must be read for that, where not in the plain way: "weighted averages"."""
    reason: str = ""
    """What the figures can come from; which cannot be true together; or why nothing is decided."""
    rests_on: tuple[str, ...] = ()
    """The figures that were checked, in words: "ALL recall 0.9663"."""
    bounded: tuple[str, ...] = ()
    """Averages that are only known to lie where their rows allow."""
    unused: tuple[str, ...] = ()
    """Figures that could not be used, each with the reason: "AUC 0.985 (needs the scores)"."""
    assumptions: tuple[str, ...] = ()
    """What was taken for granted: "the positive class is ALL, the second"."""
    tried: tuple[str, ...] = ()
    """Of an impossible table: the readings that do not fit either."""

    @property
    def headline(self) -> str:
        """One of "consistent", "consistent as ...", "impossible", "not checkable"."""
        return f"{self.status} as {self.reading}" if self.reading else self.status
