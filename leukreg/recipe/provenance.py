"""What a recipe gives, what it assumes, and what it leaves to defaults, as plain tables."""

from __future__ import annotations

from typing import Any

from leukreg.recipe.format import show
from leukreg.recipe.mistakes import dotted
from leukreg.recipe.model import Recipe
from leukreg.recipe.schema import at, leaves
from leukreg.section import Table

_LEFT_OUT = ("schema", "name", "title", "reported", "assumed")


def given_table(recipe: Recipe) -> Table:
    """Values the recipe states and does not call assumed."""
    rows = [
        (key, "none" if value is None else show(value))
        for key, value in _values(recipe)
        if key in recipe.given and not _assumed(key, recipe)
    ]
    return Table(columns=("given", "value"), rows=tuple(rows))


def assumed_table(recipe: Recipe) -> Table:
    """Values its source does not state, each with the reason for the choice."""
    rows = [
        (key, inline(at(recipe.resolved, key)), reason) for key, reason in recipe.assumed.items()
    ]
    return Table(columns=("assumed", "value", "because"), rows=tuple(rows))


def defaults_table(recipe: Recipe) -> Table:
    """Values nobody stated: leukreg's and the plugins' defaults."""
    rows = [
        (key, show(value))
        for key, value in _values(recipe)
        if value not in (None, [], {}) and key not in recipe.given and not _assumed(key, recipe)
    ]
    return Table(columns=("default", "value"), rows=tuple(rows))


def inline(value: Any) -> str:
    """A value on one line, tables too."""
    if not isinstance(value, dict):
        return show(value)
    pairs = [
        f"{dotted((key,))} = {inline(item)}" for key, item in value.items() if item is not None
    ]
    return f"{{ {', '.join(pairs)} }}"


def _values(recipe: Recipe) -> list[tuple[str, Any]]:
    tree = {key: item for key, item in recipe.resolved.items() if key not in _LEFT_OUT}
    return [(dotted(path), value) for path, value in leaves(tree)]


def _assumed(key: str, recipe: Recipe) -> bool:
    return any(key == name or key.startswith(f"{name}.") for name in recipe.assumed)
