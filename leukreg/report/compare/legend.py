"""What each column is."""

from __future__ import annotations

from collections.abc import Sequence

from leukreg.report.compare.columns import Column
from leukreg.types import RunResult, Table


def legend(columns: Sequence[Column]) -> Table:
    """One line per column: what it is, what was scored, how many findings."""
    rows = tuple(
        (column.head, column.name, _scored(column), _origins(column), _open(column))
        for column in columns
    )
    return Table(columns=("", "what", "scored", "of which", "findings"), rows=rows)


def _scored(column: Column) -> str:
    if column.result is not None:
        return f"{len(column.result.predictions):,}"
    total = column.reported.test_total() if column.reported is not None else None
    return "-" if total is None else f"{total:,}"


def _origins(column: Column) -> str:
    return _of_run(column.result) if column.result is not None else "published"


def _of_run(result: RunResult) -> str:
    origins = result.predictions.origin
    return " + ".join(f"{origins.count(o):,} {o}" for o in sorted(set(origins)))


def _open(column: Column) -> str:
    standing = [finding for finding in column.findings if finding.waived is None]
    errors = sum(finding.severity == "error" for finding in standing)
    if not errors:
        return str(len(standing))
    return f"{len(standing)} ({errors} error{'' if errors == 1 else 's'})"
