"""Files of a run folder: text, JSON and CSV, with the file's name in errors.

Text in CSV cells comes back as it was, None too: that is an empty cell, for the others see
:func:`leukreg.visible.as_cell`. Each row is one line.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from leukreg.errors import RunError
from leukreg.files import ERRORS, OF_RUN, read_file, write_text
from leukreg.text import as_cell, from_cell


def write_json(path: Path, data: Any, listed: bool = False) -> None:
    """Write plain data; tuples become lists, anything foreign its text."""
    text = json.dumps(data, ensure_ascii=False, indent=1, default=_plain)
    write_text(path, text + "\n", listed)


def read_text(path: Path) -> str:
    """The text of a file.

    Raises:
        RunError: It is missing, damaged or cannot be read, naming the file.
    """
    try:
        return read_file(path, OF_RUN).decode("utf-8", ERRORS)
    except UnicodeDecodeError as error:
        raise damaged(path, str(error)) from error


def read_json(path: Path) -> Any:
    """Plain data of a JSON file.

    Raises:
        RunError: It is missing, damaged or no JSON, naming the file.
    """
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise damaged(path, f"no JSON ({error})") from error


def damaged(path: Path, reason: str) -> RunError:
    return RunError(f"{path} is damaged: {reason}; {OF_RUN}")


def _plain(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    if hasattr(value, "tolist"):  # a numpy number or array
        return value.tolist()
    if hasattr(value, "items"):
        return dict(value.items())
    return str(value)


def cell(text: str | None) -> str:
    return "" if text is None else as_cell(text)


def text(value: str) -> str | None:
    return None if value == "" else from_cell(value)


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
    write_text(path, buffer.getvalue(), listed=True)


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
