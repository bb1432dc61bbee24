"""Tables of attributes, as they are on disk: one row per image, every cell a text."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leukreg import DataError, read_table

if TYPE_CHECKING:
    import pandas as pd

BESIDE = frozenset({"class", "label", "path", "patient", "split"})
"""Columns that are no attributes unless a recipe names them: what else leukreg's tables hold."""


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a table."""

    name: str
    """Of the image file, as the key column has it."""
    values: tuple[str, ...]
    """In the order of the columns; empty where nothing is said."""
    where: str


@dataclass(frozen=True, slots=True)
class Listed:
    """The rows of all tables."""

    columns: tuple[str, ...]
    lines: tuple[Line, ...]


def read_tables(
    tables: Sequence[Path], key: str, columns: Sequence[str] | None
) -> tuple[Listed, list[str]]:
    """The rows of all tables, and what is wrong with their columns, in words.

    Without ``columns``, every column of the first table but the key and those in :data:`BESIDE`.

    Raises:
        DataError: A file cannot be read as a table.
    """
    frames = [(path, _read(path)) for path in tables]
    wanted = columns
    if wanted is None:
        wanted = [c for c in frames[0][1].columns if c and c != key and c not in BESIDE]
    faults = []
    for path, frame in frames:
        for what, name in [("key", key), *(("column", name) for name in wanted)]:
            if name not in frame.columns:
                faults.append(
                    f"{path} has no {what} {name!r}; {_nearest(name, list(frame.columns))}"
                )
    if not wanted:
        faults.append(f"{frames[0][0]} has no column of attributes beside the key {key!r}")
    if faults:
        return Listed(tuple(wanted), ()), faults
    lines = [line for path, frame in frames for line in _lines(path, frame, key, wanted)]
    return Listed(tuple(wanted), tuple(lines)), []


def assumed(tables: Sequence[Path]) -> tuple[str, ...]:
    """How tables were read that do not say so themselves; one that cannot be read is told later."""
    found: list[str] = []
    for path in tables:
        with suppress(DataError):
            found += (f"{path.name}: {how}" for how in read_table(path).attrs.get("assumed", ()))
    return tuple(found)


def _read(path: Path) -> pd.DataFrame:
    try:
        return read_table(path)
    except DataError as error:
        raise DataError(f"synthesis.attributes.table: {error}") from None


def _lines(path: Path, frame: pd.DataFrame, key: str, columns: Sequence[str]) -> list[Line]:
    names = frame[key].tolist()
    cells = zip(*(frame[column].tolist() for column in columns), strict=True)
    return [
        Line(_clean(name), tuple(_clean(cell) for cell in row), f"{path} row {number}")
        for number, (name, row) in enumerate(zip(names, cells, strict=True), start=1)
        if name.strip()
    ]


def _clean(text: str) -> str:
    return unicodedata.normalize("NFC", text.strip())


def _nearest(name: str, there: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, there, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there are {', '.join(there)}"
