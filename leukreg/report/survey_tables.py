"""A survey of images as sections of text and tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from leukreg.data.listing import alike, said_alike
from leukreg.data.survey import Class, Copies, Survey, cells_per_patient, layout
from leukreg.paths import expanded
from leukreg.section import Section, Table
from leukreg.text import counted, percent
from leukreg.types import PassedOver, Samples

SHOWN = 20
"""Rows of a list; more are counted."""


def sections(found: Survey, path: Path, everything: bool = False) -> Iterator[Section]:
    """What ``leukreg data`` prints: the verdict, classes, broken files, copies."""
    most = None if everything else SHOWN
    yield Section(title="Images", text=tuple(_verdict(found, path)), tables=(_classes(found),))
    if any(row.patient is not None for row in found.samples.rows):
        yield Section(title="Patients", tables=(patients_table(found.samples),))
    if found.broken:
        top = expanded(path).absolute()
        bad = tuple((_below(file.path, top), file.reason) for file in found.broken)
        yield Section(title="Broken files", tables=(_table(("file", "reason"), bad, most),))
    if found.samples.passed:
        yield Section(title="Passed over", tables=(passed_table(found.samples.passed, most),))
    for title, copies, same in (
        ("Exact copies", found.exact, "has the same pixels as"),
        ("Near duplicates", found.near, "looks almost like"),
    ):
        if copies:
            ordered = sorted(copies, key=lambda copy: not copy.crosses)
            rows = tuple(row for copy in ordered for row in _copies(copy))
            columns = ("file", same, "classes")
            yield Section(title=title, tables=(_table(columns, rows, most),))


def _verdict(found: Survey, path: Path) -> Iterator[str]:
    total = len(found.samples)
    classes = "class" if len(found.classes) == 1 else "classes"
    yield f"{counted(total, 'image')} in {len(found.classes)} {classes} in {path}"
    yield from found.samples.assumed
    rows = found.samples.rows
    known = [row.patient for row in rows if row.patient is not None]
    missing = f"; {counted(total - len(known), 'image')} without one" if total > len(known) else ""
    unknown = "patients unknown: a split may put one patient on both sides"
    yield f"{counted(len(set(known)), 'patient')}{missing}" if known else unknown
    if found.listed_twice:
        yield f"! {found.listed_twice:,} rows name a file that another row names too"
    if found.broken:
        yield f"! {counted(len(found.broken), 'broken file')}: listed below"
    meant = sum(one.files for one in found.samples.passed if one.images)
    if meant:
        yield f"! {counted(meant, 'file')} with images, perhaps, passed over: listed below"
    for names in alike(found.samples.classes):
        yield f"! {said_alike(names)}"
    for reading in found.readings:
        yield f"{'! ' * reading.doubtful}{reading}"
    for copies, what in ((found.exact, "exact copies"), (found.near, "near duplicates")):
        yield _copied(copies, what, "patients" if found.samples.weak else "labels")
    empty = [one.name for one in found.classes if not one.images]
    if empty:
        yield f"! no images in {', '.join(empty)}"
    if found.shared:
        yield (
            f"! {counted(len(found.shared), 'patient')} with images in several classes, such as "
            f"{found.shared[0]}: check that ids are unique"
        )


def patients_table(samples: Samples) -> Table:
    """A row for each label of patients, or else class: how many, and how many images they have."""
    lines = []
    for name, each in cells_per_patient(samples).items():
        figures = (each[0], median(each), each[-1]) if each else ()
        cells = [f"{figure:,g}" for figure in figures] or ["-", "-", "-"]
        lines.append((name, f"{len(each):,}", *cells))
    said = "patients' label" if samples.patient_labels else "class"
    caption = "cells have no labels of their own" if samples.weak else ""
    columns = (said, "patients", "fewest images", "median", "most")
    return Table(columns=columns, rows=tuple(lines), caption=caption)


def proposal(path: Path) -> Iterator[Section]:
    """The layout of a folder whose patients are unknown, as lines for a recipe."""
    lines = layout(expanded(path).absolute())
    if lines:
        yield Section(title="Layout", text=(*lines, "to copy below [data], if it is so"))


def passed_table(passed: Sequence[PassedOver], most: int | None = None) -> Table:
    """What was passed over, by kind."""
    rows = tuple((one.what, f"{one.files:,}", one.example, one.reason) for one in passed)
    return _table(("passed over", "files", "such as", "why"), rows, most)


def _copied(copies: Sequence[Copies], what: str, labels: str) -> str:
    if not copies:
        return f"no {what}"
    crossing = sum(copy.crosses for copy in copies)
    if what == "exact copies":
        extra = sum(len(copy.files) - 1 for copy in copies)
        text = "1 file is an exact copy" if extra == 1 else f"{extra:,} files are exact copies"
        text += " of another"
    else:
        text = f"{counted(len(copies), 'pair')} of near duplicates"
    if not crossing:
        return text
    share = f"{crossing:,} of them " if len(copies) > 1 else ""
    return f"! {text}, {share}across classes: one of the {labels} is wrong"


def _classes(found: Survey) -> Table:
    columns = ("class", "images", "share", "patients", "broken", "formats", "sizes", "MB")
    shown = [*found.classes, _sum(found)] if len(found.classes) > 1 else found.classes
    rows = tuple(_class(one, len(found.samples)) for one in shown)
    return Table(columns=columns, rows=rows)


def _class(one: Class, total: int) -> tuple[str, ...]:
    return (
        one.name,
        f"{one.images:,}",
        percent(one.images / total) if total else "-",
        f"{one.patients:,}" if one.patients else "-",
        f"{one.broken:,}" if one.broken else "-",
        _kinds(one.formats, 3),
        _kinds(one.sizes, 2),
        f"{one.bytes / 1e6:,.1f}",
    )


def _kinds(kinds: tuple[tuple[str, int], ...], most: int) -> str:
    if len(kinds) == 1:
        return kinds[0][0]
    parts = [f"{name} ({count:,})" for name, count in kinds[:most]]
    if len(kinds) > most:
        parts.append(f"{len(kinds) - most:,} more")
    return ", ".join(parts) or "-"


def _sum(found: Survey) -> Class:
    classes = found.classes
    return Class(
        name="all",
        images=len(found.samples),
        patients=len({row.patient for row in found.samples.rows} - {None}),
        unassigned=sum(one.unassigned for one in classes),
        broken=sum(one.broken for one in classes),
        formats=_added(one.formats for one in classes),
        sizes=_added(one.sizes for one in classes),
        bytes=sum(one.bytes for one in classes),
    )


def _added(parts: Iterator[tuple[tuple[str, int], ...]]) -> tuple[tuple[str, int], ...]:
    counts: Counter[str] = Counter()
    for part in parts:
        counts.update(dict(part))
    return tuple(counts.most_common())


def _copies(copy: Copies) -> Iterator[tuple[str, ...]]:
    first, *others = copy.files
    for other in others:
        classes = f"{first.label} / {other.label}" if other.label != first.label else "one"
        yield first.id, other.id, classes


def _table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]], most: int | None) -> Table:
    more = 0 if most is None else max(0, len(rows) - most)
    caption = f"and {more:,} more: leukreg data --all" if more else ""
    return Table(columns=columns, rows=tuple(rows[:most]), caption=caption)


def _below(path: str, top: Path) -> str:
    """A path as it reads from the folder that was asked for."""
    return Path(path).relative_to(top).as_posix() if Path(path).is_relative_to(top) else path
