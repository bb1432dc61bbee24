"""The page that puts runs and published figures side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from leukreg.evaluate.scoring import Figures, declared
from leukreg.progress import SILENT, Progress
from leukreg.registry import Registry
from leukreg.report.compare import Subject, comparison
from leukreg.report.compare.columns import Column, columns_of
from leukreg.report.figures.compared import side_by_side
from leukreg.report.html.build import Head, Page, page_of
from leukreg.report.html.pictures import Album
from leukreg.types import Section


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
