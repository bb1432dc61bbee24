"""Files that are whole or absent, however the process ends."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import BinaryIO


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, whole or not at all."""
    _write(path, lambda file: file.write(text.encode()))


def save(path: Path, content: dict[str, Any]) -> None:
    """``torch.save`` plain values and tensors, whole or not at all."""
    import torch

    _write(path, lambda file: torch.save(content, file))


def load(path: Path, device: str = "cpu") -> dict[str, Any]:
    """Read what :func:`save` wrote, never running code from the file."""
    import torch

    content: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    return content


def _write(path: Path, write: Callable[[BinaryIO], object]) -> None:
    # One name per target: what a killed process left is overwritten, never piled up.
    temporary = path.with_name(f".{path.name}.part")
    with temporary.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
