"""Files of a run folder: written whole or not at all, and read with the file's name in errors."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from leukreg.errors import RunError

ERRORS = "surrogatepass"
"""File names that are no UTF-8 reach us as lone surrogates; they are kept."""


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file in one step: a reader sees the old file or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode("utf-8", ERRORS))


def write_json(path: Path, data: Any) -> None:
    """Write plain data; tuples become lists, anything foreign its text."""
    text = json.dumps(data, ensure_ascii=False, indent=1, default=_plain)
    write_text(path, text + "\n")


def read_text(path: Path) -> str:
    """The text of a file.

    Raises:
        RunError: It is missing or cannot be read, naming the file.
    """
    try:
        return path.read_bytes().decode("utf-8", ERRORS)
    except FileNotFoundError as error:
        raise RunError(f"{path}: is missing; the run folder is incomplete") from error
    except (OSError, UnicodeDecodeError) as error:
        raise damaged(path, str(error)) from error


def read_json(path: Path) -> Any:
    """Plain data of a JSON file.

    Raises:
        RunError: It is missing or is no JSON, naming the file.
    """
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise damaged(path, f"no JSON ({error})") from error


def damaged(path: Path, reason: str) -> RunError:
    return RunError(f"{path}: {reason}; the run folder is damaged")


def _plain(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    if hasattr(value, "tolist"):  # a numpy number or array
        return value.tolist()
    if hasattr(value, "items"):
        return dict(value.items())
    return str(value)
