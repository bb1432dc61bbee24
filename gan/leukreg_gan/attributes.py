"""Attributes of the training images: tables of them, joined on the names of the image files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from leukreg import Images, Labels
from leukreg_gan.classes import count
from leukreg_gan.plan import COMBINATION, UNSAID, Group
from leukreg_gan.tables import Line, Listed, read_tables
from leukreg_gan.ways import Attributes

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST = 100
"""Values that an attribute may have; a column with more is something else."""
SHOWN = 5
"""Mistakes of one kind that are named; more are counted."""
RESERVED = ("class", "way", COMBINATION)
"""What an image's lineage says beside its attributes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributed:
    """Training rows and the values of their attributes."""

    groups: tuple[Group, ...]
    """One per attribute, with the values that training rows have: no others can be learned."""
    rows: tuple[int, ...]
    """The training rows with at least one attribute, in rising order."""
    codes: NDArray[np.int64]
    """Shape ``(len(rows), number of groups)``; :data:`UNSAID` where a cell is empty."""


def read_attributes(options: Attributes, images: Images) -> tuple[Attributed, list[str]]:
    """The attributes of the training images, ``images``, and what is wrong with them, in words.

    Table rows of other images (those that are tested on, say) are passed over: no value is known
    from them.

    Raises:
        NotAvailable: A table is not there.
        DataError: A file cannot be read as a table.
    """
    options.ready()
    listed, faults = read_tables(options.tables, options.key, options.columns)
    faults += [
        f"the column {name!r} cannot be an attribute: an image's lineage says something else by "
        "that name; rename it"
        for name in listed.columns
        if name in RESERVED
    ]
    nothing = Attributed(groups=(), rows=(), codes=np.empty((0, 0), np.int64))
    if faults:
        return nothing, faults
    values, faults = _join(listed, images)
    known = {row: cells for row, cells in values.items() if any(cells)}
    if not known:
        faults.append(_nothing_joined(listed, options, images))
    groups = _groups(listed.columns, known)
    faults += [
        f"the column {group.name!r} has {len(group.values)} values in training, so it is no "
        "attribute that can be learned; name the attributes in attributes.columns"
        for group in groups
        if len(group.values) > MOST
    ]
    faults += [
        f"the column {group.name!r} is empty for every training image"
        for group in groups
        if known and not group.values
    ]
    if faults:
        return nothing, faults
    rows = tuple(sorted(known))
    return Attributed(groups=groups, rows=rows, codes=_code(groups, [known[r] for r in rows])), []


def notes_on_rows(found: Attributed, of: NDArray[np.int64], labels: Labels) -> tuple[str, ...]:
    """What a report must say of training rows left out, and of empty cells.

    Args:
        of: Class indices of all training rows.
    """
    notes = []
    whole, kept = count(of, labels), count(of[list(found.rows)], labels)
    left = len(of) - len(found.rows)
    if left:
        each = ", ".join(f"{n} {whole[n] - kept[n]}" for n in whole if whole[n] > kept[n])
        notes.append(
            f"{left} of {len(of)} training images have no attributes, and the generator does not "
            f"learn from them: {each}"
        )
    gone = [name for name in whole if whole[name] and not kept[name]]
    if gone:
        notes.append(f"without attributes these classes are not learned: {', '.join(gone)}")
    partial = int((found.codes == UNSAID).any(axis=1).sum())
    if partial:
        notes.append(f"{partial} of {len(found.rows)} images lack some of their attributes")
    return tuple(notes)


def _join(listed: Listed, images: Images) -> tuple[dict[int, tuple[str, ...]], list[str]]:
    """Values by training row."""
    places: dict[str, list[tuple[tuple[str, ...], int]]] = {}
    for row, sample in enumerate(images.samples.rows):
        parts = PurePosixPath(sample.id).parts
        places.setdefault(parts[-1], []).append((parts, row))
    found: dict[int, Line] = {}
    vague, contradictions = [], []
    for line in listed.lines:
        rows = _rows(line, places)
        if rows is None:
            vague.append(f"{line.where}: {line.name!r}")
            continue
        for row in rows:
            before = found.setdefault(row, line)
            if before.values != line.values:
                contradictions.append(f"{line.where} against {before.where} on {line.name!r}")
    faults = _told(
        vague, "names that fit several training images; name a key column with folders, too"
    )
    faults += _told(contradictions, "rows that contradict each other")
    return {row: line.values for row, line in found.items()}, faults


def _rows(
    line: Line, places: Mapping[str, Sequence[tuple[tuple[str, ...], int]]]
) -> list[int] | None:
    """The training rows of the one image that a table row names; None where it may be several."""
    named = PurePosixPath(line.name.replace("\\", "/")).parts
    here = [(parts, row) for parts, row in places.get(named[-1], ()) if _agree(parts, named)]
    several = len({parts for parts, _ in here}) > 1
    return None if several else [row for _, row in here]


def _agree(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether one path is the end of the other."""
    short = min(len(one), len(other))
    return one[-short:] == other[-short:]


def _told(items: Sequence[str], what: str) -> list[str]:
    if not items:
        return []
    more = f"; and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return [f"{what}: {'; '.join(items[:SHOWN])}{more}"]


def _nothing_joined(listed: Listed, options: Attributes, images: Images) -> str:
    rows = images.samples.rows
    if not listed.lines:
        return "the table has no rows"
    return (
        f"no training image stands in the table: column {options.key!r} has names such as "
        f"{listed.lines[0].name!r}, the images are called such as "
        f"{PurePosixPath(rows[0].id).name!r}"
    )


def _groups(columns: Sequence[str], known: Mapping[int, Sequence[str]]) -> tuple[Group, ...]:
    return tuple(
        Group(name=name, values=tuple(sorted({cells[at] for cells in known.values()} - {""})))
        for at, name in enumerate(columns)
    )


def _code(groups: Sequence[Group], cells: Sequence[Sequence[str]]) -> NDArray[np.int64]:
    codes = [{value: code for code, value in enumerate(group.values)} for group in groups]
    return np.array(
        [[own.get(value, UNSAID) for own, value in zip(codes, row, strict=True)] for row in cells],
        np.int64,
    )
