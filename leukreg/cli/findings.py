"""Findings as lines of text: errors first, each with its advice under it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from leukreg.types import Finding

if TYPE_CHECKING:
    from rich.console import Console

_STYLE = {"error": "bold red", "warning": "yellow", "note": "cyan", "waived": "dim"}
_INDENT = 9


def show_findings(title: str, findings: Sequence[Finding], console: Console) -> None:
    """Print a title with the counts, and each finding in two lines (wrapped on a terminal)."""
    from rich.text import Text

    console.print(Text(f"{title}: ", style="bold") + Text(summary(findings)), soft_wrap=True)
    for finding in findings:
        style = "waived" if finding.waived is not None else finding.severity
        first, second = (style, finding.message), ("", _second(finding))
        for head, text in (first, second):
            if console.is_terminal:
                console.print(_entry(head, text, _STYLE[style] if head else "dim"))
            else:  # whoever reads a pipe wants each line whole
                console.print(Text(f"{head:<{_INDENT}}{text}"), soft_wrap=True)
    console.print()


def show_totals(several: Iterable[Sequence[Finding]], console: Console) -> None:
    """One line over all that was audited."""
    listed = [finding for findings in several for finding in findings]
    console.print(f"In all: {summary(listed)}", soft_wrap=True)


def summary(findings: Sequence[Finding]) -> str:
    """Such as "2 errors, 1 warning, 1 waived"."""
    counts = Counter(
        "waived" if finding.waived is not None else finding.severity for finding in findings
    )
    parts = [
        f"{counts[kind]} {kind}{'s' if counts[kind] != 1 and kind != 'waived' else ''}"
        for kind in ("error", "warning", "note", "waived")
        if counts[kind]
    ]
    return ", ".join(parts) or "nothing found"


def _second(finding: Finding) -> str:
    if finding.waived is not None:
        return f"{finding.rule}: waived, {finding.waived}"
    return f"{finding.rule}: {finding.advice or finding.why}".rstrip(": ")


def _entry(head: str, text: str, style: str) -> object:
    """A hanging paragraph: the severity, then the text beside it."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=_INDENT - 1, no_wrap=True)
    grid.add_column(overflow="fold", ratio=1)
    body = Text(text, style="dim" if style == "dim" else "")
    grid.add_row(Text(head, style=style), body)
    return grid
