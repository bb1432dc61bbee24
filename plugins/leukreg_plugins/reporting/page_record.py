"""What a run was made with: recipe, machine, digests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from leukreg import RunRecord, Table

_ELSEWHERE = frozenset({"reported"})
"""Parts of a recipe that stand in a section of their own."""


def recipe(result: RunRecord) -> Table:
    """Every key of the recipe as it was run, defaults and overrides included."""
    kept = {key: value for key, value in result.recipe.items() if key not in _ELSEWHERE}
    return _table("Recipe", ("key", "value"), kept)


def environment(result: RunRecord) -> Table:
    """Python, libraries, machine, git."""
    return _table("Environment", ("what", "value"), asdict(result.environment))


def digests(result: RunRecord) -> Table | None:
    """Digests of data, weights and the scored rows; None where none was kept."""
    kept = {**asdict(result.digests), "scored rows": result.earlier.test_set}
    found = {name: value for name, value in kept.items() if value}
    return _table("Digests", ("of", "digest"), found) if found else None


def _table(name: str, columns: tuple[str, str], data: Mapping[str, Any]) -> Table:
    return Table(columns=columns, rows=tuple(_leaves(data)), caption=f"{name}.")


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
