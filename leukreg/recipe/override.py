"""``--set phase.0.epochs=1``: keys that the command line states."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Sequence
from typing import Any

from leukreg.errors import Problem
from leukreg.recipe.document import LARGEST, odd_value
from leukreg.recipe.extend import BESIDE, without_reasons
from leukreg.recipe.mark import Document, KeyPath, Mark, dotted, printable
from leukreg.recipe.positions import DEEPEST
from leukreg.recipe.words import show


def with_overrides(
    document: Document, overrides: Sequence[str]
) -> tuple[Document, tuple[Problem, ...]]:
    """The document with each ``KEY=VALUE`` set, in their order; and what is wrong with the others:
    those that are no ``KEY=VALUE``, or whose key leads nowhere.

    The value is read as TOML, a bare word as a string. Lists are reached by position. ``X.use``
    with another plugin's name drops the old plugin's options, as in ``extends``.
    """
    tree = copy.deepcopy(document.tree)
    marks = dict(document.marks)
    problems: list[Problem] = []
    for text in overrides:
        mark = Mark(f"--set {text}" if len(text) <= 200 else f"--set {text[:200]}...")
        try:
            path, value = split(text)
            stored = _put(tree, path, value)
        except ValueError as error:
            problems.append(Problem(str(error), mark.where))
            continue
        without_reasons(tree, stored[:-1] if stored[-1] == "use" else stored)
        marks = {at: old for at, old in marks.items() if at[: len(stored)] != stored}
        for length in range(1, len(stored) + 1):
            marks.setdefault(stored[:length], mark)
        marks[stored] = mark
        marks |= dict.fromkeys(_inside(value, stored), mark)
    return Document(tree, marks), tuple(problems)


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
    path = _key(key)
    if path[0] in ("extends", "replaces"):
        raise ValueError(f"{path[0]} cannot be set: it is about files, which are read first")
    return path, _value(value.strip())


def _key(key: str) -> tuple[str, ...]:
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


def _value(text: str) -> Any:
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
    _refuse_odd(document["value"], 0)
    return document["value"]


def _refuse_odd(value: Any, depth: int) -> None:
    if depth > DEEPEST:
        raise ValueError("is nested too deeply")
    if isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            _refuse_odd(item, depth + 1)
    elif message := odd_value(value):
        raise ValueError(f"the value {message}")


def _put(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> KeyPath:
    """Set the value in place; the path with list positions as integers."""
    if path[0] == "assumed" and len(path) > 1:
        path = ("assumed", ".".join(path[1:]))
    where: Any = tree
    stored: KeyPath = ()
    for part in path[:-1]:
        step = _step(where, part, stored)
        if isinstance(where, dict) and isinstance(where.get(part), str):
            where[part] = {"use": where[part]}  # a plugin named without a table
        if isinstance(where, dict) and (part not in where or where[part] is False):
            where[part] = {}
        where = where[step]
        stored = (*stored, step)
    last = _step(where, path[-1], stored)
    if last == "use" and where.get("use", value) != value:
        stays = BESIDE.get(stored, frozenset())
        for key in [key for key in where if key not in stays]:
            del where[key]
    where[last] = value
    return (*stored, last)


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


def _inside(value: Any, path: KeyPath) -> list[KeyPath]:
    """The paths of everything inside a value."""
    found: list[KeyPath] = []
    if isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            found += [(*path, key), *_inside(item, (*path, key))]
    return found
