"""Folders that results are written to: whole or absent, and nothing of a user's is overwritten."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from leukreg.errors import DataError, WriteError
from leukreg.files import clear_leftovers, part, writable

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


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A folder to fill, which is moved to ``target`` as a whole; after an error nothing is left.

    ``target`` is absent or empty (see :func:`require_replaceable`).

    Raises:
        WriteError: It cannot be written.
    """
    home = target.resolve()
    place = part(home)
    try:
        with writable(target):
            home.parent.mkdir(parents=True, exist_ok=True)
            clear_leftovers(home.parent, home.name)
            shutil.rmtree(place, ignore_errors=True)  # of an earlier process of this number
            place.mkdir()
        try:
            yield place
        except WriteError as error:
            raise WriteError(str(error).replace(str(place), str(target))) from error
        with writable(target):
            if home.is_dir():
                home.rmdir()  # fails where something was put into it meanwhile
            place.rename(home)
    finally:
        shutil.rmtree(place, ignore_errors=True)
