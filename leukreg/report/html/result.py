"""The page of one run."""

from __future__ import annotations

from leukreg.progress import SILENT, Progress
from leukreg.registry import Registry
from leukreg.report.figures import style
from leukreg.report.html.build import Head, Page, page_of
from leukreg.report.html.maps import Explainer, laid_over
from leukreg.report.html.pictures import Album
from leukreg.report.sections import sections
from leukreg.types import RunResult, Section


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
