"""Rows that must stay on one side of a split: one patient's, and copies of one picture."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from leukreg.data.store import ImageStore
from leukreg.errors import Problem, Problems
from leukreg.recipe.model import FoldsSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray


def group_rows(images: ImageStore, spec: FoldsSpec) -> NDArray[np.int64]:
    """The group number of every row, shape ``(n,)``.

    Two rows share a group when they share a patient (``group`` "auto" or "patient"), a file, equal
    pixels, a near copy, or one was made from the other (``duplicates`` "together"), or when a chain
    of such ties joins them.

    Raises:
        Problems: ``group`` is "patient" and a real row has no patient id.
    """
    ties: list[list[int]] = []
    if spec.group != "none":
        ties += by_patient(images, insist=spec.group == "patient")
    if spec.duplicates == "together":
        ties += by_picture(images)
    return _joined(len(images), ties)


def by_patient(images: ImageStore, insist: bool) -> list[list[int]]:
    """Rows of each patient.

    Raises:
        Problems: ``insist`` is set and a row that is not synthetic has no patient id.
    """
    rows = images.samples.rows
    without = [row.id for row in rows if row.patient is None and row.origin != "synthetic"]
    if insist and without:
        share = "none has a" if len(without) == len(rows) else f"{len(without)} have no"
        raise Problems(
            [
                Problem(
                    f'data.folds.group = "patient", but of {len(rows)} images {share} patient id '
                    f"(such as {without[0]!r}); say where it stands with data.patient or "
                    'data.patient_level, or set group = "none" and know that patients may cross'
                )
            ]
        )
    return _same(row.patient for row in rows)


def by_picture(images: ImageStore) -> list[list[int]]:
    """Rows of each picture: the same file, equal pixels, near copies, and what was made from it."""
    rows = images.samples.rows
    first = {row.id: index for index, row in reversed(list(enumerate(rows)))}
    ties = _same(images.digests[row.id] for row in rows)
    ties += [[first[one], first[other]] for one, other in images.twins()]
    ties += [
        [index, first[row.lineage.parent]]
        for index, row in enumerate(rows)
        if row.lineage and row.lineage.parent in first
    ]
    return ties


def _same(keys: Iterable[Hashable | None]) -> list[list[int]]:
    members: dict[Hashable, list[int]] = {}
    for index, key in enumerate(keys):
        if key is not None:
            members.setdefault(key, []).append(index)
    return [found for found in members.values() if len(found) > 1]


def _joined(n: int, ties: list[list[int]]) -> NDArray[np.int64]:
    """Numbers of the connected components of ``n`` rows."""
    first = [tie[0] for tie in ties for _ in tie[1:]]
    other = [row for tie in ties for row in tie[1:]]
    edges = coo_matrix((np.ones(len(first), np.int8), (first, other)), shape=(n, n))
    _, labels = connected_components(edges, directed=False)
    return np.asarray(labels, np.int64)
