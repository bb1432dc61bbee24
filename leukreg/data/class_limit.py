"""Classes made scarce on purpose: the training and validation sides keep a few rows of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from leukreg.errors import refuse
from leukreg.seeds import derive
from leukreg.types import Fold, Samples


def limited(fold: Fold, samples: Samples, limit: Mapping[str, int], seed: int) -> Fold:
    """The fold with at most ``limit[label]`` real rows of a class outside the test side.

    The kept rows are drawn at random and stand on the two sides in the proportion in which they
    stood before, at least one on each side where that is possible. Test rows stay.
    """
    train, validation = list(fold.train), list(fold.validation)
    for label, most in limit.items():
        # What was made up for a scarce class does not count against it.
        real = {
            number
            for number, row in enumerate(samples.rows)
            if row.label == label and row.origin != "synthetic"
        }
        here, watched = ([row for row in side if row in real] for side in (train, validation))
        whole = len(here) + len(watched)
        if whole <= most:
            continue
        rng = np.random.default_rng(derive(seed, "folds", fold.index, "limit", label))
        for_watching = 0
        if watched and most >= 2:
            for_watching = min(max(1, round(most * len(watched) / whole)), most - 1)
        train = _thinned(train, here, most - for_watching, rng)
        validation = _thinned(validation, watched, for_watching, rng)
    # Watched test rows stay what they were: they are not taken from training.
    same = fold.validation == fold.test
    return replace(fold, train=tuple(train), validation=fold.test if same else tuple(validation))


def refuse_unknown(samples: Samples, limit: Mapping[str, int]) -> None:
    """Every limited class must be one of the task's.

    Raises:
        Problems: Some are not.
    """
    known = ", ".join(samples.classes)
    refuse(
        f"data.folds.limit: there is no class {name!r}; there are {known}"
        for name in limit
        if name not in samples.classes
    )


def _thinned(
    rows: Sequence[int], members: Sequence[int], n: int, rng: np.random.Generator
) -> list[int]:
    """The rows with only ``n`` of these members, drawn at random."""
    kept = [members[place] for place in rng.permutation(len(members))[:n].tolist()]
    gone = {*members} - {*kept}
    return [row for row in rows if row not in gone]
