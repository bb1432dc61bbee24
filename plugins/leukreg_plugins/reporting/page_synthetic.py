"""Synthetic cells beside those that were given."""

from __future__ import annotations

from collections import Counter

from leukreg import Picture, RunRecord, Sample

EACH = 6
"""Pictures of a made class, and as many that were given."""
CLASSES = 6


def made(result: RunRecord) -> list[Sample]:
    """The rows that a generator made."""
    return [row for row in result.samples.rows if row.origin == "synthetic"]


def lines(result: RunRecord) -> tuple[str, ...]:
    """How many of which class, by which generator, and whether any was scored."""
    count = Counter(
        (row.label, row.lineage.generator if row.lineage else "an unknown generator")
        for row in made(result)
    )
    said = [f"{n:,} of {label}, made by {generator}." for (label, generator), n in count.items()]
    scored = result.predictions.origin.count("synthetic")
    return (*said, *([f"! {scored:,} of the scored images are among them."] if scored else []))


def pictures(result: RunRecord) -> tuple[Picture, ...]:
    """Of each made class some that were given, then some that were made."""
    rows = made(result)
    found: list[Picture] = []
    for label in list(dict.fromkeys(row.label for row in rows))[:CLASSES]:
        given = [r for r in result.samples.rows if r.label == label and r.origin != "synthetic"]
        own = [row for row in rows if row.label == label]
        found += [_picture(row) for row in (*_some(given), *_some(own))]
    return tuple(found)


def _some(rows: list[Sample]) -> list[Sample]:
    step = max(1, len(rows) // EACH)
    return rows[::step][:EACH]


def _picture(row: Sample) -> Picture:
    caption = [row.label]
    if row.lineage is not None:
        caption.append(f"made by {row.lineage.generator}")
        if row.lineage.parent:
            caption.append(f"from {row.lineage.parent.rpartition('/')[2]}")
        caption += [f"{key}: {value}" for key, value in row.lineage.condition.items()]
    return Picture(id=row.id, path=row.path, origin=row.origin, caption=tuple(caption))
