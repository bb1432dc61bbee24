"""A table that somebody brings, as rows of cells, each with a place to point at."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from leukreg import NotAvailable, Problem, did_you_mean, expanded, read_table

MOST = 50
"""Wrong rows named one by one; more are counted."""


class TextTable:
    """A CSV, TSV or Parquet table; every cell is a text in Unicode's composed form.

    Raises:
        DataError: It cannot be read as a table.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._frame = read_table(path)
        self.columns = tuple(str(name) for name in self._frame.columns)
        self.assumed = tuple(f"{path.name}: {how}" for how in self._frame.attrs.get("assumed", ()))
        """How it was read where it does not say so itself."""

    def lacking(self, columns: Mapping[str, str]) -> list[Problem]:
        """What is wrong with the names of columns, by the option that states each."""
        return [
            Problem(
                f"there is no column {name!r} ({option}); {did_you_mean(name, self.columns)}",
                str(self.path),
            )
            for option, name in columns.items()
            if name not in self.columns
        ]

    def rows(
        self, columns: Mapping[str, str], read: Callable[[str], str] = str
    ) -> list[dict[str, str]]:
        """Row by row what stands in these columns, by their keys; ``read`` turns a cell to text."""
        texts = [
            [nfc(read(text.strip())) for text in self._frame[name]] for name in columns.values()
        ]
        return [dict(zip(columns, row, strict=True)) for row in zip(*texts, strict=True)]

    def where(self, index: int) -> str:
        """The place of a row, ``file:line``."""
        if self.path.suffix.lower() in (".parquet", ".pq"):
            return f"{self.path} row {index}"
        return f"{self.path}:{index + int(self._frame.attrs.get('head_line', 1)) + 1}"


def require_table(path: str, option: str) -> Path:
    """The table as an absolute path; relative to the working directory, ``~`` expanded.

    Args:
        option: The recipe key that says where it is.

    Raises:
        NotAvailable: It is not there.
    """
    table = expanded(path).absolute()
    if not table.is_file():
        what = "is no file" if table.exists() else "does not exist"
        raise NotAvailable(f"the table {table} {what}; put it there or set {option} to where it is")
    return table


def at_most(problems: Iterable[Problem], what: str = "rows") -> list[Problem]:
    """The first problems, and how many more there are."""
    known = list(problems)
    if len(known) > MOST:
        known[MOST:] = [Problem(f"and {len(known) - MOST} more such {what}")]
    return known


def nfc(text: str) -> str:
    """Unicode's composed form, whichever the disk has."""
    return unicodedata.normalize("NFC", text)
