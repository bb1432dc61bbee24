"""Files of a run folder: JSON and text, with the file's name in errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from leukreg.errors import RunError
from leukreg.files import ERRORS, OF_RUN, read_file, write_text


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
