"""Folders that results may be written to: nothing of a user's is overwritten."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from leukreg.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path


def require_empty(folder: Path) -> None:
    """Tell before any work that a folder is not free to be written into.

    Raises:
        DataError: ``folder`` is a file, a folder with something in it, or cannot be read.
    """
    try:
        full = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror or error}") from error
    if full:
        raise DataError(f"{folder} exists and is not an empty folder; name another")


def require_replaceable(folder: Path) -> None:
    """The same for a folder that is made elsewhere and moved into place as a whole.

    Raises:
        DataError: ``folder`` is a file, a folder with something in it, the folder that the process
            is in, a mount point, or cannot be read.
    """
    require_empty(folder)
    if folder.exists() and folder.samefile(os.curdir):
        raise DataError(f"{folder} is the folder you are in; name a new one in it")
    if os.path.ismount(folder):
        raise DataError(f"{folder} is a mount point; name a new folder in it")
