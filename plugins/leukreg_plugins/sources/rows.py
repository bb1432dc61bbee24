"""From a table file to samples; every wrong row is a problem of its own."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, get_args

from leukreg import (
    BrokenImage,
    PassedOver,
    Problem,
    Sample,
    Samples,
    expanded,
    read_table,
    same_but_for_form,
)
from leukreg_plugins.sources.made import lineage_columns, lineage_faults, origin_of, own_text
from leukreg_plugins.sources.sides import SIDES, Side

if TYPE_CHECKING:
    import pandas as pd

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
