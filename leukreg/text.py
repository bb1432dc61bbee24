"""Text and figures made fit to be shown.

A figure is printed in one way, so that 84.3 % and 0.843 are the same 337 of 400. Formatting a float
rounds its binary value: of 337/400 that gives 0.843, but 84.2 for a hundred times as much. Here the
shortest decimal that stands for the float is rounded, halves away from 0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

_PLAIN = str.maketrans(
    {"–": "-", "—": "-", "−": "-", "·": ".", "×": "x", "…": "...", "≥": ">=", "≤": "<=", "±": "+-"}
)
_FORMULA = ("=", "+", "-", "@")
_NO_NAME = re.compile(r'[\n/\\:*?"<>|]')
_ODD = re.compile("[^\n\x20-\x7e]")


def visible(text: str, encoding: str = "utf-8") -> str:
    """The text with whatever could steer a terminal, a page or a spreadsheet made visible.

    Control characters, marks of writing direction and lone surrogates stand as escapes such as
    ``\\x1b``; line breaks stay. What the encoding lacks is given by its likeness or its escape.
    """
    text = _ODD.sub(lambda odd: odd[0] if odd[0].isprintable() else repr(odd[0])[1:-1], text)
    if encoding.lower().startswith("utf"):
        return text
    return text.translate(_PLAIN).encode(encoding, "backslashreplace").decode(encoding)


def as_cell(text: str) -> str:
    """Text for a cell of a CSV file: one line that a spreadsheet shows and never computes.

    A text that is empty, begins with a backslash or as a formula does (``= + - @``), or holds what
    cannot be seen, is written as a backslash and its JSON escapes; :func:`from_cell` reads it back.
    """
    import json

    plain = text.isprintable() and not text.startswith(("\\", *_FORMULA)) and text
    return text if plain else "\\" + json.dumps(text)[1:-1]


def from_cell(cell: str) -> str:
    """The text that :func:`as_cell` wrote.

    Raises:
        ValueError: It wrote no such cell.
    """
    import json

    return str(json.loads(f'"{cell[1:]}"')) if cell.startswith("\\") else cell


def csv_text(rows: Iterable[Iterable[str]]) -> str:
    """Rows of cells as CSV with bare line feeds, whatever the machine."""
    import csv
    import io

    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()


def middle_cut(text: str, longest: int) -> str:
    """The text made visible on one line, cut in the middle where it is too long."""
    text = visible(text).replace("\n", "\\n")
    if len(text) <= longest:
        return text
    head = (longest - 1) // 2
    return f"{text[:head]}…{text[head + 1 - longest :]}"


def file_stem(text: str, longest: int = 100) -> str:
    """The text as a part of a file's name on any disk, of at most ``longest`` bytes in UTF-8."""
    shown = _NO_NAME.sub("_", visible(text)).strip(". ")
    return shown.encode("utf-8")[:longest].decode("utf-8", "ignore") or "_"


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The known word that was meant, where one is near; else nothing."""
    import difflib

    return next(iter(difflib.get_close_matches(word, list(known), 1, cutoff)), "")


def did_you_mean(word: str, known: Iterable[str], otherwise: str | None = None) -> str:
    """``did you mean 'Pro-B'?`` of the nearest known word; else ``otherwise``, by default what
    there is: ``there are Pro-B, Pre-B``."""
    known = list(known)
    if meant := nearest(word, known):
        return f"did you mean {meant!r}?"
    return f"there are {', '.join(known)}" if otherwise is None else otherwise


def counted(count: int, noun: str) -> str:
    """Such as "1 file" or "1,200 files"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def rounded(value: float, digits: int = 3, signed: bool = False) -> str:
    """A figure with this many decimals: ``0.843``, or ``+0.843`` where it is ``signed``."""
    return _decimal(value, 0, digits, signed)


def percent(value: float, digits: int = 1) -> str:
    """A share: ``84.3 %``."""
    return f"{percents(value, digits)} %"


def percents(value: float, digits: int = 1, signed: bool = False) -> str:
    """A share, or a difference of shares in points, without its sign: ``84.3``."""
    return _decimal(value, 2, digits, signed)


def _decimal(value: float, shift: int, digits: int, signed: bool) -> str:
    from decimal import ROUND_HALF_UP, Decimal

    if not math.isfinite(value):
        return str(value)
    exact = Decimal(repr(float(value))).scaleb(shift)
    shown = exact.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    return f"{shown:{'+' if signed else ''},f}"


def json_text(data: Any) -> str:
    """Plain data as JSON; what could steer a terminal is escaped as JSON escapes it."""
    import json

    text = json.dumps(data, ensure_ascii=False, indent=1)
    return "".join(c if c == "\n" or c.isprintable() else json.dumps(c)[1:-1] for c in text) + "\n"
