"""Text in CSV cells, so that every string and None come back as they were.

None is an empty cell. A string that is empty, begins with a backslash or holds a control character
is written as a backslash and its JSON escapes, so each row of a table is one line.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from leukreg.runs.files import damaged, read_text, write_text

_ESCAPED = re.compile(r"^$|^\\|[\x00-\x1f\x7f\x85\u2028\u2029]")


def cell(text: str | None) -> str:
    if text is None:
        return ""
    return "\\" + json.dumps(text)[1:-1] if _ESCAPED.search(text) else text


def text(value: str) -> str | None:
    if value == "":
        return None
    if value[0] != "\\":
        return value
    decoded = json.loads(f'"{value[1:]}"')
    if not isinstance(decoded, str):
        raise ValueError(f"no text: {value!r}")
    return decoded


def sure(value: str) -> str:
    """The text of a cell that must not be empty."""
    found = text(value)
    if found is None:
        raise ValueError("a cell is empty")
    return found


def number(value: float | None) -> str:
    """A float with all its digits: reading gives the same bits."""
    return "" if value is None else repr(float(value))


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, buffer.getvalue())


def read_table(path: Path, header: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of a table whose columns begin with ``header``.

    Raises:
        RunError: The file is missing, cut off or has other columns.
    """
    content = read_text(path)
    if not content.endswith("\n"):
        raise damaged(path, "the last line is cut off")
    try:
        lines = list(csv.reader(io.StringIO(content, newline=""), strict=True))
    except csv.Error as error:
        raise damaged(path, f"no CSV ({error})") from error
    found = lines[0] if lines else []
    if found[: len(header)] != list(header):
        raise damaged(path, f"columns are {found}, not {list(header)}")
    for place, line in enumerate(lines[1:], start=2):
        if len(line) != len(found):
            raise damaged(path, f"line {place} has {len(line)} cells, not {len(found)}")
    return found, lines[1:]
