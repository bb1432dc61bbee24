"""The page: one HTML file that needs nothing else, its figures and tables as files beside it."""

from __future__ import annotations

import csv
import functools
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from leukreg.evaluate.scoring import Figures, declared
from leukreg.progress import SILENT, Progress
from leukreg.registry import Registry
from leukreg.registry.plugin_call import noted
from leukreg.report.comparison import Column, Subject, columns_of, comparison, side_by_side
from leukreg.report.console import sections
from leukreg.report.page_pictures import Album, Explainer, Tile, laid_over
from leukreg.report.plot import Drawn, close, draw, style, unremarked
from leukreg.report.table_layout import numeric
from leukreg.text import as_cell, visible
from leukreg.types import RunResult, Section, Table

if TYPE_CHECKING:
    from jinja2 import Environment


def slug(text: str) -> str:
    """Lower-case letters, digits and hyphens: part of a file name and of a link."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:40].strip("-") or "part"


MOST_ROWS = 200
"""Rows that the page shows; the file has them all."""
_MARKS = frozenset({"error", "warning", "note", "waived"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    lines: tuple[str, ...]
    mark: str = ""
    """A severity, where the cell is one."""
    number: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A table, ready for the template."""

    name: str
    """What a screen reader calls it."""
    caption: str
    head: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]
    entries: bool
    """A list of entries: a mark and lines of text."""
    left_out: int
    file: str


def shown(table: Table, name: str, file: str) -> Shown:
    """A table as the page shows it: cells by line, numbers known as such, not too many rows."""
    kept = table.rows[:MOST_ROWS]
    right = [
        place > 0 and numeric(row[place] for row in table.rows)
        for place in range(len(table.columns))
    ]
    return Shown(
        name=visible(table.caption or name),
        caption=visible(table.caption),
        head=tuple(_cell(c, n) for c, n in zip(table.columns, right, strict=True)),
        rows=tuple(tuple(_cell(c, n) for c, n in zip(row, right, strict=True)) for row in kept),
        entries=table.columns == ("", ""),
        left_out=len(table.rows) - len(kept),
        file=file,
    )


def _cell(text: str, number: bool) -> Cell:
    lines = tuple(visible(line) for line in text.split("\n"))
    return Cell(lines=lines, mark=text if text in _MARKS else "", number=number)


def as_csv(table: Table) -> bytes:
    """The table as a CSV file in UTF-8; lines of a cell are parted by semicolons.

    Texts are as :func:`leukreg.text.as_cell` has them, figures as they stand.
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(map(_plain, table.columns))
    writer.writerows(map(_plain, row) for row in table.rows)
    return buffer.getvalue().encode("utf-8")


def _plain(cell: str) -> str:
    return cell if numeric([cell]) and "\n" not in cell else as_cell("; ".join(cell.split("\n")))


LOUD = "! "
"""Begins a line that is a warning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What stands above the sections."""

    title: str
    lines: tuple[str, ...]
    of: str
    """What the page is of, such as "run v4-20261123-101500-ab12"; a page of the same may replace
    it."""
    folder: str
    """Name of the folder beside the page that holds its figures and tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One HTML document, and files that go beside it."""

    of: str
    folder: str
    html: str
    files: Mapping[str, bytes]
    """By name, below ``folder``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    text: str
    loud: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A section, ready for the template."""

    anchor: str
    title: str
    lines: tuple[_Line, ...]
    tables: tuple[Shown, ...]
    tiles: tuple[Tile, ...]
    figure: Drawn | None = None
    caption: str = ""
    file: str = ""


@dataclass(slots=True)
class _Builder:
    head: Head
    album: Album
    anchors: Counter[str] = field(default_factory=Counter)
    files: dict[str, bytes] = field(default_factory=dict)

    def part(self, number: int, section: Section) -> _Part:
        title = visible(section.title)
        anchor = self._anchor(slug(title))
        stem = f"{number:02d}-{slug(title)}"
        drawn, complaint = self._figure(section, f"f{number}", title)
        lines = [_line(text) for text in (*section.text, *complaint)]
        return _Part(
            anchor=anchor,
            title=title,
            lines=tuple(lines),
            tables=tuple(self._tables(section, stem, title)),
            tiles=self.album.tiles(section.pictures),
            figure=drawn,
            caption=visible(section.caption),
            file="" if drawn is None else self._keep(f"{stem}.svg", drawn.svg.encode("utf-8")),
        )

    def _anchor(self, name: str) -> str:
        self.anchors[name] += 1
        return name if self.anchors[name] == 1 else f"{name}-{self.anchors[name]}"

    def _figure(
        self, section: Section, prefix: str, title: str
    ) -> tuple[Drawn | None, tuple[str, ...]]:
        """The figure, drawn now where it is a function; or the line that says why there is none."""
        if section.figure is None:
            return None, ()
        figure = section.figure
        try:
            with unremarked():
                figure = figure() if callable(figure) else figure
            if figure is None:
                return None, ()
            return draw(figure, prefix, visible(section.caption) or f"Figure: {title}"), ()
        except Exception as error:  # a stranger's figure may raise anything
            return None, (f"! {noted('This figure could not be drawn', section.figure, error)}",)
        finally:
            close(figure)

    def _tables(self, section: Section, stem: str, title: str) -> Iterator[Shown]:
        for number, table in enumerate(section.tables, start=1):
            name = f"{stem}-{number}.csv" if len(section.tables) > 1 else f"{stem}.csv"
            yield shown(table, title, self._keep(name, as_csv(table)))

    def _keep(self, name: str, data: bytes) -> str:
        self.files[name] = data
        return f"{quote(self.head.folder)}/{name}"


def page_of(
    head: Head, sections: Sequence[Section], album: Album, progress: Progress = SILENT
) -> Page:
    """Make a page of these sections, in this order."""
    builder = _Builder(head, album)
    parts = []
    with style(), progress.task("page", len(sections)) as advance:
        for number, section in enumerate(sections, start=1):
            parts.append(builder.part(number, section))
            advance(note=section.title)
    html = _templates().get_template("page.html.j2").render(head=_seen(head), parts=parts)
    return Page(of=head.of, folder=head.folder, html=html, files=builder.files)


def _seen(head: Head) -> Head:
    return Head(
        title=visible(head.title),
        lines=tuple(map(visible, head.lines)),
        of=visible(head.of),
        folder=visible(head.folder),
    )


def _line(text: str) -> _Line:
    loud = text.startswith(LOUD)
    return _Line(text=visible(text[len(LOUD) :] if loud else text), loud=loud)


@functools.cache
def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from leukreg import __version__

    environment = Environment(
        loader=PackageLoader("leukreg.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["version"] = __version__
    return environment


def _broken(registry: Registry) -> tuple[Section, ...]:
    """What is missing in the page itself."""
    faults = tuple(f"! {fault}" for fault in registry.faults())
    return (Section(title="Broken plugins", text=faults),) if faults else ()


def run_page(
    result: RunResult,
    registry: Registry,
    folder: str = "report_files",
    explain: Explainer | None = None,
    progress: Progress = SILENT,
) -> Page:
    """The page of a run, from its folder alone.

    Args:
        registry: Whose reports make the sections.
        folder: Name of the folder beside the page.
        explain: Lays explanation maps over pictures; it may need the model, the rest does not.
    """
    with style():
        parts = (*_broken(registry), *sections(result, registry, page=True))
    maps = laid_over(result, parts, explain, progress)
    head = Head(
        title=str(result.recipe.get("title") or result.recipe.get("name") or result.name),
        lines=(f"Run {result.name}", f"Run folder: {result.folder}"),
        of=f"run {result.name}",
        folder=folder,
    )
    return page_of(head, parts, Album(result.folder, maps), progress)


def comparison_page(
    subjects: Sequence[Subject],
    registry: Registry,
    folder: str = "comparison_files",
    progress: Progress = SILENT,
) -> Page:
    """Runs, reported figures and findings side by side."""
    names = [subject.name for subject in subjects]
    head = Head(
        title=f"{len(names)} results compared",
        lines=tuple(names),
        of=f"comparison {' '.join(names)}",
        folder=folder,
    )
    columns, known = columns_of(subjects), declared(registry)
    sections = [_with_figure(part, columns, known) for part in comparison(subjects, registry)]
    return page_of(head, sections, Album(), progress)


def _with_figure(section: Section, columns: Sequence[Column], known: Figures) -> Section:
    if section.title != "Figures":
        return section
    caption = (
        "Each figure of each run with its 95 % interval (filled), and as published (open diamond, "
        "without an interval)."
    )
    return replace(section, figure=lambda: side_by_side(columns, known), caption=caption)
