"""What commands print. Text of users is shown as text: no markup, no escape codes, no emoji.

What is drawn (reports, tables, progress) goes to :func:`leukreg.report.console.open_console`.
"""

from __future__ import annotations

import sys

import click

from leukreg.text import visible

GOOD, FINDINGS, WRONG_USE, BUG, INTERRUPTED, PIPE_CLOSED, TERMINATED = 0, 1, 2, 3, 130, 141, 143
"""Exit codes; the last three as a shell has them."""


def say(text: str = "", err: bool = False, nl: bool = True) -> None:
    """Print text, such as a sentence or a table's lines, to the standard output or error."""
    stream = sys.stderr if err else sys.stdout
    click.echo(visible(text, getattr(stream, "encoding", None) or "ascii"), nl=nl, err=err)
