"""Stamps of the files that a generator's images depend on besides the training images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from leukreg.errors import DataError, PluginError
from leukreg.recipe.stranger import call, named

if TYPE_CHECKING:
    from leukreg.recipe.model import Choice

Stamp = tuple[str, int, int]
"""Path, size, and time of change."""


def stamps_of(choice: Choice) -> list[Stamp]:
    """A stamp of every file that the generator's method ``files`` names, folders walked.

    Raises:
        DataError: A file cannot be looked at.
        PluginError: The method failed, or names what is no path.
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
        raise PluginError(f"{named(choice)} broke its contract: {what}")
    return [stamp for path in paths for stamp in _stamps(path)]


def _stamps(path: Path) -> Iterator[Stamp]:
    try:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                facts = file.stat()
                yield str(file), facts.st_size, facts.st_mtime_ns
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
