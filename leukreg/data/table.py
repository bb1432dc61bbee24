"""Tables that people bring: CSV, TSV or Parquet, every cell as the text it is."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from leukreg.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 5
"""Lines of a wrong length that are named; more are counted."""


def read_table(path: Path) -> pd.DataFrame:
    """The table with every cell a text; "" where a cell is empty. "NA" and "nil" are texts.

    Rows are numbered from 0, empty lines counted.

    Raises:
        DataError: It cannot be read as a table; a line has more or fewer cells than the header, so
            that a cell may stand under another's name; a quote is left open, so that it would
            swallow the lines below; or two columns have one name.
    """
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            return _parquet(path)
        return _separated(path, "\t" if path.suffix.lower() == ".tsv" else ",")
    except (ValueError, OSError) as error:  # pyarrow's own errors are ValueErrors
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path} cannot be read as a table: {reason}") from error


def _parquet(path: Path) -> pd.DataFrame:
    import pandas as pd

    frame = pd.read_parquet(path)
    return pd.DataFrame({str(name): frame[name].map(_text) for name in frame.columns}, dtype=object)


def _separated(path: Path, separator: str) -> pd.DataFrame:
    import pandas as pd

    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=separator, strict=True)
        rows, ends = [], []
        try:
            for row in reader:
                rows.append(row)
                ends.append(reader.line_num)
        except csv.Error as error:
            raise ValueError(_quotes(error, ends[-1] + 1 if ends else 1)) from error
    if not rows or not any(rows[0]):
        raise ValueError("it has no header, a first line with the names of the columns")
    header, *rows = rows
    _refuse_twice(header)
    _refuse_ragged(rows, ends[1:], len(header))
    full = [row or [""] * len(header) for row in rows]
    return pd.DataFrame(full, columns=header, dtype=object)


def _quotes(error: csv.Error, line: int) -> str:
    return (
        f"the row that begins in line {line} has quotes that do not fit ({error}): a quoted cell "
        'ends where a quote stands before a separator, and a quote inside it is written ""'
    )


def _refuse_twice(header: Sequence[str]) -> None:
    twice = [name for name, n in Counter(header).items() if n > 1 and name]
    if twice:
        raise ValueError(f"several columns are called {', '.join(map(repr, twice))}")


def _refuse_ragged(rows: Sequence[Sequence[str]], ends: Sequence[int], columns: int) -> None:
    wrong = [
        f"line {end} has {len(row)}"
        for row, end in zip(rows, ends, strict=True)
        if row and len(row) != columns
    ]
    if wrong:
        more = f", and {len(wrong) - SHOWN} lines more" if len(wrong) > SHOWN else ""
        raise ValueError(
            f"its header has {columns} cells, but {', '.join(wrong[:SHOWN])}{more}; put texts with "
            "a separator in them into quotes"
        )


def _text(value: object) -> str:
    import pandas as pd

    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # a column of whole numbers with gaps
    return str(value)
