"""The report on a console: what a researcher would paste into a mail.

Nothing but this module knows of rich; sections are plain text and tables.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

from rich.box import SIMPLE_HEAD, Box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.segment import Segment, Segments
from rich.table import Table as RichTable
from rich.text import Text

from leukreg.registry import Registry
from leukreg.report.sections import sections
from leukreg.types import RunResult, Section, Table

_PLAIN = str.maketrans(
    {"–": "-", "—": "-", "−": "-", "·": ".", "×": "x", "…": "...", "≥": ">=", "≤": "<=", "±": "+-"}
)
_ASCII_HEAD = Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
_NUMERIC = re.compile(r"[-+−]?[\d.,]+( ?%)?([–/ -]+[-+−]?[\d.,]+( ?%)?)?\*?|undefined|-|·|")
_STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan", "waived": "dim"}
_GLUED = "\0%"
"""A per cent sign and its space while lines are wrapped; no text holds a NUL (see ``safe``)."""
WIDEST = 110
MARK = 9
"""Columns of an entry's mark, such as a severity."""


def show(result: RunResult, console: Console, registry: Registry) -> None:
    """Print the report of a run."""
    title = str(result.recipe.get("title") or result.recipe.get("name") or result.name)
    _line(console, title, "bold")
    folder = safe(f"Run folder: {result.folder}", console)
    console.print(Text(folder, style="dim"), soft_wrap=True)  # whole, so that it can be copied
    _line(console, "For research, not for diagnosis.", "dim")
    for index, section in enumerate(sections(result, registry)):
        render(section, console, titled=index > 0)


def render(section: Section, console: Console, titled: bool = True) -> None:
    """Print one section: title, text, tables."""
    console.print()
    if titled:
        _line(console, section.title, "bold")
    for line in section.text:
        _line(console, line, "bold yellow" if line.startswith("! ") else "")
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
    drawn = RichTable(
        box=SIMPLE_HEAD if _unicode(console) else _ASCII_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        header_style="",
    )
    for index, name in enumerate(table.columns):
        cells = [row[index] for row in table.rows]
        right = index > 0 and _numeric(cells)
        # A name that can be broken at a blank may be, where the table is too wide; others not.
        whole = right or all(len(cell) <= 48 and " " not in cell for cell in cells)
        drawn.add_column(
            Text(safe(name, console)),
            justify="right" if right else "left",
            no_wrap=whole,
            overflow="fold",
        )
    for row in table.rows:
        drawn.add_row(*(_cell(cell, console) for cell in row))
    _print(Padding(drawn, (0, 0, 0, 2)), console)
    if table.caption:
        _line(console, f"  {table.caption}", "dim")


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


def wrapped(text: str, width: int, hang: str = "") -> list[str]:
    """Lines of at most ``width``, broken at blanks only, never before a per cent sign."""
    lines = textwrap.wrap(
        text.replace(" %", _GLUED),
        max(width, 20),
        subsequent_indent=hang,
        break_on_hyphens=False,
    )
    return [line.replace(_GLUED, " %") for line in lines] or [""]


def _cell(cell: str, console: Console) -> Text:
    return Text(safe(cell, console), style=_STYLES.get(cell, ""))


def _numeric(cells: Iterable[str]) -> bool:
    return all(_NUMERIC.fullmatch(part) for cell in cells for part in cell.split("\n"))


def _line(console: Console, line: str, style: str = "") -> None:
    """One line of text, wrapped at words; what follows the first is indented under a mark."""
    hang = "  " if line.startswith(("! ", "  ")) else ""
    for part in wrapped(safe(line, console), min(console.width, WIDEST), hang):
        console.print(Text(part, style=style), soft_wrap=True)


def _print(renderable: RenderableType, console: Console) -> None:
    """Print without the blanks that rich puts at the ends of lines: they spoil a pasted text."""
    options = console.options.update(width=min(console.width, WIDEST))
    for line in console.render_lines(renderable, options, pad=False):
        segments = list(line)
        while segments and not segments[-1].text.strip():
            segments.pop()
        if segments:
            last = segments.pop()
            segments.append(Segment(last.text.rstrip(), last.style))
        console.print(Segments([*segments, Segment.line()]), soft_wrap=True, end="")


def safe(text: str, console: Console) -> str:
    """The text as far as the console's encoding has it, control characters made visible."""
    text = "".join(c if c == "\n" or c.isprintable() else repr(c)[1:-1] for c in text)
    if _unicode(console):
        return text.encode("utf-8", "backslashreplace").decode("utf-8")
    encoding = console.encoding or "ascii"
    return text.translate(_PLAIN).encode(encoding, "backslashreplace").decode(encoding)


def _unicode(console: Console) -> bool:
    return (console.encoding or "").lower().startswith("utf")
