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
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from leukreg.errors import Problem, Problems
from leukreg.recipe.document import DEEPEST, LARGEST, odd_values, read_document
from leukreg.recipe.format import show
from leukreg.recipe.mistakes import Document, KeyPath, Mark, dotted, printable, undotted
from leukreg.recipe.model import Recipe
from leukreg.recipe.schema import beside, fields_of, has, leaves

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
    return _over(Document(base, parent.marks), child, {*((key,) for key in _OWN), *anew})


def _over(parent: Document, child: Document, replaced: set[KeyPath]) -> Document:
    """The same of any two; nothing stays of what the parent has at ``replaced``."""
    tree = _merged(parent.tree, child.tree, (), replaced)
    own, reasons = child.tree.get("assumed", {}), tree.get("assumed")
    if isinstance(own, dict) and isinstance(reasons, dict):
        gone = {dotted(path) for path in replaced}
        tree["assumed"] = {
            key: reason
            for key, reason in reasons.items()
            if key in own or not (has(child.tree, key) or gone & _beginnings(key))
        }
    kept = {
        path: mark
        for path, mark in parent.marks.items()
        if not any(path[:n] in replaced for n in range(1, len(path) + 1))
    }
    return Document(tree, {**kept, **child.marks})


def _beginnings(key: str) -> set[str]:
    """A dotted key and those of the tables that it stands in."""
    parts = undotted(key)
    return {dotted(parts[:n]) for n in range(1, len(parts) + 1)}


def _written_anew(child: Document, base: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The tables that ``replaces`` of the nearer file names.

    Raises:
        Problems: What it names is no table of both files.
    """
    names = child.tree.get("replaces", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        message = f'must be a list of tables, such as ["data.classes"], not {show(names)}'
        raise Problems([_problem(child, ("replaces",), message)])
    problems = []
    for number, name in enumerate(names):
        own, inherited = (_in_tables(tree, undotted(name)) for tree in (child.tree, base))
        message = ""
        if inherited is None:
            message = f"nothing that is inherited stands at {show(name)}"
        elif own is None:
            message = f"this recipe says nothing at {show(name)} to put in its place"
        elif not isinstance(own, dict) or not isinstance(inherited, (dict, str)):
            message = f"{show(name)} is no table; it is replaced whole as it is"
        if message:
            problems.append(_problem(child, ("replaces", number), message))
    if problems:
        raise Problems(problems)
    return [undotted(name) for name in names]


def _in_tables(tree: Any, path: tuple[str, ...]) -> Any:
    """What stands at a path through tables: lists are replaced whole."""
    for part in path:
        tree = tree.get(part) if isinstance(tree, dict) else None
    return tree


def _merged(
    old: Mapping[Any, Any], new: Mapping[Any, Any], path: KeyPath, replaced: set[KeyPath]
) -> dict[Any, Any]:
    """The tables as one; what goes for another's value is added to ``replaced``.

    Items of a list are reached by their positions as keys of ``new``.
    """
    old = dict(old)
    if "use" in new and "use" in old and new["use"] != old["use"]:
        stays = _core(path)
        replaced.update((*path, key) for key in old if key not in stays)
        old = {key: value for key, value in old.items() if key in stays}
    for key, value in new.items():
        before, there = old.get(key), (*path, key)
        if isinstance(before, str) and isinstance(value, dict) and path != ("assumed",):
            before = {"use": before}
        fresh = there in replaced or not isinstance(value, dict)
        if isinstance(before, dict) and not fresh:
            old[key] = _merged(before, value, there, replaced)
        elif isinstance(before, list) and not fresh and isinstance(next(iter(value), None), int):
            old[key] = [*_merged(dict(enumerate(before)), value, there, replaced).values()]
        else:
            replaced.add(there)
            old[key] = value
    return old


def _core(path: KeyPath) -> frozenset[str]:
    """Core keys that stay when the table they stand in names another plugin."""
    tables = (field.table for field in fields_of(Recipe) if (field.key,) == path and field.table)
    return frozenset(key for table in tables for key in beside(table) or ())


def _flat_assumed(document: Document) -> Document:
    """``[assumed]`` with one dotted key per reason, however it was nested."""
    assumed = document.tree.get("assumed")
    if not isinstance(assumed, dict):
        return document
    marks = dict(document.marks)
    flat: dict[str, Any] = {}
    for path, value in leaves(assumed):
        key = ".".join(map(str, path))
        flat[key] = value
        if ("assumed", *path) in marks:
            marks["assumed", key] = marks["assumed", *path]
    return Document({**document.tree, "assumed": flat}, marks)


def with_overrides(
    document: Document, overrides: Sequence[str]
) -> tuple[Document, tuple[Problem, ...]]:
    """The document with each ``KEY=VALUE`` set, in their order; and what is wrong with the others:
    those that are no ``KEY=VALUE``, or whose key leads nowhere.

    The value is read as TOML, a bare word as a string. Lists are reached by position. ``X.use``
    with another plugin's name drops the old plugin's options, as in ``extends``.
    """
    problems: list[Problem] = []
    for text in overrides:
        mark = Mark(f"--set {text}" if len(text) <= 200 else f"--set {text[:200]}...")
        try:
            document = _with_value(document, *split(text), mark)
        except ValueError as error:
            problems.append(Problem(str(error), mark.where))
    return document, tuple(problems)


def split(text: str) -> tuple[tuple[str, ...], Any]:
    """The key's parts and the value of ``KEY=VALUE``.

    Raises:
        ValueError: It is not of that form.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip() or not value.strip():
        raise ValueError("must be KEY=VALUE, such as phase.0.epochs=1")
    if not text.isascii() and text.encode(errors="replace").decode() != text:
        raise ValueError("is no UTF-8 text")
    if len(text) > LARGEST:
        raise ValueError("is too long")
    path = _set_key(key)
    if path[0] in ("extends", "replaces"):
        raise ValueError(f"{path[0]} cannot be set: it is about files, which are read first")
    return path, _set_value(value.strip())


def _set_key(key: str) -> tuple[str, ...]:
    wrong = ValueError(f"{printable(key)!r} is no key, such as phase.0.epochs")
    if key.count(".") >= DEEPEST or "\n" in key:
        raise wrong
    try:
        table: Any = tomllib.loads(f"{key} = 0")
    except ValueError:
        raise wrong from None
    path: list[str] = []
    while isinstance(table, dict):
        [(part, table)] = table.items()
        path.append(part)
    return tuple(path)


def _set_value(text: str) -> Any:
    try:
        document = tomllib.loads(f"value = {text}")
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except ValueError as error:
        if text[0] in "[{\"'":
            reason = str(error).split(" (at ")[0]
            text = "; a text that begins so needs quotes" if text[0] in "[{" else ""
            raise ValueError(f"the value is no valid TOML: {reason}{text}") from None
        return text
    if document.keys() != {"value"}:
        raise ValueError("must set one key")
    for _, message in odd_values(document["value"]):
        raise ValueError(f"the value {message}")
    return document["value"]


def _with_value(document: Document, parts: tuple[str, ...], value: Any, mark: Mark) -> Document:
    """The document with a value at a place, whatever stood there."""
    if parts[0] == "assumed" and len(parts) > 1:
        parts = ("assumed", ".".join(parts[1:]))
    where: Any = document.tree
    path: KeyPath = ()
    for part in parts:
        step = _step(where, part, path)
        inside = where.get(part, False) if isinstance(where, dict) else where[int(step)]
        # A plugin may be named without a table, and a table that is not there is made.
        where = {"use": inside} if isinstance(inside, str) else {} if inside is False else inside
        path = (*path, step)
    made = {path[:n]: mark for n in range(1, len(path)) if path[:n] not in document.marks}
    tree = value
    for step in reversed(path):
        tree = {step: tree}
    return _over(document, Document(tree, {**made, path: mark}), {path})


def _step(where: Any, part: str, path: KeyPath) -> str | int:
    if isinstance(where, dict):
        return part
    if not isinstance(where, list):
        raise ValueError(f"{dotted(path)} is {show(where)}, which has no keys")
    if not part.isascii() or not part.isdecimal() or int(part) >= len(where):
        names = [item.get("name") if isinstance(item, dict) else None for item in where]
        places = [
            f"{dotted((*path, place))}{f' ({name!r})' if isinstance(name, str) else ''}"
            for place, name in enumerate(names[:6])
        ]
        more = " and so on" if len(where) > 6 else ""
        write = f"a list: write {' or '.join(places)}{more}" if places else "an empty list"
        raise ValueError(f"{dotted(path)} is {write}")
    return int(part)
