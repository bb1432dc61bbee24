"""The split that a source brings along in its own column, and what synthetic rows forbid of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from leukreg.data.image_store import ImageStore
from leukreg.errors import refuse
from leukreg.recipe.model import FoldsSpec
from leukreg.types import Fold, Samples

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SHOWN = 10
"""Rows named in a message; more are counted."""


def predefined_split(images: ImageStore, spec: FoldsSpec, groups: NDArray[np.int64]) -> Fold:
    """The one fold of the rows' own ``split``; synthetic rows without one are trained on.

    Raises:
        Problems: Rows without a side, no test or training rows, or groups on both sides.
    """
    rows = images.samples.rows
    sides: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
    without = []
    for index, row in enumerate(rows):
        split = row.split or ("train" if row.origin == "synthetic" else None)
        if split is None:
            without.append(row.id)
        else:
            sides[split].append(index)
    problems = []
    if spec.k is not None:
        problems.append('data.folds.k makes folds anew; it does not go with use = "given"')
    if without:
        problems.append(
            f'data.folds.use = "given", but {len(without)} of {len(rows)} rows name no side '
            f"(such as {without[0]!r}); fill in the split column of the table"
        )
    for side in ("train", "test"):
        if not sides[side]:
            problems.append(f'data.folds.use = "given", but no row is on the {side} side')
    refuse(problems or _crossing(images, sides, groups))
    validation = sides["test"] if spec.validation_is_test else sides["validation"]
    return Fold(
        index=0,
        train=tuple(sides["train"]),
        validation=tuple(validation),
        test=tuple(sides["test"]),
    )


def _crossing(
    images: ImageStore, sides: dict[str, list[int]], groups: NDArray[np.int64]
) -> Iterator[str]:
    """Groups that the given split puts on two sides."""
    on: dict[int, dict[str, int]] = {}
    for side, rows in sides.items():
        for row in rows:
            on.setdefault(int(groups[row]), {}).setdefault(side, row)
    crossing = [places for places in on.values() if len(places) > 1]
    for places in crossing[:SHOWN]:
        names = ", ".join(f"{images.samples.rows[row].id} ({side})" for side, row in places.items())
        yield f"one patient or picture on several sides: {names}"
    if crossing:
        more = f"{len(crossing)} in all; " if len(crossing) > SHOWN else ""
        yield (
            f"{more}mend the split column, keep one file of each picture with "
            'data.folds.duplicates = "drop", or keep it as it is with duplicates = "ignored" '
            '(copies) or group = "none" (patients), which the audit will point at'
        )


def refuse_new_split(samples: Samples) -> None:
    """Refuse to split anew where synthetic rows belong to a side.

    Raises:
        Problems: A new split would test them, or what they were made from.
    """
    sided = [
        row.id
        for row in samples.rows
        if row.origin == "synthetic"
        and (row.split == "train" or (row.lineage and row.lineage.fold is not None))
    ]
    if sided:
        refuse(
            [
                f"{len(sided)} synthetic rows were made for the training side of a fold (such as "
                f"{sided[0]!r}), and a new split would test them, or what they were made from; set "
                'data.folds.use = "given" and name a side for every real row: that of the fold '
                "they were made in"
            ]
        )


def refuse_new_validation(fold: Fold, samples: Samples) -> None:
    """Refuse to draw validation rows out of those that a generator learned from as a whole.

    Raises:
        Problems: There is such a generator: its rows name no parent.
    """
    learned = [
        row.id
        for row in (samples.rows[number] for number in fold.train)
        if row.origin == "synthetic" and row.lineage is not None and row.lineage.parent is None
    ]
    if learned:
        refuse(
            [
                f"{len(learned)} synthetic rows (such as {learned[0]!r}) come from a generator "
                "that learned from the training side, and validation rows would be drawn from that "
                "side; name them in the split column, as they were in the fold of the synthetic "
                "rows, or set data.folds.validation = 0"
            ]
        )
