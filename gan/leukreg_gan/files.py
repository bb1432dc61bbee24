"""Files that are whole or absent, however the process ends."""

from __future__ import annotations

import os
from pathlib import Path

from leukreg import DataError


def write(path: Path, data: bytes) -> None:
    """Write ``data`` beside ``path``, then move it there.

    Raises:
        DataError: The disk is full, or the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from error
