"""Folds: which rows are trained on, watched and tested, patients and copies kept together."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from leukreg.data.class_limit import limited, refuse_unknown
from leukreg.data.groups import group_rows
from leukreg.data.image_store import ImageStore
from leukreg.data.predefined_split import given_fold
from leukreg.data.stratification import allocate
from leukreg.errors import Problem, Problems
from leukreg.recipe.model import FoldsSpec
from leukreg.seeds import derive
from leukreg.types import Fold, Samples

if TYPE_CHECKING:
    from numpy.typing import NDArray


def make_folds(
    images: ImageStore, spec: FoldsSpec, seed: int, absent: Collection[str] = ()
) -> tuple[Fold, ...]:
    """Split the rows of ``images`` as ``spec`` says; the same arguments give the same folds.

    With ``spec.k`` every row is tested in exactly one fold, without it there is one holdout.
    ``absent`` are classes without images on purpose (a generator will make them). A split with a
    seed of its own (``spec.seed``) does not change with ``seed``.

    Raises:
        Problems: Patient folds without patient ids, a class too small or too clumped to stand on
            every side, a class without images, a split column that cannot be used, or synthetic
            rows for training where the split is made anew.
    """
    _refuse_empty(images.samples, absent)
    refuse_unknown(images.samples, spec.limit)
    seed = seed if spec.seed is None else spec.seed
    groups = group_rows(images, spec)
    if spec.use == "given":
        fold = given_fold(images, spec, groups)
        if not fold.validation and spec.validation and not spec.validation_is_test:
            _refuse_unwatched(fold, images.samples)
            fold = _watched_real(fold, images.samples, groups, spec, seed)
        folds: tuple[Fold, ...] = (fold,)
    else:
        _refuse_sided(images.samples)
        _refuse_small(images.samples, groups, spec)
        folds = _split(images.samples, groups, spec, seed)
    folds = tuple(limited(fold, images.samples, spec.limit, seed) for fold in folds)
    _refuse_lacking(images.samples, folds, spec, groups, absent)
    return folds


def _split(
    samples: Samples, groups: NDArray[np.int64], spec: FoldsSpec, seed: int
) -> tuple[Fold, ...]:
    everything = np.arange(len(samples))
    if spec.k is None:
        shares: tuple[float, ...] = (spec.test, 1 - spec.test)
    else:
        shares = (1 / spec.k,) * spec.k
    sides = _allocate(samples, everything, groups, shares, spec, derive(seed, "folds"))
    folds = []
    for index in range(spec.k or 1):
        fold = Fold(
            index=index,
            train=_rows(everything[sides != index]),
            validation=(),
            test=_rows(everything[sides == index]),
        )
        folds.append(_watched(fold, samples, groups, spec, seed))
    return tuple(folds)


def _watched(
    fold: Fold, samples: Samples, groups: NDArray[np.int64], spec: FoldsSpec, seed: int
) -> Fold:
    """The fold with validation rows, taken out of the training rows (or the test rows watched)."""
    if spec.validation_is_test:
        return Fold(index=fold.index, train=fold.train, validation=fold.test, test=fold.test)
    if not spec.validation or not fold.train:
        return fold
    rows = np.array(fold.train)
    shares = (spec.validation, 1 - spec.validation)
    seed = derive(seed, "folds", fold.index, "validation")
    sides = _allocate(samples, rows, groups, shares, spec, seed)
    return Fold(
        index=fold.index,
        train=_rows(rows[sides == 1]),
        validation=_rows(rows[sides == 0]),
        test=fold.test,
    )


def _watched_real(
    fold: Fold, samples: Samples, groups: NDArray[np.int64], spec: FoldsSpec, seed: int
) -> Fold:
    """As :func:`_watched`, by real rows alone; what is made from one of these is not trained on.

    Only a parent tells what a row is made from: :func:`_refuse_unwatched` is for the others.
    """
    made = [row for row in fold.train if samples.rows[row].origin == "synthetic"]
    real = replace(fold, train=tuple(sorted({*fold.train} - {*made})))
    watched = _watched(real, samples, groups, spec, seed)
    apart = {int(groups[row]) for row in watched.validation}
    kept = [row for row in made if int(groups[row]) not in apart]
    return replace(watched, train=tuple(sorted([*watched.train, *kept])))


def _allocate(
    samples: Samples,
    rows: NDArray[np.int64],
    groups: NDArray[np.int64],
    shares: tuple[float, ...],
    spec: FoldsSpec,
    seed: int,
) -> NDArray[np.int64]:
    order = {name: index for index, name in enumerate(samples.classes)}
    labels = [order[samples.rows[row].label] if spec.stratify else 0 for row in rows]
    return allocate(groups[rows], np.array(labels), shares, seed)


def _rows(rows: NDArray[np.int64]) -> tuple[int, ...]:
    return tuple(int(row) for row in np.sort(rows))


def _refuse_empty(samples: Samples, absent: Collection[str]) -> None:
    empty = [name for name, n in samples.counts().items() if n == 0 and name not in absent]
    if empty:
        raise Problems(
            [
                Problem(
                    f"class {name!r} has no images; look at the folder with `leukreg data`, leave "
                    "the class out with data.classes, or have it made by [synthesis]"
                )
                for name in empty
            ]
        )


def _refuse_sided(samples: Samples) -> None:
    """Refuse synthetic rows of one side, where the split would test them or their teachers."""
    sided = [
        row.id
        for row in samples.rows
        if row.origin == "synthetic"
        and (row.split == "train" or (row.lineage and row.lineage.fold is not None))
    ]
    if sided:
        raise Problems(
            [
                Problem(
                    f"{len(sided)} synthetic rows were made for the training side of a fold (such "
                    f"as {sided[0]!r}), and a new split would test them, or what they were made "
                    'from; set data.folds.use = "given" and name a side for every real row: that '
                    "of the fold they were made in"
                )
            ]
        )


def _refuse_unwatched(fold: Fold, samples: Samples) -> None:
    """Refuse to draw validation rows out of those that a generator learned from as a whole."""
    learned = [
        row.id
        for row in (samples.rows[number] for number in fold.train)
        if row.origin == "synthetic" and row.lineage is not None and row.lineage.parent is None
    ]
    if learned:
        raise Problems(
            [
                Problem(
                    f"{len(learned)} synthetic rows (such as {learned[0]!r}) come from a generator "
                    "that learned from the training side, and validation rows would be drawn from "
                    "that side; name them in the split column, as they were in the fold of the "
                    "synthetic rows, or set data.folds.validation = 0"
                )
            ]
        )


def _refuse_small(samples: Samples, groups: NDArray[np.int64], spec: FoldsSpec) -> None:
    """Refuse classes with fewer groups than there are sides to stand on."""
    if not spec.stratify:
        return
    watched = bool(spec.validation) and not spec.validation_is_test
    needed = max(spec.k, 4 if watched else 2) if spec.k == 2 else (spec.k or 2 + watched)
    problems = []
    for name, rows in _by_class(samples).items():
        count = len(np.unique(groups[rows]))
        if count < needed:
            problems.append(Problem(_too_small(name, len(rows), count, needed, spec, watched)))
    if problems:
        raise Problems(problems)


def _too_small(
    name: str, rows: int, groups: int, needed: int, spec: FoldsSpec, watched: bool
) -> str:
    sides = f"{spec.k} folds" if spec.k else "a test side and a training side"
    sides += " with validation rows" if watched else ""
    clumped = rows > groups
    what = f"{rows} image{'s' * (rows != 1)}"
    if clumped:
        what += f" in {groups} group{'s' * (groups != 1)} (patients or copies kept together)"
    advice = "get more images of it, merge it into another class, or ask for fewer sides"
    if clumped:
        advice = "get images of more patients, merge the class, or ask for fewer sides"
        advice += _or_drop(spec)
    return f"class {name!r} has {what}; {sides} need at least {needed}; {advice}"


def _or_drop(spec: FoldsSpec) -> str:
    """The way out where copies chain patients together."""
    if spec.duplicates != "together":
        return ""
    return '; where copies join them, data.folds.duplicates = "drop" keeps one of each picture'


def _refuse_lacking(
    samples: Samples,
    folds: Sequence[Fold],
    spec: FoldsSpec,
    groups: NDArray[np.int64],
    absent: Collection[str],
) -> None:
    """Refuse folds in which a side lacks a class that has images, unless it is to lack it."""
    problems = []
    scarce = {name for name in spec.limit if spec.limit[name] < 2}
    made = {name for name in scarce if name in absent and not spec.limit[name]}
    for fold in folds:
        sides = {"training": fold.train, "validation": fold.validation, "test": fold.test}
        for side, rows in sides.items():
            wanted = side == "training" or (spec.stratify and spec.use == "split")
            asked = side != "validation" or bool(spec.validation) or spec.validation_is_test
            present = {samples.rows[row].label for row in rows}
            for name, members in _by_class(samples).items():
                meant = (side == "validation" and name in scarce) or (
                    side == "training" and name in made
                )
                if wanted and asked and name not in present and not meant:
                    lacks = _lacks(fold, side, name, members, groups)
                    problems.append(Problem(lacks + _or_drop(spec)))
    if problems:
        raise Problems(problems)


def _lacks(fold: Fold, side: str, name: str, rows: list[int], groups: NDArray[np.int64]) -> str:
    sizes = np.unique(groups[rows], return_counts=True)[1]
    return (
        f"fold {fold.index + 1}: the {side} side would have no image of class {name!r}, whose "
        f"{len(rows)} images lie in {len(sizes)} group{'s' * (len(sizes) != 1)} (the largest has "
        f"{sizes.max()}) that must not be split; ask for other shares or fewer folds, or get "
        "images of more patients"
    )


def _by_class(samples: Samples) -> dict[str, list[int]]:
    members: dict[str, list[int]] = {}
    for index, row in enumerate(samples.rows):
        members.setdefault(row.label, []).append(index)
    return members
