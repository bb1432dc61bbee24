"""Every mistake of a recipe, collected, then shown at once."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from leukreg.errors import Problem, Problems
from leukreg.text import did_you_mean

KeyPath = tuple[str | int, ...]
"""``("phase", 0, "optimizer", "lr")``: table keys and positions in lists."""

_PARTS = re.compile(r'"(?:\\.|[^"\\])*"|[^."]+')
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_WIDEST = 96


def dotted(path: KeyPath) -> str:
    """The path as a reader writes it: ``phase.0.optimizer.lr``, unusual keys in quotes."""
    return ".".join(part if _plain(part) else quoted(part) for part in map(str, path))


def quoted(text: str) -> str:
    """The text in quotes; what cannot be seen is written out, every letter stays as it is."""
    inside = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in inside)


def undotted(key: str) -> tuple[str, ...]:
    """The parts of a dotted key; the inverse of :func:`dotted`, list positions as text."""
    return tuple(_unquoted(part) for part in _PARTS.findall(key))


def _unquoted(part: str) -> str:
    if not part.startswith('"'):
        return part
    try:
        return str(json.loads(part))
    except ValueError:  # not written by us: take it as it stands
        return part[1:-1]


def _plain(part: str) -> bool:
    return _BARE.fullmatch(part) is not None


@dataclass(frozen=True, slots=True)
class Mark:
    """One key in a recipe file, or in a ``--set``."""

    file: str
    """As the reader named it; the whole ``--set ...`` for an override."""
    line: int | None = None
    """From 1; None where there is no line to point at."""
    text: str = ""
    """The line."""
    column: int = 0
    """Of the key, from 0, in characters."""
    width: int = 1
    value_column: int | None = None
    """Of the value, where the key has one on this line."""
    value_width: int = 1

    @property
    def where(self) -> str:
        """``file:line``, or the override."""
        return printable(self.file if self.line is None else f"{self.file}:{self.line}")

    def excerpt(self, hint: str = "", on_value: bool = False) -> str | None:
        """The line with markers under the key or the value, and the hint beside them."""
        if self.line is None:
            return f"  {hint}" if hint else None
        from rich.cells import cell_len  # wide letters and marks without width of their own

        column, width = self.column, self.width
        if on_value and self.value_column is not None:
            column, width = self.value_column, self.value_width
        text, column, width = _window(self.text, column, width)
        number = str(self.line)
        before, under = (cell_len(part) for part in (text[:column], text[column : column + width]))
        pointer = f"{' ' * before}{'^' * max(1, under)} {hint}".rstrip()
        return f"  {number} | {text}\n  {' ' * len(number)} | {pointer}"


@dataclass(frozen=True, slots=True)
class Document:
    """A recipe as plain data, with the place of every key."""

    tree: dict[str, Any]
    marks: Mapping[KeyPath, Mark] = field(default_factory=dict)


def printable(text: str) -> str:
    """The text with control characters, tabs and lone surrogates replaced, one for one."""
    return "".join(c if c.isprintable() else " " if c == "\t" else "\ufffd" for c in text)


def _window(text: str, column: int, width: int) -> tuple[str, int, int]:
    """At most ``_WIDEST`` characters of a long line, around the marked ones."""
    text = printable(text.rstrip())
    column = min(column, len(text))
    width = max(1, min(width, len(text) - column))
    if len(text) <= _WIDEST:
        return text, column, width
    start = max(0, min(column - _WIDEST // 3, len(text) - _WIDEST))
    shown = text[start : start + _WIDEST]
    head = "..." if start else ""
    tail = "..." if start + _WIDEST < len(text) else ""
    inside = max(1, min(width, _WIDEST - (column - start)))
    return f"{head}{shown}{tail}", column - start + len(head), inside


class Mistake(NamedTuple):
    """A problem, and where it stands among the others."""

    file: str
    line: int
    path: KeyPath
    problem: Problem


@dataclass(frozen=True, slots=True)
class Mistakes:
    """Collects problems; the place of a key that is not written is its nearest table's."""

    marks: Mapping[KeyPath, Mark]
    file: str
    found: list[Mistake] = field(default_factory=list)

    def add(self, path: KeyPath, message: str, hint: str = "", on_value: bool = True) -> None:
        """Note what is wrong with the key at ``path``."""
        mark = self.mark(path)
        text = printable(f"{dotted(path)}: {message}" if path else message)
        excerpt = mark.excerpt(hint, on_value and path in self.marks)
        problem = Problem(text, mark.where, excerpt)
        self.found.append(Mistake(mark.file, mark.line or 0, path, problem))

    def unknown(self, path: KeyPath, message: str, known: Iterable[str]) -> None:
        """Note a key that nothing reads, with the nearest known one."""
        from leukreg.recipe.reference import elsewhere

        hint, name = suggestion(str(path[-1]), known), str(path[-1])
        if not hint.startswith("did you") and (places := elsewhere(name)):
            hint = f"{name} belongs to {places}"
        self.add(path, message, hint=hint, on_value=False)

    def keep(self, since: int, path: KeyPath, keys: Collection[str]) -> None:
        """Of what was noted since then, let go what is about other keys of the table there."""
        own = {(), path, *((*path, key) for key in keys)}
        kept = [one for one in self.found[since:] if one.path[: len(path) + 1] in own]
        self.found[since:] = kept

    def once(self, message: str) -> None:
        """Note what belongs to no key, if it was not noted yet."""
        mistake = Mistake("\uffff", 0, (), Problem(message))  # after every file
        if mistake not in self.found:
            self.found.append(mistake)

    def mark(self, path: KeyPath) -> Mark:
        """Where the key stands, or the innermost table around it that is written."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.marks:
                return self.marks[path[:length]]
        return Mark(self.file)

    def origin(self, path: KeyPath, beside: KeyPath) -> str:
        """`` (v4.toml:12)``: where a value that a message speaks of stands, if in another file than
        the key it is about; else nothing."""
        mark = self.mark(path)
        return f" ({mark.where})" if mark.file != self.mark(beside).file else ""

    def stop(self) -> None:
        """End here if there are mistakes.

        Raises:
            Problems: All of them, in the order of the file.
        """
        if self.found:
            ordered = sorted(self.found, key=lambda one: (one.file, one.line))
            raise Problems([one.problem for one in ordered])


def suggestion(word: str, known: Iterable[str]) -> str:
    """``did you mean 'gamma'?``, or what there is."""
    names = sorted(known)
    there = f"known here: {', '.join(names) or 'none'}"
    return did_you_mean(word, names, did_you_mean(word.replace("_", "-"), names, there))
