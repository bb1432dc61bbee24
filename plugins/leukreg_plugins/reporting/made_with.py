"""What a run was made with: recipe, environment, digests, on the page alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from leukreg import RunRecord, Section, Table, plugin


@plugin("page-record")
class PageRecord:
    """What the run was made with: recipe, environment, digests."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        known = {**asdict(result.digests), "scored rows": result.earlier.test_set}
        digests = {name: value for name, value in known.items() if value}
        # Published figures stand in a section of their own.
        recipe = {key: value for key, value in result.recipe.items() if key != "reported"}
        found = (
            (
                "Digests",
                ("of", "digest"),
                {name: value for name, value in digests.items() if value},
            ),
            ("Recipe", ("key", "value"), recipe),
            ("Environment", ("what", "value"), asdict(result.environment)),
        )
        tables = (
            Table(columns=columns, rows=tuple(_leaves(data)), caption=f"{name}.")
            for name, columns, data in found
        )
        kept = tuple(table for table in tables if table.rows)
        yield Section(title="Made with", tables=kept, order=98, console=False)


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list | tuple) and any(isinstance(inner, Mapping) for inner in value):
        for place, inner in enumerate(value):
            yield from _leaves(inner, f"{key}.{place}")
    elif value is not None:
        yield key, _shown(value)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple | Mapping) and not value:
        return "none"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
