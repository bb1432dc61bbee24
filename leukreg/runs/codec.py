"""Values of a run as files: JSON and CSV made from a dataclass's annotations, and read back.

Text in CSV cells comes back as it was, None too: that is an empty cell, for the others see
:func:`leukreg.text.as_cell`. Each row is one line. What is damaged is said with the file's name.
"""

from __future__ import annotations

import csv
import functools
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from leukreg.errors import RunError
from leukreg.files import ERRORS, OF_RUN, digest_of, read_file, write_text
from leukreg.text import as_cell, csv_text, from_cell

T = TypeVar("T")


def damaged(path: Path, reason: str) -> RunError:
    return RunError(f"{path} is damaged: {reason}; {OF_RUN}")


def read_text(path: Path) -> str:
    """The text of a file.

    Raises:
        RunError: It is missing, damaged or cannot be read, naming the file.
    """
    try:
        return read_file(path, OF_RUN).decode("utf-8", ERRORS)
    except UnicodeDecodeError as error:
        raise damaged(path, str(error)) from error


def write_json(path: Path, data: Any, listed: bool = False) -> None:
    """Write plain data or dataclasses; tuples become lists, anything foreign its text."""
    text = json.dumps(plain(data), ensure_ascii=False, indent=1, default=_foreign)
    write_text(path, text + "\n", listed)


DIGEST = "digest"
"""Key of the digest of a file's other keys, where the file changes after all were listed."""


def with_digest(data: Mapping[str, Any]) -> dict[str, Any]:
    """A table that vouches for itself, for what :func:`read_with_digest` reads."""
    return {**data, DIGEST: digest_of(json.dumps(data, sort_keys=True, default=_foreign).encode())}


def read_with_digest(path: Path) -> tuple[Any, bool | None]:
    """What stands in such a file, and whether it is as it was written; None: it has no digest.

    Raises:
        RunError: It is missing, no JSON or cannot be read, naming the file.
    """
    data = read_json(path)
    noted = data.pop(DIGEST, None) if isinstance(data, dict) else None
    return data, None if noted is None else noted == with_digest(data)[DIGEST]


def plain(value: Any) -> Any:
    """Dataclasses as dictionaries, under the names that they have in files."""
    if is_dataclass(value) and not isinstance(value, type):
        return _adapter(type(value)).dump_python(value, by_alias=True, warnings=False)
    return [plain(one) for one in value] if isinstance(value, tuple) else value


def _foreign(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    if hasattr(value, "tolist"):  # a numpy number or array
        return value.tolist()
    return dict(value.items()) if hasattr(value, "items") else str(value)


def read_json(path: Path) -> Any:
    """Plain data of a JSON file.

    Raises:
        RunError: It is missing, damaged or no JSON, naming the file.
    """
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise damaged(path, f"no JSON ({error})") from error


def parse(path: Path, shape: type[T]) -> T:
    """The data of a JSON file as a value of our types; what these do not know is passed over.

    Raises:
        RunError: The file is missing, is no JSON, or has another shape.
    """
    return checked(path, read_json(path), shape)


def checked(path: Path, data: Any, shape: type[T]) -> T:
    try:
        found: T = _adapter(shape).validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise damaged(path, f"{place}: {first['msg']}") from error
    return found


_adapter: Callable[[Any], TypeAdapter[Any]] = functools.cache(TypeAdapter)


def write_rows(path: Path, shape: type[T], rows: Iterable[T], numbered: str = "") -> None:
    """A table with a row for each value; a field that is a dataclass spreads over columns.

    Args:
        numbered: Name of a first column that numbers the rows from 0.
    """
    lines = (
        [*[str(place)] * bool(numbered), *_cells(shape, row)] for place, row in enumerate(rows)
    )
    write_table(path, [*[numbered] * bool(numbered), *_names(shape)], lines)


def read_rows(path: Path, shape: type[T], numbered: str = "") -> tuple[T, ...]:
    """The values back; a column that the file lacks has its field's default.

    Raises:
        RunError: The file is missing or damaged, or a cell is none of its field; with its line.
    """
    needed = [*[numbered] * bool(numbered), *_names(shape, all_of_them=False)]
    header, lines = read_table(path, needed)
    found = []
    for number, line in enumerate(lines, start=2):
        try:
            cells = dict(zip(header, line, strict=True))
            if numbered and int(cells[numbered]) != number - 2:
                raise ValueError(f"row {cells[numbered]} stands where row {number - 2} should")
            found.append(_row(shape, cells))
        except (ValueError, TypeError, RecursionError) as error:
            raise damaged(path, f"line {number}: {error}") from error
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Column:
    """A field of a row: a cell, or, where it is a dataclass, a cell for each field of that."""

    name: str
    inner: Any
    """That dataclass; None for a cell."""
    write: Callable[[Any], str]
    read: Callable[[str], Any]
    optional: bool


def _made_columns(shape: Any) -> tuple[_Column, ...]:
    hints, found = get_type_hints(shape), []
    for field in fields(shape):
        kind = hints[field.name]
        inner = next((one for one in (kind, *get_args(kind)) if is_dataclass(one)), None)
        write, read = _cell_of(field.name, str if inner else kind)
        found.append(_Column(field.name, inner, write, read, field.default is not MISSING))
    return tuple(found)


_columns: Callable[[Any], tuple[_Column, ...]] = functools.cache(_made_columns)


def _names(shape: Any, all_of_them: bool = True) -> list[str]:
    """The header of a table of these rows, or those columns that it cannot do without."""
    columns = [column for column in _columns(shape) if all_of_them or not column.optional]
    return [name for one in columns for name in (_names(one.inner) if one.inner else [one.name])]


def _cells(shape: Any, row: Any) -> Iterator[str]:
    """All empty where there is none."""
    for column in _columns(shape):
        value = None if row is None else getattr(row, column.name)
        if column.inner:
            yield from _cells(column.inner, value)
        else:
            yield "" if row is None else column.write(value)


def _row(shape: Any, cells: Mapping[str, str]) -> Any:
    values = {}
    for column in _columns(shape):
        if not column.inner and column.name in cells:
            values[column.name] = column.read(cells[column.name])
        elif column.inner and cells.get(_names(column.inner)[0]):
            values[column.name] = _row(column.inner, cells)
    return shape(**values)


def _cell_of(name: str, kind: Any) -> tuple[Callable[[Any], str], Callable[[str], Any]]:
    """How a value of this type is written in a cell, and read."""
    args = [one for one in get_args(kind) if one is not type(None)]
    if type(None) in get_args(kind):
        write, read = _cell_of(name, args[0])
        return (
            lambda value: "" if value is None else write(value),
            lambda text: None if text == "" else read(text),
        )
    if get_origin(kind) is Literal:
        return cell, lambda text: _one_of(name, args, text)
    if get_origin(kind) is tuple:  # of numbers, as many as it says, or any number with ...
        one, parse = (str, _integer) if args[0] is int else (number, float)
        length = None if Ellipsis in args else len(args)
        return lambda value: " ".join(map(one, value)), lambda text: _numbers(text, parse, length)
    if get_origin(kind) is not None:  # a mapping
        return (
            lambda value: json.dumps(dict(value)) if value else "",
            lambda text: json.loads(text) if text else {},
        )
    codecs = {str: (cell, sure), int: (str, _integer), float: (number, float)}
    return codecs[kind]  # type: ignore[return-value]


def _one_of(name: str, known: Sequence[str], text: str) -> str:
    if text not in known:
        raise ValueError(f"no {name} of those there are ({', '.join(known)}): {text!r}")
    return text


def _numbers(text: str, parse: Callable[[str], float], length: int | None) -> tuple[float, ...]:
    found = tuple(map(parse, text.split()))
    if length not in (None, len(found)):
        raise ValueError(f"not {length} numbers: {text!r}")
    return found


def _integer(text: str) -> int:
    if text != str(int(text)):
        raise ValueError(f"no number: {text!r}")
    return int(text)


def cell(text: str | None) -> str:
    return "" if text is None else as_cell(text)


def text(value: str) -> str | None:
    return None if value == "" else from_cell(value)


def sure(value: str) -> str:
    """The text of a cell that must not be empty."""
    if value == "":
        raise ValueError("a cell is empty")
    return from_cell(value)


def number(value: float) -> str:
    """A float with all its digits: reading gives the same bits."""
    return repr(float(value))


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    write_text(path, csv_text([header, *rows]), listed=True)


def read_table(path: Path, header: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """The header, which has all of ``header``, and the rows of a table.

    Raises:
        RunError: The file is missing, cut off or lacks a column.
    """
    content = read_text(path)
    if not content.endswith("\n"):
        raise damaged(path, "the last line is cut off")
    try:
        lines = list(csv.reader(io.StringIO(content, newline=""), strict=True))
    except csv.Error as error:
        raise damaged(path, f"no CSV ({error})") from error
    found = lines[0] if lines else []
    if not {*header} <= {*found}:
        raise damaged(path, f"columns are {found}, not {list(header)}")
    for place, line in enumerate(lines[1:], start=2):
        if len(line) != len(found):
            raise damaged(path, f"line {place} has {len(line)} cells, not {len(found)}")
    return found, lines[1:]
