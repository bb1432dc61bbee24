"""Runs, reproductions and published figures side by side."""

from __future__ import annotations

from collections.abc import Sequence

from leukreg.evaluate.scoring import declared
from leukreg.registry import Registry
from leukreg.report.compare.columns import Subject, columns_of
from leukreg.report.compare.differences import differences, remarks
from leukreg.report.compare.figures import figures, paired, per_class
from leukreg.report.compare.findings import errors, findings
from leukreg.report.compare.legend import legend
from leukreg.report.compare.settings import settings
from leukreg.types import Section

__all__ = ["Subject", "comparison", "differences"]


def comparison(subjects: Sequence[Subject], registry: Registry) -> tuple[Section, ...]:
    """Sections: what is compared and whether it can be, figures, findings, settings that differ.

    Args:
        registry: Whose metrics say what their figures are called.
    """
    columns, known = columns_of(subjects), declared(registry)
    sections = [
        Section(title="Compared", text=tuple(remarks(subjects)), tables=(legend(columns),)),
        Section(title="Figures", text=tuple(paired(columns)), tables=figures(columns, known)),
        Section(title="Each class", tables=per_class(columns, known)),
        Section(title="Findings", tables=findings(columns)),
        Section(title="Errors", tables=errors(columns)),
        settings(subjects),
    ]
    return tuple(section for section in sections if section.text or section.tables)
