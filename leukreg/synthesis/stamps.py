"""The files that a generator's images depend on besides the training images, and their stamps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from leukreg.data.walk import SKIPPED, walk
from leukreg.errors import DataError
from leukreg.recipe.stranger import breach, call

if TYPE_CHECKING:
    from leukreg.recipe.model import Choice

Stamp = tuple[str, int, int]
"""Path, size, and time of change."""


def stamps_of(choice: Choice) -> list[Stamp]:
    """A stamp of every file that the generator reads.

    Raises:
        DataError: A file cannot be looked at.
        PluginFault: The method ``files`` failed, or names what is no path.
    """
    try:
        facts = [(path, path.stat()) for path in files_of(choice)]
    except OSError as error:
        raise _unreadable(error) from error
    return [(str(path), each.st_size, each.st_mtime_ns) for path, each in facts]


def files_of(choice: Choice) -> list[Path]:
    """Every file that the generator's method ``files`` names; folders are walked, links followed.

    Raises:
        DataError: A folder cannot be listed.
        PluginFault: The method failed, or names what is no path.
    """
    listed = getattr(choice.plugin, "files", None)
    if not callable(listed):  # there is none, or it is an option of that name
        return []

    def files() -> list[Path]:
        return list(listed())

    paths = call(choice, files)
    strange = [path for path in paths if not isinstance(path, Path)]
    if strange:
        what = f"files gives {type(strange[0]).__name__}, not pathlib.Path"
        raise breach(choice, f" broke its contract: {what}")
    found: dict[Path, None] = {}
    for path in paths:
        found |= dict.fromkeys(_walked(path) if path.is_dir() else [path])
    return [path for path in found if path.is_file()]


def _walked(folder: Path) -> Iterator[Path]:
    """The files below a folder that a listing may take, images or not; links are followed.

    Raises:
        DataError: A folder in it cannot be listed.
    """
    found = walk(folder)
    for path, reason in found.broken:
        if path.is_dir():
            raise DataError(f"{path}: {reason}")
    others = (one.path for one in found.passed if one.what not in SKIPPED)
    yield from sorted([*found.images, *others])


def _unreadable(error: OSError) -> DataError:
    return DataError(f"{error.filename} cannot be read: {error.strerror or error}")
