"""The sections of a report, asked of every report plugin."""

from __future__ import annotations

from leukreg.recipe.stranger import noted
from leukreg.registry import Registry
from leukreg.types import RunResult, Section


def sections(result: RunResult, registry: Registry, page: bool = False) -> tuple[Section, ...]:
    """The sections by rising order, for the console or for the page.

    A report that fails leaves a line that says so.
    """
    found: list[Section] = []
    for entry in sorted((e for e in registry if e.kind == "report"), key=lambda e: e.name):
        try:
            report = entry.cls()
            found += list(report.build(result))
        except Exception as error:  # a stranger's report may raise anything
            owner = f"{entry.owner.distribution} {entry.owner.version}"
            text = (f"! {noted(f'This section could not be made ({owner})', report, error)}",)
            found.append(Section(title=f"Report {entry.name}", text=text, order=90))
    if page:
        return tuple(sorted(found, key=_place))
    return tuple(sorted((s for s in found if s.console), key=lambda section: section.order))


def _place(section: Section) -> int:
    return section.order if section.page is None else section.page
