"""Attributes of the training images, read from tables, and classes that are described by them."""

from __future__ import annotations

import difflib
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from leukreg import DataError, Images, Labels, derive, read_table
from leukreg_gan.class_sources import Attributes, Described, count
from leukreg_gan.condition_plan import COMBINATION, UNSAID, Draw, Group, Part, Plan

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


BESIDE = frozenset({"class", "label", "path", "patient", "split"})
"""Columns that are no attributes unless a recipe names them: what else leukreg's tables hold."""


@dataclass(frozen=True, slots=True)
class AttributeRow:
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
    lines: tuple[AttributeRow, ...]


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
                    f"{path} has no {what} {name!r}; {_nearest_column(name, list(frame.columns))}"
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


def _lines(path: Path, frame: pd.DataFrame, key: str, columns: Sequence[str]) -> list[AttributeRow]:
    names = frame[key].tolist()
    cells = zip(*(frame[column].tolist() for column in columns), strict=True)
    return [
        AttributeRow(_clean(name), tuple(_clean(cell) for cell in row), f"{path} row {number}")
        for number, (name, row) in enumerate(zip(names, cells, strict=True), start=1)
        if name.strip()
    ]


def _clean(text: str) -> str:
    return unicodedata.normalize("NFC", text.strip())


def _nearest_column(name: str, there: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, there, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there are {', '.join(there)}"


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
    found: dict[int, AttributeRow] = {}
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
    line: AttributeRow, places: Mapping[str, Sequence[tuple[tuple[str, ...], int]]]
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


TRIED = 2000
"""Draws by which it is found out how often a description combines what no image combines."""


def faults_of(
    describe: Mapping[str, Mapping[str, Described]], groups: Sequence[Group]
) -> list[str]:
    """What is wrong with descriptions, given the values that training images have."""
    known = {group.name: group.values for group in groups}
    faults = []
    for label, as_described in describe.items():
        if not as_described:
            faults.append(f"attributes.describe.{label} says nothing; there are {', '.join(known)}")
        for name, value in as_described.items():
            where = f"attributes.describe.{label}.{name}"
            if name not in known:
                faults.append(
                    f"{where}: there is no such attribute; "
                    f"{_nearest_value(name, known, 'there are')}"
                )
                continue
            weights = weighed(value)
            if not weights:
                faults.append(f"{where} names no value; seen in training: {_all(known[name])}")
            faults += [
                f"{where}: no training image has {each!r}; "
                f"{_nearest_value(each, known[name], 'seen in training')}"
                for each in weights
                if each not in known[name]
            ]
    return faults


def weighed(value: Described) -> dict[str, float]:
    """Value and weight, of whatever a recipe may say."""
    if isinstance(value, str):
        return {value: 1.0}
    if isinstance(value, Mapping):
        return dict(value)
    return {each: float(count) for each, count in Counter(value).items()}


def as_in_images(own: NDArray[np.int64], codes: NDArray[np.int64]) -> tuple[Part, ...]:
    """Conditions of a class as its training images, ``own``, have them.

    An attribute that none of them says is drawn as all training images, ``codes``, have it; both
    have the shape ``(rows, groups)``.
    """
    return _as_in_training(own, codes, range(codes.shape[1]))


def as_described(
    value: Mapping[str, Described], groups: Sequence[Group], codes: NDArray[np.int64]
) -> tuple[Part, ...]:
    """Conditions of a described class: each described attribute by itself, as it is described.

    The others are drawn together, as all training images, ``codes`` ``(n, groups)``, have them.
    """
    parts = []
    for position, group in enumerate(groups):
        if group.name in value:
            weights = weighed(value[group.name])
            own = tuple((group.values.index(each),) for each in weights)
            parts.append(Part(groups=(position,), codes=own, weights=tuple(weights.values())))
    rest = [position for position, group in enumerate(groups) if group.name not in value]
    return (*parts, *(_as_in_training(codes, codes, rest) if rest else ()))


def plan_of(
    names: Sequence[str],
    found: Attributed,
    by_class: Mapping[str, NDArray[np.int64]],
    describe: Mapping[str, Mapping[str, Described]],
) -> Plan:
    """How classes are drawn: described ones as described, others as their images have it.

    Args:
        names: The task's classes.
        by_class: Codes ``(n, groups)`` of the training images of each class that has some.
    """
    draws = {}
    for name in names:
        said = {"way": "attributes", "real images": str(len(by_class.get(name, ())))}
        if name in describe:
            parts = as_described(describe[name], found.groups, found.codes)
            draws[name] = Draw(parts=parts, said=said | {"learned from": "a description"})
        elif name in by_class:
            draws[name] = Draw(parts=as_in_images(by_class[name], found.codes), said=said)
    complete = found.codes[(found.codes != UNSAID).all(axis=1)]
    seen = frozenset(tuple(row) for row in complete.tolist())
    return Plan(groups=found.groups, draws=draws, seen=seen)


def strangeness(plan: Plan, label: str, by_class: Mapping[str, NDArray[np.int64]]) -> str:
    """How much of a described class is new, how new, and which seen classes the rest looks like.

    Args:
        by_class: Codes ``(n, groups)`` of the training images of each class.
    """
    drawn = plan.codes(label, TRIED, np.random.default_rng(derive(0, "strangeness", label)))
    counts = {
        name: Counter(tuple(row) for row in codes.tolist()) for name, codes in by_class.items()
    }
    known = np.unique(np.concatenate(list(by_class.values())), axis=0)
    likeness: Counter[str] = Counter()
    apart = []
    for row, times in Counter(tuple(row) for row in drawn.tolist()).items():
        like = max(counts, key=lambda name: counts[name][row] / counts[name].total())
        if counts[like][row]:
            likeness[like] += times
        else:
            nearest = int((known != np.array(row)).sum(axis=1).min())
            apart += [nearest] * times
    share = f"{len(apart) / TRIED:.0%}"
    text = f"{label}: {share} of its draws combine attributes as no training image does"
    if apart:
        text += f", and differ from the nearest by {np.mean(apart):.1f} of {len(plan.groups)}"
    rest = ", ".join(f"{name} {n / TRIED:.0%}" for name, n in likeness.most_common())
    return f"{text}; the others do as images of {rest}" if rest else text


def _as_in_training(
    own: NDArray[np.int64], codes: NDArray[np.int64], groups: Sequence[int]
) -> tuple[Part, ...]:
    """Draw these groups together from the rows that say them all; else each by itself."""
    chosen = own[:, list(groups)]
    complete = chosen[(chosen != UNSAID).all(axis=1)]
    if not len(complete) and len(groups) > 1:
        return tuple(part for group in groups for part in _as_in_training(own, codes, [group]))
    if not len(complete):
        return _as_in_training(codes, codes, groups)
    counts = Counter(tuple(row) for row in complete.tolist())
    found = sorted(counts)
    weights = tuple(float(counts[row]) for row in found)
    return (Part(groups=tuple(groups), codes=tuple(found), weights=weights),)


def _nearest_value(name: str, there: Sequence[str] | Mapping[str, object], what: str) -> str:
    close = difflib.get_close_matches(name, list(there), n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}{what}: {_all(there)}"


def _all(values: Sequence[str] | Mapping[str, object]) -> str:
    return ", ".join(values) or "none"
