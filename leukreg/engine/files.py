"""Weights and states as files of torch, with checksums."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from leukreg.errors import DataError, RunError
from leukreg.files import check_file, load_tensors, write_stream


def save(path: Path, content: dict[str, Any]) -> None:
    """``torch.save`` plain values and tensors, whole or not at all.

    Raises:
        WriteError: The disk is full, or the folder cannot be written.
    """
    import torch

    write_stream(path, lambda file: torch.save(content, file), listed=True)


def load(path: Path, advice: str) -> dict[str, Any]:
    """Read what :func:`save` wrote, never running code from the file.

    Args:
        path: The file.
        advice: What to do where it is missing or damaged.

    Raises:
        RunError: It is missing, damaged, or holds more than tensors and plain values.
    """
    check_file(path, advice)
    try:
        content: dict[str, Any] = load_tensors(path)
    except DataError as error:
        raise RunError(f"{error}; {advice}") from error
    return content
