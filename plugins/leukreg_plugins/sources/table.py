"""A table of images: CSV or Parquet."""

from __future__ import annotations

import difflib
import json
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, get_args

from leukreg import (
    BrokenImage,
    Lineage,
    NotAvailable,
    Origin,
    PassedOver,
    Problem,
    Problems,
    Sample,
    Samples,
    as_cell,
    expanded,
    from_cell,
    plugin,
    read_table,
    same_but_for_form,
)

if TYPE_CHECKING:
    import pandas as pd


@plugin("table")
class TableFile:
    """A CSV or Parquet table with one image per row: path, label, patient, split.

    A table that has the columns "origin" and "generator", as `leukreg synthesize` writes it, says
    which images are synthetic and where they come from; they stay synthetic for the audit.
    """

    path: str
    """The table, .csv, .tsv or .parquet; relative to the working directory, ~ expanded."""
    images: str | None = None
    """The folder that relative image paths start from; by default the table's own."""
    path_column: str = "path"
    """Column with the image files."""
    label_column: str = "label"
    """Column with the classes."""
    patient_column: str | None = None
    """Column with patient ids, empty where unknown; by default "patient" if the table has it."""
    split_column: str | None = None
    """Column with train, validation or test; by default "split" if the table has it."""
    classes: dict[str, tuple[str, ...]] | None = None
    """Class name to the labels that make it up; by default every label is a class. Rows with
    labels that are not named are left out."""

    def ready(self) -> None:
        """Raises NotAvailable when the table is not there."""
        table = self._table()
        if not table.is_file():
            what = "is no file" if table.exists() else "does not exist"
            raise NotAvailable(
                f"the table {table} {what}; put it there or set data.path to where it is"
            )

    def build(self) -> Samples:
        """Read the table; images are looked for, not decoded.

        Raises:
            NotAvailable: The table is not there.
            DataError: It cannot be read as a table.
            Problems: Columns are missing, or rows are wrong: all of them at once.
        """

        self.ready()
        table = self._table()
        base = expanded(self.images).absolute() if self.images else table.parent
        columns = {
            "path": self.path_column,
            "label": self.label_column,
            "patient": self.patient_column,
            "split": self.split_column,
        }
        samples, problems = read_rows(table, base, columns, self.classes)
        if problems:
            raise Problems(problems)
        return samples

    def _table(self) -> Path:
        return expanded(self.path).absolute()


MOST = 50
"""Wrong rows named one by one; more are counted."""
OPTIONAL = ("patient", "split")


def read_rows(
    table: Path,
    base: Path,
    columns: Mapping[str, str | None],
    classes: Mapping[str, Sequence[str]] | None,
) -> tuple[Samples, list[Problem]]:
    """The samples of a table, and what is wrong with it.

    Args:
        table: CSV, TSV or Parquet.
        base: Where relative image paths start.
        columns: Column name of path, label, patient and split; None for the usual name of one that
            need not be there.
        classes: Class name to its labels, or None.

    Raises:
        DataError: The file cannot be read as a table.
    """
    frame = read_table(table)
    assumed = tuple(f"{table.name}: {how}" for how in frame.attrs.get("assumed", ()))
    head = int(frame.attrs.get("head_line", 1))
    named, problems = _columns(table, frame, columns)
    if problems:
        return Samples(rows=(), classes=()), problems
    more = lineage_columns([str(name) for name in frame.columns], named)
    read = own_text if more else str  # what other people write with a backslash is a path
    named |= more
    cells = {key: [read(text.strip()) for text in frame[name]] for key, name in named.items()}
    to_class = {_nfc(label): name for name, own in (classes or {}).items() for label in own}
    rows: list[Sample] = []
    first: dict[str, tuple[int, Sample]] = {}
    left: dict[str, list[str]] = {}
    missing: list[Problem] = []
    for index in range(len(frame)):
        cell = {key: _nfc(values[index]) for key, values in cells.items()}
        if not any(cell.values()):
            continue  # an empty line
        where = _where(table, index, head)
        faults = [*_faults(cell), *lineage_faults(cell)]
        wanted = classes is None or cell["label"] in to_class
        if faults or not wanted:
            problems += [Problem(fault, where) for fault in faults]
            if not faults:
                left.setdefault(cell["label"], []).append(cell["path"])
            continue
        path = _locate(base, cell["path"])
        if path is None:
            there = base / cell["path"]
            what = f"{there} is no file" if there.exists() else f"there is no file {there}"
            missing.append(Problem(what, where))
            continue
        row = _sample(cell, path, base, to_class)
        before, known = first.setdefault(row.id, (index, row))
        if known != row:
            problems.append(
                Problem(f"contradicts {_where(table, before, head)} on {row.id!r}", where)
            )
        rows.append(row)
    problems += _unknown(table, classes, {_nfc(label) for label in cells["label"]})
    names = tuple(classes) if classes else tuple(sorted({row.label for row in rows}))
    passed = tuple(_passed(label, paths, to_class) for label, paths in sorted(left.items()))
    if problems or not rows:  # a table without one file of its own lies in the wrong place
        problems += missing
        missing = []
    broken = tuple(BrokenImage(path=str(one.where), reason=one.message) for one in missing)
    listed = Samples(rows=tuple(rows), classes=names, broken=broken, passed=passed, assumed=assumed)
    return listed, _shortened(problems)


def _passed(label: str, paths: Sequence[str], named: Iterable[str]) -> PassedOver:
    """Rows of a label that no class names; one that is written nearly as another may be meant."""
    near = next((name for name in named if same_but_for_form(name, label)), None)
    return PassedOver(
        what=f"label {label!r}",
        files=len(paths),
        example=min(paths),
        reason="no class names this label" + (f", only {near!r}" if near else ""),
        images=True,
    )


def _columns(
    table: Path, frame: pd.DataFrame, columns: Mapping[str, str | None]
) -> tuple[dict[str, str], list[Problem]]:
    there = [str(name) for name in frame.columns]
    named: dict[str, str] = {}
    problems = []
    for key, stated in columns.items():
        name = stated or key
        if name in there:
            named[key] = name
        elif stated or key not in OPTIONAL:
            close = difflib.get_close_matches(name, there, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(there)}"
            problems.append(
                Problem(f"there is no column {name!r} ({key}_column); {hint}", str(table))
            )
    return named, problems


def _faults(cell: Mapping[str, str]) -> list[str]:
    faults = [f"the {key} is empty" for key in ("path", "label") if not cell[key]]
    side = cell.get("split", "")
    if side and side.lower() not in SIDES:
        faults.append(f"split {side!r} is none of {', '.join(get_args(Side))}")
    return faults


def _locate(base: Path, text: str) -> Path | None:
    """The image file, whichever Unicode form and separator the disk has its name in."""
    for form in (text, unicodedata.normalize("NFD", text), text.replace("\\", "/")):
        path = base / expanded(form)
        try:
            if path.is_file():
                return path
        except (OSError, ValueError):  # too long, or a null byte
            continue
    return None


def _sample(cell: Mapping[str, str], path: Path, base: Path, to_class: Mapping[str, str]) -> Sample:
    below = PurePosixPath(path.relative_to(base).as_posix() if path.is_relative_to(base) else path)
    split = cell.get("split", "")
    return Sample(
        id=_nfc(str(below).lstrip("/").replace("\\", "/")),
        path=str(path),
        label=to_class.get(cell["label"], cell["label"]),
        patient=cell.get("patient") or None,
        split=SIDES[split.lower()] if split else None,
        **origin_of(cell),
    )


def _unknown(
    table: Path, classes: Mapping[str, Sequence[str]] | None, labels: set[str]
) -> list[Problem]:
    problems = []
    for label in (label for own in (classes or {}).values() for label in own):
        if _nfc(label) not in labels:
            close = difflib.get_close_matches(label, labels, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            problems.append(Problem(f"no row has the label {label!r} of classes{hint}", str(table)))
    return problems


def _shortened(problems: list[Problem]) -> list[Problem]:
    if len(problems) <= MOST:
        return problems
    return [*problems[:MOST], Problem(f"and {len(problems) - MOST} more such rows")]


def _where(table: Path, index: int, head: int) -> str:
    if table.suffix.lower() in (".parquet", ".pq"):
        return f"{table} row {index}"
    return f"{table}:{index + head + 1}"


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


SIGN = ("origin", "generator")
"""Columns that make a table one that knows of synthetic images; either alone may mean anything."""
LINEAGE = ("seed", "fold", "parent", "parent_label", "snapshot", "condition")


def lineage_columns(there: Sequence[str], taken: Mapping[str, str]) -> dict[str, str]:
    """The columns of origin and lineage, by key; empty where the table does not know of them.

    Args:
        taken: Columns that mean something else already.
    """
    free = [name for name in there if name not in taken.values()]
    if not all(name in free for name in SIGN):
        return {}
    return {name: name for name in (*SIGN, *LINEAGE) if name in free}


def own_text(cell: str) -> str:
    """The text of a cell of a table that leukreg made; one that it would not write stays."""
    try:
        text = from_cell(cell)
    except ValueError:
        return cell
    return text if as_cell(text) == cell else cell


def lineage_faults(cell: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with a row's origin and lineage."""
    origin = cell.get("origin", "")
    if origin and origin not in get_args(Origin):
        yield f"origin {origin!r} is none of {', '.join(get_args(Origin))}"
    if (origin == "synthetic") != bool(cell.get("generator")):
        yield "a synthetic image names its generator, and no other image does"
        return
    if origin != "synthetic":
        return
    for key in ("seed", "fold"):
        if (text := cell.get(key, "")) and not text.lstrip("-").isdecimal():
            yield f"the {key} {text!r} is no whole number"
    if not isinstance(_condition(cell), dict):
        yield f"the condition {cell['condition']!r} is no table in JSON"


def origin_of(cell: Mapping[str, str]) -> dict[str, Any]:
    """Origin and lineage of a sample, as its fields; empty for one that says nothing."""
    origin = cell.get("origin", "")
    if origin != "synthetic":
        return {"origin": origin} if origin else {}
    lineage = Lineage(
        generator=cell["generator"],
        seed=int(cell.get("seed") or 0),
        fold=int(cell["fold"]) if cell.get("fold") else None,
        parent=cell.get("parent") or None,
        parent_label=cell.get("parent_label") or None,
        snapshot=cell.get("snapshot") or None,
        condition={str(key): str(value) for key, value in _condition(cell).items()},
    )
    return {"origin": origin, "lineage": lineage}


def _condition(cell: Mapping[str, str]) -> Any:
    try:
        return json.loads(cell.get("condition") or "{}")
    except ValueError:
        return None


Side = Literal["train", "validation", "test"]

SIDES: dict[str, Side] = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
