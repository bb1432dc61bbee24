"""Folds: which rows are trained on, watched and tested, patients and copies kept together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from leukreg.data.class_limit import limited, refuse_unknown
from leukreg.data.groups import group_rows
from leukreg.data.image_store import ImageStore
from leukreg.data.predefined_split import predefined_split, refuse_new_split, refuse_new_validation
from leukreg.data.stratification import allocate
from leukreg.errors import refuse
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
    samples = images.samples
    refuse(
        f"class {name!r} has no images; look at the folder with `leukreg data`, leave the class "
        "out with data.classes, or have it made by [synthesis]"
        for name, n in samples.counts().items()
        if n == 0 and name not in absent
    )
    refuse_unknown(samples, spec.limit)
    seed = seed if spec.seed is None else spec.seed
    split = _Split(samples, group_rows(images, spec), spec, seed)
    if spec.use == "given":
        fold = predefined_split(images, spec, split.groups)
        if not fold.validation and spec.validation and not spec.validation_is_test:
            refuse_new_validation(fold, samples)
            fold = split.watched_real(fold)
        folds: tuple[Fold, ...] = (fold,)
    else:
        refuse_new_split(samples)
        refuse(split.too_small())
        folds = split.folds()
    folds = tuple(limited(fold, samples, spec.limit, seed) for fold in folds)
    refuse(split.lacking(folds, absent))
    return folds


class _Split:
    """Rows, the groups that must not be parted, and how the recipe wants them split."""

    def __init__(
        self, samples: Samples, groups: NDArray[np.int64], spec: FoldsSpec, seed: int
    ) -> None:
        self.samples = samples
        self.groups = groups
        self.spec = spec
        self.seed = seed
        self.members: dict[str, list[int]] = {}
        """The rows of each class."""
        for index, row in enumerate(samples.rows):
            self.members.setdefault(row.label, []).append(index)

    def folds(self) -> tuple[Fold, ...]:
        """Every row tested once, or one holdout."""
        k, test = self.spec.k, self.spec.test
        shares = (test, 1 - test) if k is None else (1 / k,) * k
        rows = np.arange(len(self.samples))
        sides = self._allocate(rows, shares, derive(self.seed, "folds"))
        folds = []
        for index in range(k or 1):
            train, test_rows = _rows(rows[sides != index]), _rows(rows[sides == index])
            fold = Fold(index=index, train=train, validation=(), test=test_rows)
            folds.append(self.watched(fold))
        return tuple(folds)

    def watched(self, fold: Fold) -> Fold:
        """The fold with validation rows, taken out of training (or the test rows watched)."""
        if self.spec.validation_is_test:
            return replace(fold, validation=fold.test)
        if not self.spec.validation or not fold.train:
            return fold
        rows = np.array(fold.train)
        shares = (self.spec.validation, 1 - self.spec.validation)
        sides = self._allocate(rows, shares, derive(self.seed, "folds", fold.index, "validation"))
        return replace(fold, train=_rows(rows[sides == 1]), validation=_rows(rows[sides == 0]))

    def watched_real(self, fold: Fold) -> Fold:
        """As :meth:`watched`, by real rows alone; what is made from one of these is not trained on.

        Only a parent tells what a row is made from; others are refused before.
        """
        made = [row for row in fold.train if self.samples.rows[row].origin == "synthetic"]
        real = replace(fold, train=tuple(sorted({*fold.train} - {*made})))
        watched = self.watched(real)
        apart = {int(self.groups[row]) for row in watched.validation}
        kept = [row for row in made if int(self.groups[row]) not in apart]
        return replace(watched, train=tuple(sorted([*watched.train, *kept])))

    def _allocate(
        self, rows: NDArray[np.int64], shares: tuple[float, ...], seed: int
    ) -> NDArray[np.int64]:
        order = {name: index for index, name in enumerate(self.samples.classes)}
        label = (order[self.samples.rows[row].label] if self.spec.stratify else 0 for row in rows)
        return allocate(self.groups[rows], np.array([*label]), shares, seed)

    def too_small(self) -> Iterator[str]:
        """Classes with fewer groups than there are sides to stand on."""
        spec = self.spec
        if not spec.stratify:
            return
        watched = bool(spec.validation) and not spec.validation_is_test
        # Of two folds half the groups are trained on, and validation takes one of them away.
        needed = max(spec.k, 4 if watched else 2) if spec.k == 2 else (spec.k or 2 + watched)
        sides = f"{spec.k} folds" if spec.k else "a test side and a training side"
        sides += " with validation rows" if watched else ""
        for name, rows in self.members.items():
            groups = len(np.unique(self.groups[rows]))
            if groups >= needed:
                continue
            what = f"{len(rows)} image{'s' * (len(rows) != 1)}"
            advice = "get more images of it, merge it into another class, or ask for fewer sides"
            if len(rows) > groups:
                what += (
                    f" in {groups} group{'s' * (groups != 1)} (patients or copies kept together)"
                )
                advice = "get images of more patients, merge the class, or ask for fewer sides"
                advice += self._or_drop()
            yield f"class {name!r} has {what}; {sides} need at least {needed}; {advice}"

    def lacking(self, folds: Sequence[Fold], absent: Collection[str]) -> Iterator[str]:
        """Sides of folds that lack a class that has images, unless they are to lack it."""
        spec = self.spec
        scarce = {name for name in spec.limit if spec.limit[name] < 2}
        meant = {"validation": scarce, "test": set[str]()}
        meant["training"] = {name for name in scarce if name in absent and not spec.limit[name]}
        for fold in folds:
            sides = {"training": fold.train, "validation": fold.validation, "test": fold.test}
            if not (spec.validation or spec.validation_is_test):
                del sides["validation"]
            if not spec.stratify or spec.use != "split":
                sides = {"training": fold.train}
            for side, rows in sides.items():
                present = {self.samples.rows[row].label for row in rows}
                for name, members in self.members.items():
                    if name not in present and name not in meant[side]:
                        yield self._lacks(fold, side, name, members) + self._or_drop()

    def _lacks(self, fold: Fold, side: str, name: str, rows: list[int]) -> str:
        sizes = np.unique(self.groups[rows], return_counts=True)[1]
        return (
            f"fold {fold.index + 1}: the {side} side would have no image of class {name!r}, whose "
            f"{len(rows)} images lie in {len(sizes)} group{'s' * (len(sizes) != 1)} (the largest "
            f"has {sizes.max()}) that must not be split; ask for other shares or fewer folds, or "
            "get images of more patients"
        )

    def _or_drop(self) -> str:
        """The way out where copies chain patients together."""
        if self.spec.duplicates != "together":
            return ""
        return '; where copies join them, data.folds.duplicates = "drop" keeps one of each picture'


def _rows(rows: NDArray[np.int64]) -> tuple[int, ...]:
    return tuple(int(row) for row in np.sort(rows))
