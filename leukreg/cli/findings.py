"""Findings as lines of text: errors first, each with its advice under it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from leukreg.cli.output import say
from leukreg.types import Finding

if TYPE_CHECKING:
    from rich.console import Console


def show_findings(title: str, findings: Sequence[Finding], console: Console) -> None:
    """Print a title with the counts, and each finding in two lines (wrapped on a terminal)."""
    from rich.text import Text

    from leukreg.report.console import print_entry, safe

    head = Text(safe(f"{title}: ", console), style="bold")
    console.print(head + Text(summary(findings)), soft_wrap=True)
    for finding in findings:
        mark, first, second = finding.lines()
        print_entry(mark, (first, second), console)
    console.print()


def show_totals(several: Iterable[Sequence[Finding]]) -> None:
    """One line over all that was audited."""
    listed = [finding for findings in several for finding in findings]
    say(f"In all: {summary(listed)}")


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
