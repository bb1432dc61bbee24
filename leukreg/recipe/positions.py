"""TOML with positions: ``tomllib`` decides what a file says, a scanner where each key stands.

``tomllib`` keeps no positions. A text it accepts is valid, and finding the keys of valid TOML needs
only strings, brackets and the rules of headers, in one pass over the characters.
"""

from __future__ import annotations

import contextlib
import re
import tomllib
from bisect import bisect_right

from leukreg.recipe.mark import KeyPath, Mark

DEEPEST = 24
"""Longest path of keys and list positions a recipe may have."""

_BASIC = r'"(?:\\.|[^"\\\n])*"'
_LITERAL = r"'[^'\n]*'"
_STRING = re.compile(
    r'"""(?:\\[\s\S]|[^\\])*?"{3,5}' + r"|'''[\s\S]*?'{3,5}" + f"|{_BASIC}|{_LITERAL}"
)
_PART = re.compile(rf"{_BASIC}|{_LITERAL}|[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}\n#]+")
_SPACE = re.compile(r"[ \t]*")
_GAP = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")


class TooDeep(Exception):
    """A path is longer than ``DEEPEST``; ``mark`` is where it begins."""

    def __init__(self, mark: Mark) -> None:
        super().__init__(mark.where)
        self.mark = mark


class _Lost(Exception):
    """The text is no TOML as this scanner knows it."""


def positions(text: str, file: str) -> dict[KeyPath, Mark]:
    """The place of every key and list item of ``text``, which ``tomllib`` has accepted.

    Raises:
        TooDeep: Tables or lists are nested deeper than ``DEEPEST``.
    """
    scanner = _Scanner(text.replace("\r\n", "\n"), file)
    with contextlib.suppress(_Lost):  # newer TOML than this: what was found so far still helps
        scanner.run()
    return scanner.marks


class _Scanner:
    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self.at = 0
        self.marks: dict[KeyPath, Mark] = {}
        self.lengths: dict[KeyPath, int] = {}
        self.starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def run(self) -> None:
        prefix: KeyPath = ()
        while self._skip(_GAP):
            if self._next("[["):
                prefix = self._enter(self._key(), repeated=True)
                self._expect("]]")
            elif self._next("["):
                prefix = self._enter(self._key(), repeated=False)
                self._expect("]")
            else:
                self._pair(prefix)

    def _enter(self, parts: list[tuple[str, int, int]], repeated: bool) -> KeyPath:
        path: KeyPath = ()
        for position, (name, start, end) in enumerate(parts):
            path = self._below(path, name, start)
            self.marks.setdefault(path, self._mark(start, end))
            if repeated and position == len(parts) - 1:
                number = self.lengths.get(path, 0)
                self.lengths[path] = number + 1
                path = (*path, number)
            elif path in self.lengths:
                path = (*path, self.lengths[path] - 1)
            self.marks.setdefault(path, self._mark(start, end))
        return path

    def _pair(self, prefix: KeyPath) -> None:
        path = prefix
        parts = self._key()
        for name, start, end in parts:
            path = self._below(path, name, start)
            self.marks.setdefault(path, self._mark(start, end))
        self._expect("=")
        self._skip(_SPACE)
        value = self.at
        self._value(path)
        _, start, end = parts[-1]
        self.marks[path] = self._mark(start, end, value, self.at)

    def _key(self) -> list[tuple[str, int, int]]:
        parts = []
        while True:
            self._skip(_SPACE)
            found = _PART.match(self.text, self.at)
            if found is None:
                raise _Lost
            parts.append((_unquoted(found.group()), found.start(), found.end()))
            self.at = found.end()
            self._skip(_SPACE)
            if not self._next("."):
                return parts

    def _value(self, path: KeyPath) -> None:
        if self._next("["):
            self._list(path)
        elif self._next("{"):
            while self._skip(_GAP) and not self._next("}"):
                self._pair(path)
                self._skip(_GAP)
                self._next(",")
        else:
            found = _STRING.match(self.text, self.at) or _SCALAR.match(self.text, self.at)
            if found is None:
                raise _Lost
            self.at = found.start() + len(found.group().rstrip(" \t"))

    def _list(self, path: KeyPath) -> None:
        number = 0
        while self._skip(_GAP) and not self._next("]"):
            start = self.at
            item = self._below(path, number, start)
            self._value(item)
            self.marks[item] = self._mark(start, self.at, start, self.at)
            number += 1
            self._skip(_GAP)
            self._next(",")

    def _below(self, path: KeyPath, part: str | int, at: int) -> KeyPath:
        if len(path) >= DEEPEST:
            raise TooDeep(self._mark(at, at + 1))
        return (*path, part)

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        found = pattern.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return self.at < len(self.text)

    def _next(self, token: str) -> bool:
        if not self.text.startswith(token, self.at):
            return False
        self.at += len(token)
        return True

    def _expect(self, token: str) -> None:
        if not self._next(token):
            raise _Lost

    def _mark(self, start: int, end: int, value: int | None = None, value_end: int = 0) -> Mark:
        line = bisect_right(self.starts, start)
        begin = self.starts[line - 1]
        finish = self.text.find("\n", begin)
        text = self.text[begin : finish if finish >= 0 else len(self.text)]
        return Mark(
            file=self.file,
            line=line,
            text=text,
            column=start - begin,
            width=min(end - start, len(text) - (start - begin)),
            value_column=None if value is None else value - begin,
            value_width=0 if value is None else min(value_end - value, len(text) - value + begin),
        )


def _unquoted(part: str) -> str:
    if part[0] not in "\"'":
        return part
    return str(tomllib.loads(f"key = {part}")["key"])
