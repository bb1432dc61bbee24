"""``extends = "v4.toml"``: a recipe that says only what differs.

Tables are merged key by key, the nearer file wins; lists, ``[[phase]]`` among them, are replaced as
a whole. A table whose ``use`` names another plugin starts afresh: the old plugin's options would
mean nothing, only the core keys beside them stay. ``synthesis = false`` (or any other optional
table) drops what was inherited, and ``replaces = ["data.classes"]`` names tables that the nearer
file writes anew: nothing inherited stays in them. ``name`` and ``title`` are each file's own, and a
reason under ``[assumed]`` goes when the nearer file states the value it explains.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from leukreg.errors import Problem, Problems
from leukreg.recipe.document import read_document
from leukreg.recipe.mark import Document, KeyPath, Mark, dotted, printable, undotted
from leukreg.recipe.words import show

BESIDE: dict[KeyPath, frozenset[str]] = {
    ("data",): frozenset({"folds", "broken"}),
    ("loss",): frozenset({"class_weights"}),
    ("synthesis",): frozenset({"classes", "per_class", "place", "mix", "seed", "gate"}),
}
"""Core keys that stay when the table they stand in names another plugin."""

_OWN = ("name", "title", "extends", "replaces")
LONGEST = 16
"""Most files a chain of ``extends`` may have."""


def with_parents(document: Document, path: Path) -> Document:
    """The document merged over the files it extends.

    Raises:
        Problems: A parent cannot be read, or the chain comes back to a file it has been to.
    """
    document = _flat_assumed(document)
    seen = [path]
    chain = [document]
    while "extends" in chain[-1].tree:
        parent = _parent(chain[-1], seen)
        seen.append(parent)
        chain.append(_flat_assumed(read_document(parent)))
    merged = chain.pop()
    while chain:
        merged = merge(merged, chain.pop())
    if "replaces" in document.tree and len(seen) == 1:
        raise Problems([_problem(document, ("replaces",), "means nothing without extends")])
    tree = {key: value for key, value in merged.tree.items() if key not in ("extends", "replaces")}
    return Document(tree, merged.marks)


def _parent(document: Document, seen: list[Path]) -> Path:
    name = document.tree["extends"]
    message = ""
    parent = seen[-1]
    if not isinstance(name, str) or not name or "\0" in name:
        message = f"must be the path of another recipe, not {show(name)}"
    else:
        parent = Path(os.path.normpath(seen[-1].parent / name))
        if os.path.realpath(parent) in {os.path.realpath(path) for path in seen}:
            message = f"comes back to {parent}; a recipe cannot extend itself"
        elif len(seen) >= LONGEST:
            message = f"makes a chain of more than {LONGEST} recipes"
        elif not parent.is_file():
            message = f"there is no file {parent}"
    if message:
        raise Problems([_problem(document, ("extends",), message, str(seen[-1]))])
    return parent


def _problem(document: Document, path: KeyPath, message: str, file: str = "") -> Problem:
    mark = document.marks.get(path, Mark(file))
    text = printable(f"{dotted(path)}: {message}")
    return Problem(text, mark.where, mark.excerpt(on_value=True))


def merge(parent: Document, child: Document) -> Document:
    """``child`` over ``parent``; marks follow their values."""
    base = {key: value for key, value in parent.tree.items() if key not in _OWN}
    anew = _written_anew(child, base)
    for path in sorted(anew, key=len, reverse=True):
        base = _without(base, path)
    replaced: set[KeyPath] = {*((key,) for key in _OWN), *anew}
    tree = _merged(base, child.tree, (), replaced)
    for key in _explained(base, child):
        del tree["assumed"][key]
    kept = {
        path: mark
        for path, mark in parent.marks.items()
        if not any(path[:n] in replaced for n in range(1, len(path) + 1))
    }
    return Document(tree, {**kept, **child.marks})


def _written_anew(child: Document, base: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The tables that ``replaces`` of the nearer file names.

    Raises:
        Problems: What it names is no table of both files.
    """
    named = child.tree.get("replaces", [])
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        message = f'must be a list of tables, such as ["data.classes"], not {show(named)}'
        raise Problems([_problem(child, ("replaces",), message)])
    paths = [undotted(name) for name in named]
    problems = []
    for number, path in enumerate(paths):
        if message := _not_replaced(show(named[number]), _at(child.tree, path), _at(base, path)):
            problems.append(_problem(child, ("replaces", number), message))
    if problems:
        raise Problems(problems)
    return paths


def _not_replaced(name: str, own: Any, inherited: Any) -> str:
    """Why a table cannot be replaced; empty where it can."""
    if inherited is None:
        return f"nothing that is inherited stands at {name}"
    if own is None:
        return f"this recipe says nothing at {name} to put in its place"
    if not isinstance(own, dict) or not isinstance(inherited, (dict, str)):
        return f"{name} is no table; it is replaced whole as it is"
    return ""


def _at(tree: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        tree = tree.get(part) if isinstance(tree, dict) else None
    return tree


def _without(tree: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """The tree without what stands at a path that it has."""
    rest = {key: value for key, value in tree.items() if key != path[0]}
    return rest if len(path) == 1 else {**rest, path[0]: _without(tree[path[0]], path[1:])}


def _merged(
    old: Mapping[str, Any], new: Mapping[str, Any], path: KeyPath, replaced: set[KeyPath]
) -> dict[str, Any]:
    old = dict(old)
    if "use" in new and "use" in old and new["use"] != old["use"]:
        stays = BESIDE.get(path, frozenset())
        replaced.update((*path, key) for key in old if key not in stays)
        old = {key: value for key, value in old.items() if key in stays}
    for key, value in new.items():
        before = old.get(key)
        at = (*path, key)
        if isinstance(before, str) and isinstance(value, dict) and path != ("assumed",):
            before = {"use": before}
        if isinstance(before, dict) and isinstance(value, dict):
            old[key] = _merged(before, value, at, replaced)
        else:
            replaced.add(at)
            old[key] = value
    return old


def _explained(base: Mapping[str, Any], child: Document) -> list[str]:
    """Inherited reasons for values that the child states itself."""
    inherited = base.get("assumed")
    own = child.tree.get("assumed", {})
    if not isinstance(inherited, dict) or not isinstance(own, dict):
        return []
    return [key for key in inherited if key not in own and _stated(child.tree, undotted(key))]


def _stated(tree: Any, parts: tuple[str, ...]) -> bool:
    for part in parts:
        if isinstance(tree, list) and part.isdecimal() and int(part) < len(tree):
            tree = tree[int(part)]
        elif isinstance(tree, dict) and part in tree:
            tree = tree[part]
        else:
            return False
    return True


def _flat_assumed(document: Document) -> Document:
    """``[assumed]`` with one dotted key per reason, however it was nested."""
    assumed = document.tree.get("assumed")
    if not isinstance(assumed, dict):
        return document
    marks = dict(document.marks)
    flat: dict[str, Any] = {}
    for path, value in _leaves(assumed, ()):
        key = ".".join(path)
        flat[key] = value
        if ("assumed", *path) in marks:
            marks["assumed", key] = marks["assumed", *path]
    return Document({**document.tree, "assumed": flat}, marks)


def _leaves(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[Any, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value


def without_reasons(tree: dict[str, Any], path: KeyPath) -> None:
    """Drop reasons for the value at ``path``, which is now given."""
    assumed = tree.get("assumed")
    key = dotted(path)
    if isinstance(assumed, dict):
        for name in [n for n in assumed if n == key or n.startswith(f"{key}.")]:
            del assumed[name]
