"""Copies dropped: one file of each picture is kept, where the recipe says so."""

from __future__ import annotations

from dataclasses import dataclass

from leukreg.data.groups import by_picture, joined
from leukreg.data.store import ImageStore
from leukreg.errors import DataError
from leukreg.progress import SILENT, Progress
from leukreg.types import Sample


@dataclass(frozen=True, slots=True)
class Dropped:
    """A file that is left out because another shows its picture."""

    id: str
    label: str
    kept: str | None
    """The file that is kept; None where the copies' labels disagree, and none is."""


def drop_copies(
    images: ImageStore, progress: Progress = SILENT
) -> tuple[ImageStore, tuple[Dropped, ...]]:
    """The images with one file of each picture, and what was dropped.

    Files are copies where their pixels are equal or nearly so, or where a chain of such copies
    joins them. Kept is the one with the most pixels, the first by name among equals. Where copies
    stand under several labels one label is wrong and nobody knows which: none of them is kept.
    Synthetic rows stay: whether they copy is the gate's question.

    Raises:
        DataError: Nothing would be left.
    """
    rows = images.samples.rows
    real = [number for number, row in enumerate(rows) if row.origin != "synthetic"]
    own = [rows[number] for number in real]
    groups = joined(len(own), by_picture(own, images.digests, images.twins(progress))).tolist()
    members: dict[int, dict[str, int]] = {}
    for number, group in zip(real, groups, strict=True):
        members.setdefault(group, {}).setdefault(rows[number].id, number)
    stay = {*range(len(rows))} - {*real}
    dropped: list[Dropped] = []
    for files in members.values():
        shown = [rows[number] for number in files.values()]
        kept = min(shown, key=lambda row: _rank(images, row)).id
        agree = len({row.label for row in shown}) == 1
        stay |= {files[kept]} if agree else set()
        dropped += [
            Dropped(row.id, row.label, kept if agree else None)
            for row in shown
            if row.id != kept or not agree
        ]
    if not stay:
        raise DataError(
            'data.folds.duplicates = "drop" leaves no image: every picture stands under several '
            "labels; look at them with `leukreg data`"
        )
    return images.only(sorted(stay)), tuple(sorted(dropped, key=lambda one: one.id))


def _rank(images: ImageStore, row: Sample) -> tuple[int, str]:
    fact = images.facts[row.id]
    return -fact.width * fact.height, row.id
