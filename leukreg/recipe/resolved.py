"""The checked recipe as plain data, every default written out, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from leukreg.recipe.mistakes import KeyPath, undotted
from leukreg.recipe.model import Recipe
from leukreg.registry.plugin_call import Choice

RECORD = frozenset({"path", "resolved", "given", "where"})
"""Fields of a recipe that say where it comes from, not what it is."""
OWN_PLUGIN = {"data": "source", "loss": "loss", "synthesis": "generator"}
"""Tables whose own plugin is named by their ``use``, and its field."""


def resolve(recipe: Recipe) -> dict[str, Any]:
    """The recipe laid out as in its file, JSON values only, ``None`` for what is absent."""
    tree = {
        field.name: _plain(getattr(recipe, field.name))
        for field in dataclasses.fields(recipe)
        if field.name not in RECORD
    }
    tree["phase"] = tree.pop("phases")
    for name, plugin in OWN_PLUGIN.items():
        if tree[name] is not None:
            tree[name] = _flattened(tree[name], plugin)
    if tree["synthesis"] is not None and tree["synthesis"]["gate"] is None:
        tree["synthesis"]["gate"] = False  # no gate was asked for in so many words
    tree["audit"]["rules"] = {rule.pop("use"): rule for rule in tree["audit"]["rules"]}
    return tree


def _flattened(table: dict[str, Any], plugin: str) -> dict[str, Any]:
    """A table whose plugin's options stand beside the core keys."""
    return {**table.pop(plugin), **table}


def _plain(value: Any) -> Any:
    if isinstance(value, Choice):
        table = {"use": value.name, **value.options}
        return table | ({"fallback": _plain(value.fallback)} if value.fallback else {})
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def without_none(value: Any) -> Any:
    """Plain data as TOML could hold it: what is absent is left out."""
    if isinstance(value, Mapping):
        return {key: without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [without_none(item) for item in value]
    return value


def leaves(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Every value that is no table and no list of tables, with its path."""
    tables = isinstance(value, list) and value and all(isinstance(item, dict) for item in value)
    if isinstance(value, dict) and (value or not path):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif tables:
        for number, item in enumerate(value):
            yield from leaves(item, (*path, number))
    else:
        yield path, value


def has(tree: Any, key: str) -> bool:
    """Whether the plain recipe has the dotted key, as a value or as a table."""
    try:
        at(tree, key)
    except KeyError:
        return False
    return True


def at(tree: Any, key: str) -> Any:
    """The value or table at the dotted key.

    Raises:
        KeyError: There is none.
    """
    for part in undotted(key):
        if isinstance(tree, dict) and part in tree:
            tree = tree[part]
        elif isinstance(tree, list) and part.isdecimal() and int(part) < len(tree):
            tree = tree[int(part)]
        else:
            raise KeyError(key)
    return tree
