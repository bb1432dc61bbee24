"""What each column is."""

from __future__ import annotations

from collections.abc import Sequence

from leukreg.report.compare.columns import Column
from leukreg.types import Table


def legend(columns: Sequence[Column]) -> Table:
    """One line per column: what it is, what was scored, how many findings."""
    rows = tuple((c.head, c.name, _scored(c), _open(c)) for c in columns)
    return Table(columns=("", "what", "scored", "findings"), rows=rows)


def _scored(column: Column) -> str:
    if column.result is not None:
        origins = column.result.predictions.origin
        return " + ".join(f"{origins.count(o):,} {o}" for o in sorted(set(origins)))
    total = column.reported.test_total() if column.reported is not None else None
    return "published" if total is None else f"{total:,} published"


def _open(column: Column) -> str:
    standing = [finding for finding in column.findings if finding.waived is None]
    errors = sum(finding.severity == "error" for finding in standing)
    if not errors:
        return str(len(standing))
    return f"{len(standing)} ({errors} error{'' if errors == 1 else 's'})"
