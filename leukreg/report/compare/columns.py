"""What is compared, and the columns it fills."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leukreg.audit.published_table import Reported
from leukreg.types import Finding, RunResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A run, published figures, or both: a reproduction beside what it reproduces."""

    name: str
    result: RunResult | None = None
    reported: Reported | None = None
    """Published figures."""
    source: str = ""
    """Who published them."""
    recipe: Mapping[str, Any] | None = None
    """The resolved recipe as plain data; None for a paper."""
    found: tuple[Finding, ...] = ()
    """What the audit finds in the run."""
    found_reported: tuple[Finding, ...] = ()
    """What the audit finds in the published figures."""
    remark: str = ""
    """What a reader should know of it, such as that there is no run of this recipe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One side of a comparison: a run, or published figures."""

    head: str
    letter: str
    name: str
    result: RunResult | None = None
    reported: Reported | None = None
    findings: tuple[Finding, ...] = ()


def letters(subjects: Sequence[object]) -> list[str]:
    return [string.ascii_uppercase[i] if i < 26 else str(i + 1) for i in range(len(subjects))]


def columns_of(subjects: Sequence[Subject]) -> tuple[Column, ...]:
    """A column for each run and each published table; those of one subject stand together."""
    columns = []
    for letter, subject in zip(letters(subjects), subjects, strict=True):
        if subject.result is not None:
            name, found = subject.result.name, subject.found
            columns.append(
                Column(head=letter, letter=letter, name=name, result=subject.result, findings=found)
            )
        if subject.reported is not None:
            head = letter if subject.result is None else f"{letter} reported"
            name, found = subject.source or subject.name, subject.found_reported
            columns.append(
                Column(
                    head=head, letter=letter, name=name, reported=subject.reported, findings=found
                )
            )
    return tuple(columns)
