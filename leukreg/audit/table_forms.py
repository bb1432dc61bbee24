"""The tables in a text, whatever form people have them in.

HTML and Markdown, LaTeX, and plain text have a reader each; all leave cells of text. What these
mean is asked in :mod:`leukreg.audit.table_reading`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from leukreg.errors import LeukregError

MOST_CELLS = 20_000
"""A larger table is no table of results."""
MOST_TABLES = 200
LONGEST_TEXT = 4_000_000
"""Characters that are looked through."""
TEXTS = (".txt", ".md", ".markdown", ".csv", ".tsv", ".tex", ".html", ".htm", ".xhtml")
"""Suffixes of files in which tables may stand as people print them."""


def text_of(content: bytes, name: str) -> str:
    """What was pasted or saved, as text: UTF-8, UTF-16 with its mark, else Windows' Latin.

    Raises:
        LeukregError: It is no text.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    if b"\0" in content[:LONGEST_TEXT] or content.startswith(b"%PDF"):
        raise LeukregError(f"{name}: is no text; copy the table out of it, and audit that")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


@dataclass(frozen=True, slots=True)
class Grid:
    """A table as it stands on the page: rows of one length, a spanning cell in every place."""

    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    """Its caption, or the heading it stands under."""
    labelled: bool = True
    """False for a matrix of bare numbers in brackets."""


_DECORATED = re.compile(
    r"^(?:[*_`$]+(?=\S)|[#>]+\s+)|(?<=\S)[*_`$~†‡§¶#]+$|(?:\^\s*[^\d\s.,%]{1,3})+$|\s*[✓✔✅☑]$"
)


def _clean(cell: str) -> str:
    """One line, without the marks of emphasis, footnotes and arrows such as "higher is better"."""
    cell = " ".join(cell.replace("−", "-").replace("\u200b", "").split())
    return _DECORATED.sub("", cell.strip("↑↓ ") or cell).strip()


def grid_of(rows: Sequence[Sequence[str]], caption: str = "", labelled: bool = True) -> Grid:
    """Rows filled up to one length, without those rows and columns that are empty."""
    cells = [[_clean(cell) for cell in row] for row in rows]
    width = max(map(len, cells), default=0)
    full = [[*row, *[""] * (width - len(row))] for row in cells if any(row)]
    kept = [c for c in range(width) if any(row[c] for row in full)]
    return Grid(tuple(tuple(row[c] for c in kept) for row in full), _clean(caption), labelled)


def grids_of(text: str, suffix: str = "") -> tuple[Grid, ...]:
    """The tables of a text in their order; lines such as "Accuracy: 0.94" are one of two columns.

    Args:
        text: A page, a document, or what was pasted.
        suffix: The file's, such as ".tex"; without one of a known form the text itself tells.
    """
    text = text[:LONGEST_TEXT].replace("\r\n", "\n").replace("\r", "\n").replace("\xa0", " ")
    found = (grid for grid in _reader(text, suffix.lower())(text) if _is_table(grid))
    return tuple(itertools.islice(found, MOST_TABLES))


_HTML = re.compile(r"<(table|td|th|pre)\b", re.IGNORECASE)
_LATEX = re.compile(r"\\begin\{[a-z]*(?:tabu|table|array)|&[^\n]*\\\\")
_MARKDOWN = re.compile(
    r"^ {0,3}(?:```|~~~|\|?(?:[ \t]*:?-+:?[ \t]*\|)+(?:[ \t]*:?-+:?[ \t]*)?$)", re.MULTILINE
)


def _reader(text: str, suffix: str) -> Callable[[str], Iterator[Grid]]:
    # Only the reader that is asked for is imported.
    from leukreg.audit.html_tables import html_tables, markdown_tables
    from leukreg.audit.latex_tables import latex_tables
    from leukreg.audit.plain_tables import plain_tables

    by_suffix = {".md": markdown_tables, ".markdown": markdown_tables, ".tex": latex_tables}
    by_suffix |= {".html": html_tables, ".htm": html_tables, ".xhtml": html_tables}
    if suffix in by_suffix:
        return by_suffix[suffix]
    forms = ((_MARKDOWN, markdown_tables), (_HTML, html_tables), (_LATEX, latex_tables))
    return next((read for form, read in forms if form.search(text)), plain_tables)


def _is_table(grid: Grid) -> bool:
    return bool(grid.rows) and len(grid.rows) * len(grid.rows[0]) <= MOST_CELLS
