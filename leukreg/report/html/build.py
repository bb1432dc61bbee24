"""From sections to a page: what the template is given, and the files beside the page."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from leukreg.progress import SILENT, Progress
from leukreg.recipe.stranger import noted
from leukreg.report.figures import Drawn, draw, style
from leukreg.report.figures.svg import close, unremarked
from leukreg.report.html.pictures import Album, Tile
from leukreg.report.html.tables import Shown, as_csv, shown
from leukreg.report.html.words import slug
from leukreg.text import visible
from leukreg.types import Section

if TYPE_CHECKING:
    from jinja2 import Environment

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
        loader=PackageLoader("leukreg.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["version"] = __version__
    return environment
