"""The split that a source brings along in its own column."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from leukreg.data.image_store import ImageStore
from leukreg.errors import Problem, Problems
from leukreg.recipe.model import FoldsSpec
from leukreg.types import Fold

if TYPE_CHECKING:
    from numpy.typing import NDArray


SHOWN = 10
"""Rows named in a message; more are counted."""


def given_fold(images: ImageStore, spec: FoldsSpec, groups: NDArray[np.int64]) -> Fold:
    """The one fold of the rows' own ``split``; synthetic rows without one are trained on.

    Raises:
        Problems: Rows without a side, no test or training rows, or groups on both sides.
    """
    rows = images.samples.rows
    problems: list[Problem] = []
    if spec.k is not None:
        problems.append(Problem('data.folds.k makes folds anew; it does not go with use = "given"'))
    sides: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
    without = []
    for index, row in enumerate(rows):
        split = row.split or ("train" if row.origin == "synthetic" else None)
        if split is None:
            without.append(row.id)
        else:
            sides[split].append(index)
    if without:
        problems.append(
            Problem(
                f'data.folds.use = "given", but {len(without)} of {len(rows)} rows name no side '
                f"(such as {without[0]!r}); fill in the split column of the table"
            )
        )
    problems += [
        Problem(f'data.folds.use = "given", but no row is on the {side} side')
        for side in ("train", "test")
        if not sides[side]
    ]
    if not problems:
        problems = _crossing(images, sides, groups)
    if problems:
        raise Problems(problems)
    validation = sides["test"] if spec.validation_is_test else sides["validation"]
    return Fold(
        index=0,
        train=tuple(sides["train"]),
        validation=tuple(validation),
        test=tuple(sides["test"]),
    )


def _crossing(
    images: ImageStore, sides: dict[str, list[int]], groups: NDArray[np.int64]
) -> list[Problem]:
    """Groups that the given split puts on two sides."""
    on: dict[int, dict[str, int]] = {}
    for side, rows in sides.items():
        for row in rows:
            on.setdefault(int(groups[row]), {}).setdefault(side, row)
    crossing = [places for places in on.values() if len(places) > 1]
    shown = []
    for places in crossing[:SHOWN]:
        names = ", ".join(f"{images.samples.rows[row].id} ({side})" for side, row in places.items())
        shown.append(Problem(f"one patient or picture on several sides: {names}"))
    if crossing:
        more = f"{len(crossing)} in all; " if len(crossing) > SHOWN else ""
        shown.append(
            Problem(
                f"{more}mend the split column, keep one file of each picture with "
                'data.folds.duplicates = "drop", or keep it as it is with duplicates = "ignored" '
                '(copies) or group = "none" (patients), which the audit will point at'
            )
        )
    return shown
