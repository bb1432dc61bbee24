"""What a report is made of: sections of text, tables, figures and pictures, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from leukreg.types import Box, Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of a report; cells are text, ready to print."""

    columns: tuple[str, ...]
    """Heads of the columns."""
    rows: tuple[tuple[str, ...], ...]
    """Cells, row by row; each row has as many as there are columns."""
    caption: str = ""
    """One line below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An image of a report's page; it is read when the page is made, and may be gone by then."""

    id: str
    """The file's id."""
    path: str
    """Where it lies."""
    origin: Origin = "real"
    """Marked on the picture."""
    caption: tuple[str, ...] = ()
    """Lines under it."""
    box: Box | None = None
    """What of the file is shown; None: all of it."""
    row: int | None = None
    """Its place in the run's predictions, where its explanation map is wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One part of a report. Text and tables go to the console and to the page."""

    title: str
    """Its heading."""
    text: tuple[str, ...] = ()
    """Lines; one that begins with "! " is a warning and shown loudly."""
    tables: tuple[Table, ...] = ()
    """Tables below the text."""
    figure: Any = None
    """A matplotlib figure for the page, or None; or a function without arguments that gives one of
    these, called for the page only. What is given no colour follows the reader's light or dark."""
    order: int = 50
    """Sections are shown by rising order."""
    caption: str = ""
    """What the figure shows, also for those who cannot see it."""
    pictures: tuple[Picture, ...] = ()
    """Images for the page."""
    page: int | None = None
    """The order on the page, where it differs."""
    console: bool = True
    """False: for the page only."""
