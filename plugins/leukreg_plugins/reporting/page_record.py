"""What a run was made with: recipe, machine, digests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from leukreg import RunResult, Table

_ELSEWHERE = frozenset({"reported"})
"""Parts of a recipe that stand in a section of their own."""


def recipe(result: RunResult) -> Table:
    """Every key of the recipe as it was run, defaults and overrides included."""
    kept = {key: value for key, value in result.recipe.items() if key not in _ELSEWHERE}
    return _table("Recipe", ("key", "value"), kept)


def environment(result: RunResult) -> Table:
    """Python, libraries, machine, git."""
    return _table("Environment", ("what", "value"), result.environment)


def digests(result: RunResult) -> Table | None:
    """Digests of data, weights and the scored rows; None where none was kept."""
    kept = result.facts.get("digests")
    found: dict[str, Any] = dict(kept) if isinstance(kept, Mapping) else {}
    if result.facts.get("test_set"):
        found["scored rows"] = result.facts["test_set"]
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
