"""A terminal of a given width for commands that tests call, and what stands on it."""

from __future__ import annotations

import pytest
from rich.text import Text


def pretend(patch: pytest.MonkeyPatch, width: int) -> None:
    """Let rich take the standard output for a terminal, without colours."""
    for name, value in {
        "FORCE_COLOR": "1", "NO_COLOR": "1", "TERM": "xterm", "LINES": "50", "COLUMNS": str(width),
    }.items():  # fmt: skip
        patch.setenv(name, value)


def plain(text: str) -> str:
    """The text without codes of styles."""
    return Text.from_ansi(text).plain
