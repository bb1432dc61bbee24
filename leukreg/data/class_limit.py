"""Classes made scarce on purpose: the training and validation sides keep a few rows of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from leukreg.errors import Problem, Problems
from leukreg.seeds import derive
from leukreg.types import Fold, Samples


def limited(fold: Fold, samples: Samples, limit: Mapping[str, int], seed: int) -> Fold:
    """The fold with at most ``limit[label]`` real rows of a class outside the test side.

    The kept rows are drawn at random and stand on the two sides in the proportion in which they
    stood before, at least one on each side where that is possible. Test rows stay.
    """
    train, validation = list(fold.train), list(fold.validation)
    for label, most in limit.items():
        here, watched = _of(samples, train, label), _of(samples, validation, label)
        whole = len(here) + len(watched)
        if whole <= most:
            continue
        rng = np.random.default_rng(derive(seed, "folds", fold.index, "limit", label))
        for_watching = _share(most, len(watched), whole)
        train = _without(train, here, _drawn(here, most - for_watching, rng))
        validation = _without(validation, watched, _drawn(watched, for_watching, rng))
    # Watched test rows stay what they were: they are not taken from training.
    same = fold.validation == fold.test
    return replace(fold, train=tuple(train), validation=fold.test if same else tuple(validation))


def refuse_unknown(samples: Samples, limit: Mapping[str, int]) -> None:
    """Every limited class must be one of the task's.

    Raises:
        Problems: Some are not.
    """
    known = ", ".join(samples.classes)
    unknown = [name for name in limit if name not in samples.classes]
    if unknown:
        raise Problems(
            [Problem(f"data.folds.limit: there is no class {n!r}; there are {known}")
             for n in unknown]
        )  # fmt: skip


def _share(most: int, watched: int, whole: int) -> int:
    if not watched or most < 2:
        return 0
    return min(max(1, round(most * watched / whole)), most - 1)


def _drawn(members: Sequence[int], n: int, rng: np.random.Generator) -> list[int]:
    return [members[place] for place in rng.permutation(len(members))[:n].tolist()]


def _of(samples: Samples, rows: Sequence[int], label: str) -> list[int]:
    """Not synthetic ones: what was made up for a scarce class does not count against it."""
    return [
        row
        for row in rows
        if samples.rows[row].label == label and samples.rows[row].origin != "synthetic"
    ]


def _without(rows: Sequence[int], members: Sequence[int], kept: Sequence[int]) -> list[int]:
    gone = set(members) - set(kept)
    return [row for row in rows if row not in gone]
