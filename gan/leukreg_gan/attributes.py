"""Classes by their attributes: tables of them, joined on the names of the training images' files.

Each image is told its attributes and not its class, so that a class that no image shows can be
described by a combination of attributes that images do show.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from leukreg import (
    DataError,
    Images,
    ImageSpec,
    Labels,
    Progress,
    derive,
    did_you_mean,
    read_table,
)
from leukreg_gan.class_sources import Attributes, Described, refuse, unknown_classes
from leukreg_gan.conditions import (
    COMBINATION,
    UNSAID,
    Conditions,
    Draw,
    Group,
    Part,
    Plan,
    class_indices,
    count,
    encode,
    no_donors,
)

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

BESIDE = frozenset({"class", "label", "path", "patient", "split"})
"""Columns that are no attributes unless a recipe names them: what else leukreg's tables hold."""
RESERVED = ("class", "way", COMBINATION)
"""What an image's lineage says beside its attributes."""
MOST = 100
"""Values that an attribute may have; a column with more is something else."""
SHOWN = 5
"""Mistakes of one kind that are named; more are counted."""
TRIED = 2000
"""Draws by which it is found out how often a description combines what no image combines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributed:
    """Training rows and the values of their attributes."""

    groups: tuple[Group, ...]
    """One per attribute, with the values that training rows have: no others can be learned."""
    rows: tuple[int, ...]
    """The training rows with at least one attribute, in rising order."""
    codes: NDArray[np.int64]
    """Shape ``(len(rows), number of groups)``; :data:`UNSAID` where a cell is empty."""


def conditions_by_attributes(
    options: Attributes, images: Images, labels: Labels, image: ImageSpec,
    targets: Sequence[str] | None, progress: Progress,
) -> Conditions:  # fmt: skip
    """Each image is told its attributes and not its class; a class is a choice of attributes.

    Images without attributes are left out: told nothing, they would teach the generator cells that
    no description asks for, at the cost of those that some description does.
    """
    with progress.task("Reading attributes"):
        found, faults = read_attributes(options, images)
    of = class_indices(images, labels)
    kept = of[list(found.rows)]
    by_class = {n: found.codes[kept == at] for at, n in enumerate(labels.names) if at in kept}
    faults += unknown_classes(options.describe, labels.names, "described")
    if found.groups:
        faults += _faults_of_descriptions(options.describe, found.groups)
        empty = [name for name, n in count(of, labels).items() if not n]
        faults += [
            f"{'no training image' if name in empty else 'no training image with attributes'} "
            f"shows class {name!r}, and it is not described; say what it looks like in "
            f"attributes.describe.{name}; the attributes are "
            f"{', '.join(group.name for group in found.groups)}"
            for name in targets or empty
            if name not in by_class and name not in options.describe
        ]
    refuse(faults)
    plan = plan_of(labels.names, found, by_class, options.describe)
    return Conditions(
        plan=plan,
        rows=found.rows,
        vectors=encode(found.groups, found.codes),
        labels=kept,
        donors=no_donors(image),
        notes=(
            *_notes_on_rows(found, of, labels),
            *(_strangeness(plan, label, by_class) for label in options.describe),
        ),
    )


def read_attributes(options: Attributes, images: Images) -> tuple[Attributed, list[str]]:
    """The attributes of the training images, ``images``, and what is wrong with them, in words.

    Table rows of other images (those that are tested on, say) are passed over: no value is known
    from them.

    Raises:
        NotAvailable: A table is not there.
        DataError: A file cannot be read as a table.
    """
    options.ready()
    nothing = Attributed(groups=(), rows=(), codes=np.empty((0, 0), np.int64))
    lines, columns, faults = _read_lines(options)
    if faults:
        return nothing, faults
    values, faults = _join(lines, images)
    known = {row: values[row] for row in sorted(values) if any(values[row])}
    if not known:
        faults.append(_nothing_joined(lines, options, images))
    groups = tuple(
        Group(name=name, values=tuple(sorted({cells[at] for cells in known.values()} - {""})))
        for at, name in enumerate(columns)
    )
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
    position = [{value: code for code, value in enumerate(group.values)} for group in groups]
    codes = [
        [own.get(cell, UNSAID) for own, cell in zip(position, cells, strict=True)]
        for cells in known.values()
    ]
    return Attributed(groups=groups, rows=tuple(known), codes=np.array(codes, np.int64)), []


# Tables, as they are on disk: one row per image, every cell a text.


@dataclass(frozen=True, slots=True)
class AttributeRow:
    """One row of a table."""

    name: str
    """Of the image file, as the key column has it."""
    values: tuple[str, ...]
    """In the order of the columns; empty where nothing is said."""
    where: str


def _read_lines(options: Attributes) -> tuple[list[AttributeRow], Sequence[str], list[str]]:
    """The rows of all tables, the attributes' columns, and what is wrong with them, in words.

    Unless columns are stated, every one of the first table but the key and those in :data:`BESIDE`.
    """
    frames = [(path, _read(path)) for path in options.files()]
    key, first = options.key, frames[0]
    named = [str(c) for c in first[1].columns]
    columns = options.columns or tuple(c for c in named if c and c != key and c not in BESIDE)
    faults = [
        f"{path} has no {what} {name!r}; {did_you_mean(name, map(str, frame.columns))}"
        for path, frame in frames
        for what, name in [("key", key), *(("column", name) for name in columns)]
        if name not in frame.columns
    ]
    if not columns:
        faults.append(f"{first[0]} has no column of attributes beside the key {key!r}")
    reserved = [
        f"the column {name!r} cannot be an attribute: an image's lineage says something else by "
        "that name; rename it"
        for name in columns
        if name in RESERVED
    ]
    if faults:
        return [], columns, faults + reserved
    lines = [
        AttributeRow(_clean(name), tuple(map(_clean, cells)), f"{path} row {number}")
        for path, frame in frames
        for number, (name, *cells) in enumerate(frame[[key, *columns]].to_numpy().tolist(), 1)
        if name.strip()
    ]
    return lines, columns, reserved


def _read(path: Path) -> pd.DataFrame:
    try:
        return read_table(path)
    except DataError as error:
        raise DataError(f"synthesis.attributes.table: {error}") from None


def assumed(tables: Sequence[Path]) -> tuple[str, ...]:
    """How tables were read that do not say so themselves; one that cannot be read is told later."""
    found: list[str] = []
    for path in tables:
        with suppress(DataError):
            found += (f"{path.name}: {how}" for how in read_table(path).attrs.get("assumed", ()))
    return tuple(found)


def _clean(text: str) -> str:
    return unicodedata.normalize("NFC", text.strip())


def _join(
    lines: Sequence[AttributeRow], images: Images
) -> tuple[dict[int, tuple[str, ...]], list[str]]:
    """Values by training row."""
    places: dict[str, list[tuple[tuple[str, ...], int]]] = {}
    for row, sample in enumerate(images.samples.rows):
        parts = PurePosixPath(sample.id).parts
        places.setdefault(parts[-1], []).append((parts, row))
    found: dict[int, AttributeRow] = {}
    vague, contradictions = [], []
    for line in lines:
        named = PurePosixPath(line.name.replace("\\", "/")).parts
        # Either may have more folders than the other: one path must be the end of the other.
        here = [
            (parts, row)
            for parts, row in places.get("".join(named[-1:]), ())
            if all(a == b for a, b in zip(reversed(parts), reversed(named), strict=False))
        ]
        if len({parts for parts, _ in here}) > 1:
            vague.append(f"{line.where}: {line.name!r}")
            continue
        for _, row in here:
            before = found.setdefault(row, line)
            if before.values != line.values:
                contradictions.append(f"{line.where} against {before.where} on {line.name!r}")
    faults = _some(
        vague, "names that fit several training images; name a key column with folders, too"
    )
    faults += _some(contradictions, "rows that contradict each other")
    return {row: line.values for row, line in found.items()}, faults


def _some(items: Sequence[str], what: str) -> list[str]:
    if not items:
        return []
    more = f"; and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return [f"{what}: {'; '.join(items[:SHOWN])}{more}"]


def _nothing_joined(lines: Sequence[AttributeRow], options: Attributes, images: Images) -> str:
    if not lines:
        return "the table has no rows"
    return (
        f"no training image stands in the table: column {options.key!r} has names such as "
        f"{lines[0].name!r}, the images are called such as "
        f"{PurePosixPath(images.samples.rows[0].id).name!r}"
    )


def _notes_on_rows(found: Attributed, of: NDArray[np.int64], labels: Labels) -> tuple[str, ...]:
    """What a report must say of training rows left out, and of empty cells."""
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


# How classes are drawn: as their images are, or as they are described.


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
    return (*parts, *(as_in_images(codes, codes, rest) if rest else ()))


def as_in_images(
    own: NDArray[np.int64], codes: NDArray[np.int64], groups: Sequence[int] | None = None
) -> tuple[Part, ...]:
    """Conditions of a class as its training images, ``own``, have them.

    These groups (all, by default) are drawn together from the rows that say them all, else each by
    itself. An attribute that none of them says is drawn as all training images, ``codes``, have it;
    both have the shape ``(rows, groups)``.
    """
    groups = range(codes.shape[1]) if groups is None else groups
    chosen = own[:, list(groups)]
    complete = chosen[(chosen != UNSAID).all(axis=1)]
    if not len(complete) and len(groups) > 1:
        return tuple(part for group in groups for part in as_in_images(own, codes, [group]))
    if not len(complete):
        return as_in_images(codes, codes, groups)
    counts = Counter(tuple(row) for row in complete.tolist())
    found = sorted(counts)
    weights = tuple(float(counts[row]) for row in found)
    return (Part(groups=tuple(groups), codes=tuple(found), weights=weights),)


def weighed(value: Described) -> dict[str, float]:
    """Value and weight, of whatever a recipe may say."""
    if isinstance(value, str):
        return {value: 1.0}
    if isinstance(value, Mapping):
        return dict(value)
    return {each: float(count) for each, count in Counter(value).items()}


def _faults_of_descriptions(
    describe: Mapping[str, Mapping[str, Described]], groups: Sequence[Group]
) -> list[str]:
    """What is wrong with descriptions, given the values that training images have."""
    known = {group.name: group.values for group in groups}
    faults = []
    for label, described in describe.items():
        if not described:
            faults.append(f"attributes.describe.{label} says nothing; there are {', '.join(known)}")
        for name, value in described.items():
            where = f"attributes.describe.{label}.{name}"
            if name not in known:
                faults.append(f"{where}: there is no such attribute; {did_you_mean(name, known)}")
                continue
            seen = known[name]
            if not weighed(value):
                faults.append(f"{where} names no value; seen in training: {', '.join(seen)}")
            there = f"seen in training: {', '.join(seen)}"
            faults += [
                f"{where}: no training image has {each!r}; {did_you_mean(each, seen, there)}"
                for each in weighed(value)
                if each not in seen
            ]
    return faults


def _strangeness(plan: Plan, label: str, by_class: Mapping[str, NDArray[np.int64]]) -> str:
    """How much of a described class is new, how new, and which seen classes the rest looks like."""
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
            apart += [int((known != np.array(row)).sum(axis=1).min())] * times
    text = (
        f"{label}: {len(apart) / TRIED:.0%} of its draws combine attributes as no training image "
        "does"
    )
    if apart:
        text += f", and differ from the nearest by {np.mean(apart):.1f} of {len(plan.groups)}"
    rest = ", ".join(f"{name} {n / TRIED:.0%}" for name, n in likeness.most_common())
    return f"{text}; the others do as images of {rest}" if rest else text
