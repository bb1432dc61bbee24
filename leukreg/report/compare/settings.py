"""Settings of the recipes that differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from leukreg.report.compare.columns import Subject, letters
from leukreg.types import Section, Table

MOST_KEYS = 20
_NOT_SETTINGS = frozenset({"reported", "assumed", "name", "title", "audit", "fallback"})
"""A fallback that was taken stands in the place of what it replaced."""


def settings(subjects: Sequence[Subject]) -> Section:
    """One line per key whose values differ between the recipes; empty with fewer than two."""
    named = [
        (letter, subject.recipe)
        for letter, subject in zip(letters(subjects), subjects, strict=True)
        if subject.recipe is not None
    ]
    title = "Settings that differ"
    if len(named) < 2:
        return Section(title=title)
    rows = _differing([dict(_leaves(recipe)) for _, recipe in named])
    if not rows:
        return Section(title=title, text=("None.",))
    more = len(rows) - MOST_KEYS
    table = Table(
        columns=("key", *(letter for letter, _ in named)),
        rows=tuple(rows[:MOST_KEYS]),
        caption=f"and {more} more" if more > 0 else "",
    )
    return Section(title=title, tables=(table,))


def _differing(leaves: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    rows = []
    for key in dict.fromkeys(key for one in leaves for key in one):
        values = [_shown(one[key]) if key in one else "-" for one in leaves]
        if len(set(values)) > 1 and not _NOT_SETTINGS.intersection(key.split(".")):
            rows.append((key, *values))
    return rows


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list | tuple) and any(isinstance(inner, Mapping) for inner in value):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{key}.{index}")
    elif value is not None:
        yield key, value


def _shown(value: Any) -> str:
    return "yes" if value is True else "no" if value is False else str(value)
