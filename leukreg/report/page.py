"""The page: one HTML file that needs nothing else, its figures and tables as files beside it.

The template is given sections as they are. What it shows is made visible and quoted as it is put
in, so that nothing a user called things can become a part of the page.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from leukreg.progress import SILENT, Progress, quiet
from leukreg.record import RunRecord
from leukreg.registry import Registry
from leukreg.registry.plugin_call import noted
from leukreg.report.comparison import Subject, comparison
from leukreg.report.console import MARKS, sections, title_of
from leukreg.report.page_pictures import Album, Explainer, laid_over
from leukreg.report.plot import REMARKS, Drawn, close, draw, style
from leukreg.report.table_layout import is_list, numeric, right_aligned
from leukreg.section import Section, Table
from leukreg.text import as_cell, counted, csv_text, visible

if TYPE_CHECKING:
    from jinja2 import Environment

MOST_ROWS = 200
"""Rows of a table that the page shows; the file has them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageHead:
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


def run_page(
    result: RunRecord,
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
    faults = tuple(f"! {fault}" for fault in registry.faults())
    broken = (Section(title="Broken plugins", text=faults),) if faults else ()
    with style():
        parts = (*broken, *sections(result, registry, page=True))
    maps = laid_over(result, parts, explain, progress)
    head = PageHead(
        title=title_of(result),
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
    head = PageHead(
        title=f"{len(names)} results compared",
        lines=tuple(names),
        of=f"comparison {' '.join(names)}",
        folder=folder,
    )
    return page_of(head, comparison(subjects, registry), Album(), progress)


def sweep_page(
    name: str, place: Path, sections: Sequence[Section], folder: str, progress: Progress = SILENT
) -> Page:
    """The variations of a sweep side by side.

    Args:
        place: The sweep's folder.
    """
    lines = (f"Sweep folder: {place}",)
    head = PageHead(title=f"Sweep {name}", lines=lines, of=f"sweep {name}", folder=folder)
    return page_of(head, sections, Album(), progress)


def published_page(folder: Path, files: str, progress: Progress = SILENT) -> Page:
    """The page of a register of published results.

    Args:
        files: Name of the folder beside the page.
    """
    from leukreg.audit.published_register import read_register
    from leukreg.report.published_page import published_sections

    results = read_register(folder)
    head = PageHead(
        title="Published results and what they can mean",
        lines=(counted(len(results), "source"),),
        of=f"register {folder.resolve().name}",
        folder=files,
    )
    return page_of(head, published_sections(results), Album(), progress)


def page_of(
    head: PageHead, sections: Sequence[Section], album: Album, progress: Progress = SILENT
) -> Page:
    """Make a page of these sections, in this order."""
    files: dict[str, bytes] = {}
    anchors: Counter[str] = Counter()
    parts: list[dict[str, object]] = []
    with style(), progress.task("page", len(sections)) as advance:
        for number, section in enumerate(sections, start=1):
            name = slug(visible(section.title))
            anchors[name] += 1
            again = f"-{anchors[name]}" if anchors[name] > 1 else ""
            shown, figure = _drawn(section, f"f{number}")
            own = dict(_files(shown, figure, f"{number:02d}-{name}"))
            files |= own
            part: dict[str, object] = {"section": shown, "anchor": name + again, "figure": figure}
            part["links"] = [f"{quote(head.folder)}/{file}" for file in own]
            part["tiles"] = album.tiles(section.pictures)
            parts.append(part)
            advance(note=section.title)
    html = _templates().get_template("page.html.j2").render(head=head, parts=parts)
    return Page(of=head.of, folder=head.folder, html=html, files=files)


def _drawn(section: Section, prefix: str) -> tuple[Section, Drawn | None]:
    """The figure, drawn now where it is a function; where it fails, a line more says so."""
    figure = section.figure
    try:
        with quiet(REMARKS):
            figure = figure() if callable(figure) else figure
        if figure is None:
            return section, None
        return section, draw(figure, prefix, section.caption or f"Figure: {section.title}")
    except Exception as error:  # a stranger's figure may raise anything
        line = f"! {noted('This figure could not be drawn', section.figure, error)}"
        return replace(section, text=(*section.text, line)), None
    finally:
        close(figure)


def _files(section: Section, figure: Drawn | None, stem: str) -> Iterator[tuple[str, bytes]]:
    """Name and content of the files of a section: its tables, then its figure."""
    for number, table in enumerate(section.tables, start=1):
        place = f"-{number}" if len(section.tables) > 1 else ""
        yield f"{stem}{place}.csv", as_csv(table)
    if figure is not None:
        yield f"{stem}.svg", figure.svg.encode("utf-8")


def as_csv(table: Table) -> bytes:
    """The table as a CSV file in UTF-8; lines of a cell are parted by semicolons.

    Texts are as :func:`leukreg.text.as_cell` has them, figures as they stand.
    """
    return csv_text(map(_plain, row) for row in (table.columns, *table.rows)).encode("utf-8")


def _plain(cell: str) -> str:
    return cell if numeric([cell]) and "\n" not in cell else as_cell("; ".join(cell.split("\n")))


def slug(text: str) -> str:
    """Lower-case letters, digits and hyphens: part of a file name and of a link."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:40].strip("-") or "part"


@functools.cache
def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from leukreg import __version__

    environment = Environment(
        loader=PackageLoader("leukreg.report"),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "version": __version__,
        "marks": MARKS,
        "most_rows": MOST_ROWS,
        "is_list": is_list,
        "right_aligned": right_aligned,
    }
    return environment


def _shown(value: object) -> object:
    """What the template shows, before it is quoted; its own macros are quoted already."""
    return visible(value) if type(value) is str else value
