"""Tables that people bring: CSV, TSV or Parquet, every cell as the text it is."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from leukreg.errors import DataError
from leukreg.paths import TABLE_BYTES, require_regular

if TYPE_CHECKING:
    import pandas as pd


NAMES = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
_STATED = re.compile(r'"?sep=([,;\t|])"?', re.IGNORECASE)
WORKBOOKS = {b"PK\x03\x04": "an Excel workbook", b"\xd0\xcf\x11\xe0": "an old Excel workbook"}
"""How files begin that spreadsheets write and that are no plain tables."""
SHOWN = 5
"""Lines of a wrong length that are named; more are counted."""


def read_table(path: Path) -> pd.DataFrame:
    """The table with every cell a text; "" where a cell is empty. "NA" and "nil" are texts.

    Rows are numbered from 0, empty lines counted. A text file may be UTF-8 or UTF-16, its cells
    parted by a comma, semicolon, tab or bar; a first line such as ``sep=;`` says so and is no row.
    ``attrs["assumed"]`` holds, in words, what was assumed; ``attrs["head_line"]`` is the number of
    the header's line.

    Raises:
        DataError: It cannot be read as a table; a line has more or fewer cells than the header, so
            that a cell may stand under another's name; a quote is left open, so that it would
            swallow the lines below; or two columns have one name.
    """
    try:
        require_regular(path, TABLE_BYTES)
        if path.suffix.lower() in (".parquet", ".pq"):
            return _parquet(path)
        return _separated(path, "\t" if path.suffix.lower() == ".tsv" else ",")
    except (ValueError, OSError) as error:  # pyarrow's own errors are ValueErrors
        text = getattr(error, "strerror", None) or str(error)
        reason = (text.strip().splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path} cannot be read as a table: {reason}") from error


def _parquet(path: Path) -> pd.DataFrame:
    import pandas as pd

    frame = pd.read_parquet(path)
    return pd.DataFrame({str(name): frame[name].map(_text) for name in frame.columns}, dtype=object)


def _decoded(data: bytes) -> tuple[str, str]:
    """The text, and the encoding where it is not UTF-8."""
    for start, kind in WORKBOOKS.items():
        if data.startswith(start):
            raise ValueError(f'it is {kind}: save it there as "CSV UTF-8", and name that file')
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16"), "UTF-16"
    for place, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(data) > 3 and not any(data[place:200:2]):  # every other byte of the beginning is 0
            return data.decode(name), "UTF-16"
    try:
        return data.decode("utf-8-sig"), ""
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ValueError(
            f"line {line} is neither UTF-8 nor UTF-16; save the table as UTF-8 (in a spreadsheet: "
            '"CSV UTF-8")'
        ) from error


def _separated(path: Path, usual: str) -> pd.DataFrame:
    text, encoding = _decoded(path.read_bytes())
    assumed = [f"it is {encoding}"] if encoding else []
    head, _, rest = text.partition("\n")
    stated = _STATED.fullmatch(head.rstrip("\r"))
    if stated:
        separator, text, skipped = stated[1], rest, 1
        assumed.append(f"its first line, {head.strip()!r}, is no row")
    else:
        # The usual one, or another where only that makes more than one column of the header.
        header = [head.rstrip("\r")]
        found = {sign: len(next(csv.reader(header, delimiter=sign), [])) for sign in NAMES}
        separator = usual if found[usual] > 1 else max(found, key=lambda sign: found[sign])
        skipped = 0
        if separator != usual:
            assumed.append(f"cells are parted by {NAMES[separator]}")
    frame = _rows(text, separator, skipped)
    frame.attrs = {"assumed": assumed, "head_line": 1 + skipped}
    return frame


def _rows(text: str, separator: str, skipped: int) -> pd.DataFrame:
    import pandas as pd

    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows, ends = [], []
    try:
        for row in reader:
            rows.append(row)
            ends.append(reader.line_num + skipped)
    except csv.Error as error:
        raise ValueError(
            f"the row that begins in line {ends[-1] + 1 if ends else 1 + skipped} has quotes that "
            f"do not fit ({error}): a quoted cell ends where a quote stands before a separator, "
            'and a quote inside it is written ""'
        ) from error
    if not rows or not any(rows[0]):
        raise ValueError("it has no header, a first line with the names of the columns")
    header, *rows = rows
    if twice := [name for name, n in Counter(header).items() if n > 1 and name]:
        raise ValueError(f"several columns are called {', '.join(map(repr, twice))}")
    _refuse_ragged(rows, ends[1:], len(header))
    full = [row or [""] * len(header) for row in rows]
    return pd.DataFrame(full, columns=header, dtype=object)


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
