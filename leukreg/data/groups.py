"""Rows that belong together: one patient's, and copies of one picture.

The split keeps them on one side, and every interval counts them as one.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from leukreg.errors import DataError, refuse
from leukreg.record import Dropped
from leukreg.types import Predictions, Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leukreg.data.image_store import ImageStore
    from leukreg.recipe.model import FoldsSpec


Pairs: TypeAlias = tuple[tuple[str, str], ...]
"""Pairs of file ids."""


def group_rows(images: ImageStore, spec: FoldsSpec) -> NDArray[np.int64]:
    """The group number of every row, shape ``(n,)``, as a split is to keep them together.

    Two rows share a group when they share a patient or, where none is known, a field of several
    cells (``group`` "auto" or "patient"); when they share a file, equal pixels, are near
    duplicates, or one was made from the other (unless ``duplicates`` is "ignored"); or when a chain
    of such ties joins them.

    Raises:
        Problems: ``group`` is "patient" and a real row has no patient id.
    """
    rows = images.samples.rows
    ties: list[list[int]] = []
    if spec.group != "none":
        without = [row.id for row in rows if row.patient is None and row.origin != "synthetic"]
        if spec.group == "patient" and without:
            share = "none has a" if len(without) == len(rows) else f"{len(without)} have no"
            refuse(
                [
                    f'data.folds.group = "patient", but of {len(rows)} images {share} patient id '
                    f"(such as {without[0]!r}); say where it stands with data.patient or "
                    'data.patient_level, or set group = "none" and know that patients may cross'
                ]
            )
        ties += by_patient(rows)
    if spec.duplicates != "ignored":
        ties += by_picture(rows, images.digests, images.near_duplicates)
    return joined(len(rows), ties)


def grouped(
    predictions: Predictions,
    rows: Sequence[Sample],
    pixels: Mapping[str, str],
    near: Pairs,
) -> Predictions:
    """The predictions with the group of each row: by patient where known, else by field, and by
    picture.

    How the recipe splits does not matter here: where it keeps copies or patients apart, they are
    no more evidence than they were.

    Args:
        rows: The samples of the run.
        pixels: Digest of the decoded pixels by file id.
        near: Pairs of file ids whose pictures are nearly equal.
    """
    return replace(predictions, group=groups_of(rows, pixels, near)[predictions.row])


def groups_of(rows: Sequence[Sample], pixels: Mapping[str, str], near: Pairs) -> NDArray[np.int64]:
    """The group number of each sample, ``(n,)``: by patient where known, else by field, and by
    picture.

    Arguments as for :func:`grouped`.
    """
    return joined(len(rows), [*by_patient(rows), *by_picture(rows, pixels, near)])


def by_patient(rows: Sequence[Sample]) -> list[list[int]]:
    """Rows of each patient, and those of each field of several cells whose patient is unknown."""
    fields = same(row.field if row.patient is None else None for row in rows)
    return same(row.patient for row in rows) + fields


def by_picture(rows: Sequence[Sample], pixels: Mapping[str, str], near: Pairs) -> list[list[int]]:
    """Rows of each picture: one file, equal pixels, near duplicates, and what was made from it."""
    first = {row.id: index for index, row in reversed(list(enumerate(rows)))}
    ties = same(pixels.get(row.id, row.id) for row in rows)
    ties += [[first[one], first[other]] for one, other in near if one in first and other in first]
    ties += [
        [index, first[row.lineage.parent]]
        for index, row in enumerate(rows)
        if row.lineage and row.lineage.parent in first
    ]
    return ties


def same(keys: Iterable[Hashable | None]) -> list[list[int]]:
    """Positions that have the same key, where there are several; None is no key."""
    members: dict[Hashable, list[int]] = {}
    for index, key in enumerate(keys):
        if key is not None:
            members.setdefault(key, []).append(index)
    return [found for found in members.values() if len(found) > 1]


def joined(n: int, ties: list[list[int]]) -> NDArray[np.int64]:
    """Numbers of the connected components of ``n`` rows."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    first = [tie[0] for tie in ties for _ in tie[1:]]
    other = [row for tie in ties for row in tie[1:]]
    edges = coo_matrix((np.ones(len(first), np.int8), (first, other)), shape=(n, n))
    _, labels = connected_components(edges, directed=False)
    return np.asarray(labels, np.int64)


def drop_duplicates(images: ImageStore) -> tuple[ImageStore, tuple[Dropped, ...]]:
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
    groups = joined(len(own), by_picture(own, images.digests, images.near_duplicates)).tolist()

    def pixels(name: str) -> int:
        return images.facts[name].width * images.facts[name].height

    members: dict[int, dict[str, int]] = {}
    for number, group in zip(real, groups, strict=True):
        members.setdefault(group, {}).setdefault(rows[number].id, number)
    stay = {*range(len(rows))} - {*real}
    dropped: list[Dropped] = []
    for files in members.values():
        shown = [rows[number] for number in files.values()]
        kept = min(shown, key=lambda row: (-pixels(row.id), row.id)).id
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
