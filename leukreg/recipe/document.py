"""Bytes to a ``Document``, whatever the bytes are: a mistake becomes a ``Problem``."""

from __future__ import annotations

import contextlib
import math
import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from leukreg.errors import Problem, Problems
from leukreg.paths import require_regular
from leukreg.recipe.mistakes import Document, KeyPath, Mark, dotted, printable

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
        table: KeyPath = ()
        while self._skip(_GAP):
            if self._next("[["):
                path, start, end = self._key(())
                number = self.lengths.get(path, 0)
                self.lengths[path] = number + 1
                table = (*path, number)
                self.marks[table] = self.mark(start, end)
                self._expect("]]")
            elif self._next("["):
                table, _, _ = self._key(())
                self._expect("]")
            else:
                self._pair(table)

    def _pair(self, table: KeyPath) -> None:
        path, start, end = self._key(table)
        self._expect("=")
        self._skip(_SPACE)
        value = self.at
        self._value(path)
        self.marks[path] = self.mark(start, end, value, self.at)

    def _key(self, path: KeyPath) -> tuple[KeyPath, int, int]:
        """Where a key leads from a table, all on the way marked; its last part's span."""
        while True:
            self._skip(_SPACE)
            found = _PART.match(self.text, self.at)
            if found is None:
                raise _Lost
            if path in self.lengths:  # the last of several such tables
                path = (*path, self.lengths[path] - 1)
            start, end = found.span()
            path = self._below(path, _unquoted(found.group()), start)
            self.marks.setdefault(path, self.mark(start, end))
            self.at = end
            self._skip(_SPACE)
            if not self._next("."):
                return path, start, end

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
            self.marks[item] = self.mark(start, self.at, start, self.at)
            number += 1
            self._skip(_GAP)
            self._next(",")

    def _below(self, path: KeyPath, part: str | int, at: int) -> KeyPath:
        if len(path) >= DEEPEST:
            raise TooDeep(self.mark(at, at + 1))
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

    def mark(self, start: int, end: int, value: int | None = None, value_end: int = 0) -> Mark:
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


LARGEST = 1 << 20
"""Bytes; more is no recipe."""

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def read_document(path: Path) -> Document:
    """The recipe file as plain data with positions.

    Raises:
        Problems: The file cannot be read, is no UTF-8, no TOML, or holds values no recipe has.
    """
    shown = str(path)
    try:
        require_regular(path, None)
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise Problems([Problem(f"cannot be read: {reason}", printable(shown))]) from None
    return parse_document(content, shown)


def parse_document(content: str | bytes, file: str) -> Document:
    """The text as plain data with positions; ``file`` names it in messages.

    Raises:
        Problems: As :func:`read_document`.
    """
    if len(content) > LARGEST:
        message = f"is larger than {LARGEST >> 20} MiB, which no recipe is"
        raise Problems([Problem(message, printable(file))])
    text = _decode(content, file) if isinstance(content, bytes) else content
    tree = _parsed_toml(text.removeprefix("\ufeff"), file)
    try:
        marks = positions(text.removeprefix("\ufeff"), file)
    except TooDeep as error:
        raise _too_deep(error.mark) from None
    document = Document(tree, marks)
    if odd := [*odd_values(tree)]:
        raise Problems([_odd(document, path, message) for path, message in odd])
    return document


def _decode(content: bytes, file: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        begin = content.rfind(b"\n", 0, error.start) + 1
        line = content[begin:].split(b"\n", 1)[0].decode(errors="replace")
        column = len(content[begin : error.start].decode(errors="replace"))
        mark = Mark(file, content.count(b"\n", 0, error.start) + 1, line, column)
        message = f"is not UTF-8: byte 0x{content[error.start]:02x}; save the file as UTF-8"
        raise Problems([Problem(message, mark.where, mark.excerpt())]) from None


def _parsed_toml(text: str, file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Problems([_syntax(str(error), text, file)]) from None
    except RecursionError:
        lines = text.split("\n")
        deepest = max(range(len(lines)), key=lambda n: len(re.findall(r"[\[{]", lines[n])))
        raise _too_deep(Mark(file, deepest + 1, lines[deepest])) from None
    except ValueError as error:  # an integer of thousands of digits
        digits = re.search(r"[\d_]{1000,}", text)
        at = digits.start() if digits else 0
        mark = _Scanner(text, file).mark(at, at + 1)
        message = f"is no value for a recipe: {str(error).split(';')[0]}"
        raise Problems([Problem(message, mark.where, mark.excerpt())]) from None


def _syntax(message: str, text: str, file: str) -> Problem:
    place = _PLACE.search(message)
    lines = text.replace("\r\n", "\n").split("\n")
    line, column = len(lines), len(lines[-1]) + 1
    if place and place[1]:
        line, column = int(place[1]), int(place[2])
    while line > 1 and not lines[line - 1].strip():  # the end of the file: show the last text
        line -= 1
        column = len(lines[line - 1]) + 1
    what = printable(message[: place.start()] if place else message)
    mark = Mark(file, line, lines[line - 1], column - 1)
    if (written := _again(what, mark)) is not None:
        start = len(mark.text) - len(mark.text.lstrip())
        mark = Mark(file, line, mark.text, start, len(written))
        what = f"{written} stands here a second time"
        if f"[[{written.strip('[] ')}]]" in text:
            what += "; one of several such tables is written [[ ]] each time"
        return Problem(f"is no valid TOML: {what}", mark.where, mark.excerpt())
    return Problem(f"is no valid TOML: {_plainer(what)}", mark.where, mark.excerpt(_aid(mark)))


def _again(what: str, mark: Mark) -> str | None:
    """The key or the whole header that stands in a file twice, if that is what is wrong."""
    if what == "Cannot overwrite a value" or re.fullmatch(r"Cannot declare \(.*\) twice", what):
        return mark.text.partition("=")[0].strip()
    return None


def _plainer(what: str) -> str:
    """A message of ``tomllib`` in the words of who wrote the file."""
    if what == "Expected newline or end of document after a statement":
        return "the value ends before the line does; each key has a line of its own"
    if what.startswith("Cannot mutate immutable namespace"):
        return "what this adds to was written whole above, in { }; write it there"
    if what == r"Illegal character '\n'":
        return "the text has no closing quote"
    return what


def _aid(mark: Mark) -> str:
    """What is often meant by a value that TOML has not."""
    rest = mark.text[mark.column :]
    if re.search(r"=\s*-?\d+,\d+\s*($|[,}#])", mark.text):
        return "decimals are written with a point"
    if re.match(r"(True|False|TRUE|FALSE)\b", rest):
        return f"write {rest.split()[0].strip(',]}').lower()}, in small letters"
    if re.match(r"(None|null|nil)\b", rest):
        return "leave the key out, or write false"
    return "text needs quotes" if rest[:1].isalpha() else ""


def _too_deep(mark: Mark) -> Problems:
    message = f"is nested too deeply; no recipe needs more than {DEEPEST} levels"
    return Problems([Problem(message, mark.where, mark.excerpt())])


def _odd(document: Document, path: KeyPath, message: str) -> Problem:
    mark = document.marks.get(path)
    text = f"{dotted(path)}: {message}"
    if mark is None:
        return Problem(text)
    return Problem(text, mark.where, mark.excerpt(on_value=True))


def odd_values(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """What TOML has and no recipe, with its place and why."""
    if len(path) > DEEPEST:
        yield path, "is nested too deeply"
    elif isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from odd_values(item, (*path, key))
    elif isinstance(value, float) and not math.isfinite(value):
        yield path, "must be a finite number"
    elif isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        yield path, "is an integer beyond 64 bits"
    elif not isinstance(value, (bool, int, float, str)):
        yield path, "is a date or time, which no recipe has; put it in quotes"
