"""The tables of a web page, and of Markdown, with the plain text between them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

from leukreg.audit.plain_tables import plain_tables
from leukreg.audit.table_forms import MOST_CELLS, Grid, grid_of


@dataclass(slots=True)
class _Spans:
    """A table under construction, cell by cell; one that spans stands in every place it covers."""

    cells: dict[tuple[int, int], list[str]] = field(default_factory=dict)
    row: int = -1
    column: int = 0
    caption: list[str] = field(default_factory=list)

    def new_row(self) -> None:
        self.row, self.column = self.row + 1, 0

    def new_cell(self, down: int = 1, across: int = 1) -> list[str]:
        """The list that the cell's text is to be added to."""
        parts: list[str] = []
        self.row = max(self.row, 0)
        while (self.row, self.column) in self.cells:
            self.column += 1
        if len(self.cells) + down * across > MOST_CELLS:
            down = across = 1
        places = ((r, c) for r in range(down) for c in range(across))
        self.cells |= {(self.row + r, self.column + c): parts for r, c in places}
        self.column += across
        return parts

    def grid(self, caption: str) -> Grid:
        height = max((r for r, _ in self.cells), default=-1) + 1
        width = max((c for _, c in self.cells), default=-1) + 1
        if height * width > MOST_CELLS:
            return Grid(())
        at = self.cells.get
        rows = [["".join(at((r, c), ())) for c in range(width)] for r in range(height)]
        return grid_of(rows, "".join(self.caption).strip() or caption)


def html_tables(text: str) -> Iterator[Grid]:
    page = _Page()
    page.feed(text)
    page.close()
    page.finish()
    for caption, found in page.found:
        if isinstance(found, Grid):
            yield found
        else:
            yield from plain_tables(found, caption)


class _Page(HTMLParser):
    """The tables of a page and the text between them; end tags may be missing, tables nested."""

    SILENT = frozenset({"script", "style", "noscript", "template", "svg"})
    HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6", "title"})
    BLOCKS = frozenset({"p", "div", "li", "ul", "ol", "pre", "br", "dt", "dd", "section"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, Grid | str]] = []
        self.tables: list[_Spans] = []
        self.outside: list[str] = []
        self.heading: list[str] = []
        self.into = [self.outside]
        """Where text goes: the last one's."""
        self.silent = 0

    def finish(self) -> None:
        while self.tables:
            self._end_table()
        self._end_text()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.SILENT:
            self.silent += 1
        elif tag == "table":
            self._end_text()
            self.tables.append(_Spans())
            self.into.append([])
        elif tag in self.HEADINGS and not self.tables:
            self._end_text()
            self.heading = []
            self.into = [self.outside, self.heading]
        elif self.tables and tag in {"tr", "td", "th", "caption"}:
            self._in_table(tag, {name: value or "" for name, value in attrs})
        elif tag == "sup":
            self.into[-1].append("^")
        elif tag in self.BLOCKS:
            self.into[-1].append(" " if self.tables else "\n")

    def _in_table(self, tag: str, given: dict[str, str]) -> None:
        table = self.tables[-1]
        if tag == "tr":
            table.new_row()
            self.into[-1] = []
        elif tag == "caption":
            self.into[-1] = table.caption
        else:
            self.into[-1] = table.new_cell(_span(given, "rowspan"), _span(given, "colspan"))

    def handle_endtag(self, tag: str) -> None:
        if tag in self.SILENT:
            self.silent = max(0, self.silent - 1)
        elif tag == "table" and self.tables:
            self._end_table()
        elif tag in self.HEADINGS and not self.tables:
            self.into = [self.outside]
        elif tag in self.BLOCKS and not self.tables:
            self.into[-1].append("\n")

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.into[-1].append(data)

    def _end_table(self) -> None:
        caption = "".join(self.heading)
        self.found.append((caption, self.tables.pop().grid(caption)))
        self.into.pop()

    def _end_text(self) -> None:
        if not self.tables:
            self.found.append(("".join(self.heading), "".join(self.outside)))
            self.outside.clear()


def _span(given: dict[str, str], name: str) -> int:
    digits = given.get(name, "1").strip()
    return min(max(int(digits), 1), 100) if re.fullmatch(r"\d{1,4}", digits, re.ASCII) else 1


def markdown_tables(text: str) -> Iterator[Grid]:
    """By way of HTML: CommonMark with the tables of GitHub."""
    from markdown_it import MarkdownIt

    return html_tables(MarkdownIt("commonmark").enable("table").render(text))
