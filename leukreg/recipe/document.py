"""Bytes to a ``Document``, whatever the bytes are: a mistake becomes a ``Problem``."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from leukreg.errors import Problem, Problems
from leukreg.paths import require_regular
from leukreg.recipe.mark import Document, KeyPath, Mark, dotted, printable
from leukreg.recipe.positions import DEEPEST, TooDeep, positions

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
    tree = _toml(text.removeprefix("\ufeff"), file)
    try:
        marks = positions(text.removeprefix("\ufeff"), file)
    except TooDeep as error:
        raise _too_deep(error.mark) from None
    document = Document(tree, marks)
    odd = list(_odd_values(tree, ()))
    if odd:
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


def _toml(text: str, file: str) -> dict[str, Any]:
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
        mark = _mark_at(text, digits.start() if digits else 0, file)
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


def _mark_at(text: str, at: int, file: str) -> Mark:
    begin = text.rfind("\n", 0, at) + 1
    return Mark(file, text.count("\n", 0, at) + 1, text[begin:].split("\n", 1)[0], at - begin)


def _too_deep(mark: Mark) -> Problems:
    message = f"is nested too deeply; no recipe needs more than {DEEPEST} levels"
    return Problems([Problem(message, mark.where, mark.excerpt())])


def _odd(document: Document, path: KeyPath, message: str) -> Problem:
    mark = document.marks.get(path)
    text = f"{dotted(path)}: {message}"
    if mark is None:
        return Problem(text)
    return Problem(text, mark.where, mark.excerpt(on_value=True))


def _odd_values(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _odd_values(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _odd_values(item, (*path, number))
    elif message := odd_value(value):
        yield path, message


def odd_value(value: Any) -> str:
    """Why a TOML scalar is nothing for a recipe; empty where it is."""
    if isinstance(value, float) and not math.isfinite(value):
        return "must be a finite number"
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        return "is an integer beyond 64 bits"
    if not isinstance(value, (bool, int, float, str)):
        return "is a date or time, which no recipe has; put it in quotes"
    return ""
