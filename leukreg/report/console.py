"""The report on a console: what a researcher would paste into a mail.

Sections are plain text and tables; a pipe gets every line of a table whole, as it is searched.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from leukreg.registry import Registry
from leukreg.report.sections import sections
from leukreg.report.tables import GAP, Block, blocks, wrapped
from leukreg.text import visible
from leukreg.types import RunResult, Section, Table

_STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan", "waived": "dim"}
MARGIN = "  "
"""Before every line of a table."""
WIDEST = 110
"""Columns of running text, however wide the terminal."""
MARK = 9
"""Columns of an entry's mark, such as a severity."""


class _Quiet(Console):
    """A console that leaves a closed pipe (``| head``) to the program's one error handler."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def open_console(err: bool = False) -> Console:
    """The terminal or pipe that commands draw on; text is text, never markup or an emoji's name."""
    return _Quiet(stderr=err, markup=False, emoji=False, highlight=False)


def show(result: RunResult, console: Console, registry: Registry) -> None:
    """Print the report of a run."""
    title = str(result.recipe.get("title") or result.recipe.get("name") or result.name)
    print_line(console, title, "bold")
    folder = safe(f"Run folder: {result.folder}", console)
    console.print(Text(folder, style="dim"), soft_wrap=True)  # whole, so that it can be copied
    print_line(console, "For research, not for diagnosis.", "dim")
    for index, section in enumerate(sections(result, registry)):
        render(section, console, titled=index > 0)


def render(section: Section, console: Console, titled: bool = True) -> None:
    """Print one section: title, text, tables."""
    console.print()
    if titled:
        print_line(console, section.title, "bold")
    for line in section.text:
        print_line(console, line, "bold yellow" if line.startswith("! ") else "")
    for index, table in enumerate(section.tables):
        if index:
            console.print()
        print_table(table, console)


def print_table(table: Table, console: Console) -> None:
    """Print a table without lines but the one under its head; numbers stand on the right.

    One of two columns without names is a list of entries: a mark and lines of text.
    """
    if table.columns == ("", ""):
        for mark, text in table.rows:
            print_entry(mark, text.split("\n"), console)
        return
    known = Table(
        columns=tuple(safe(name, console) for name in table.columns),
        rows=tuple(tuple(safe(cell, console) for cell in row) for row in table.rows),
    )
    width = console.width - len(MARGIN) if console.is_terminal else None
    for number, block in enumerate(blocks(known, width, "…" if _unicode(console) else "..")):
        if number:
            console.print()
        _print_block(block, console)
    if table.caption:
        print_line(console, f"{MARGIN}{table.caption}", "dim")


def _print_block(block: Block, console: Console) -> None:
    rule = "─" if _unicode(console) else "-"
    _print_cells(block, block.head, console)
    across = sum(block.widths) + GAP * (len(block.widths) - 1)
    console.print(Text(MARGIN + rule * across), soft_wrap=True)
    for row in block.rows:
        _print_cells(block, row, console)


def _print_cells(block: Block, row: tuple[str, ...], console: Console) -> None:
    for line in block.lines(row):
        parts = [Text(part, style=_STYLES.get(part.strip(), "")) for part in line]
        text = Text(MARGIN) + Text(" " * GAP).join(parts)
        text.rstrip()
        console.print(text, soft_wrap=True)


def print_entry(mark: str, lines: Iterable[str], console: Console) -> None:
    """Print a mark and lines of text beside it, each wrapped under itself on a terminal.

    Whoever reads a pipe wants each line whole.
    """
    head = f"{mark:<{MARK}}"
    for index, line in enumerate(lines):
        text = safe(line, console).replace("\n", " ")
        width = min(console.width, WIDEST) if console.is_terminal else max(len(text), 1) + MARK
        for part in wrapped(text, width - MARK):
            entry = Text(head + part, style="dim" if index else "")
            if head.strip():
                entry.stylize(_STYLES.get(mark, "bold"), 0, len(mark))
            console.print(entry, soft_wrap=True)
            head = " " * MARK


def print_line(console: Console, line: str, style: str = "") -> None:
    """One line of text, wrapped at words; what follows the first is indented under a mark."""
    hang = "  " if line.startswith(("! ", "  ")) else ""
    for part in wrapped(safe(line, console), min(console.width, WIDEST), hang):
        console.print(Text(part, style=style), soft_wrap=True)


def safe(text: str, console: Console) -> str:
    """The text as far as the console's encoding has it, control characters made visible."""
    return visible(text, console.encoding or "ascii")


def _unicode(console: Console) -> bool:
    return (console.encoding or "").lower().startswith("utf")
