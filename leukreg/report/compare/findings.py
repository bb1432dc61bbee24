"""Findings side by side: which rule says what of which column."""

from __future__ import annotations

from collections.abc import Sequence

from leukreg.report.compare.columns import Column
from leukreg.types import Table

_RANK = ("error", "warning", "note", "waived", "")


def findings(columns: Sequence[Column]) -> tuple[Table, ...]:
    """The severest thing that each rule finds in each column, severe rules first."""
    rules = dict.fromkeys(finding.rule for column in columns for finding in column.findings)
    order = sorted(rules, key=lambda rule: [_worst(column, rule)[0] for column in columns])
    order.sort(key=lambda rule: min(_worst(column, rule)[0] for column in columns))
    rows = [(rule, *(_worst(column, rule)[1] for column in columns)) for rule in order]
    heads = ("rule", *(column.head for column in columns))
    return (Table(columns=heads, rows=tuple(rows)),) if rows else ()


def _worst(column: Column, rule: str) -> tuple[int, str]:
    marks = [finding.lines()[0] for finding in column.findings if finding.rule == rule]
    rank = min((_RANK.index(mark) for mark in marks), default=len(_RANK) - 1)
    return rank, _RANK[rank]


def errors(columns: Sequence[Column]) -> tuple[Table, ...]:
    """Errors that no recipe waives, in words, by the letter of what they are of."""
    rows = [
        (column.letter, f"{finding.message}\n{finding.lines()[2]}")
        for column in columns
        for finding in column.findings
        if finding.severity == "error" and finding.waived is None
    ]
    return (Table(columns=("", ""), rows=tuple(rows)),) if rows else ()
