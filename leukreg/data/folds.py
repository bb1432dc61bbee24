"""Folds: which rows are trained on, watched and tested, patients and copies kept together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from leukreg.data.groups import group_rows
from leukreg.data.image_store import ImageStore
from leukreg.data.stratification import allocate
from leukreg.errors import refuse
from leukreg.recipe.model import FoldsSpec
from leukreg.seeds import derive
from leukreg.types import Fold, Samples

if TYPE_CHECKING:
    from numpy.typing import NDArray


SHOWN = 10
"""Groups that are named in a message; more are counted."""


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
    refuse(
        f"data.folds.limit: there is no class {name!r}; there are {', '.join(samples.classes)}"
        for name in spec.limit
        if name not in samples.classes
    )
    seed = seed if spec.seed is None else spec.seed
    split = _Split(samples, group_rows(images, spec), spec, seed)
    if spec.use == "given":
        fold = split.given()
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

    def given(self) -> Fold:
        """The one fold of the rows' own ``split``; synthetic rows without one are trained on.

        Raises:
            Problems: Rows without a side, no test or training rows, or groups on both sides.
        """
        rows = self.samples.rows
        sides: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
        without = []
        for index, row in enumerate(rows):
            split = row.split or ("train" if row.origin == "synthetic" else None)
            if split is None:
                without.append(row.id)
            else:
                sides[split].append(index)
        problems = []
        if self.spec.k is not None:
            problems.append('data.folds.k makes folds anew; it does not go with use = "given"')
        if without:
            problems.append(
                f'data.folds.use = "given", but {len(without)} of {len(rows)} rows name no side '
                f"(such as {without[0]!r}); fill in the split column of the table"
            )
        for side in ("train", "test"):
            if not sides[side]:
                problems.append(f'data.folds.use = "given", but no row is on the {side} side')
        refuse(problems or self._crossing(sides))
        if self.spec.validation_is_test:
            sides["validation"] = sides["test"]
        return Fold(index=0, **{side: tuple(rows) for side, rows in sides.items()})

    def _crossing(self, sides: Mapping[str, Sequence[int]]) -> Iterator[str]:
        """Groups that the given split puts on two sides."""
        on: dict[int, dict[str, int]] = {}
        for side, rows in sides.items():
            for row in rows:
                on.setdefault(int(self.groups[row]), {}).setdefault(side, row)
        crossing = [places for places in on.values() if len(places) > 1]
        for places in crossing[:SHOWN]:
            names = (f"{self.samples.rows[row].id} ({side})" for side, row in places.items())
            yield f"one patient or picture on several sides: {', '.join(names)}"
        if crossing:
            more = f"{len(crossing)} in all; " if len(crossing) > SHOWN else ""
            yield (
                f"{more}mend the split column, keep one file of each picture with "
                'data.folds.duplicates = "drop", or keep it as it is with duplicates = "ignored" '
                '(copies) or group = "none" (patients), which the audit will point at'
            )

    def _allocate(
        self, rows: NDArray[np.int64], shares: tuple[float, ...], seed: int
    ) -> NDArray[np.int64]:
        groups, whole = self.groups[rows], self.samples
        order = {name: index for index, name in enumerate(whole.classes)}
        label = (order[whole.rows[row].label] if self.spec.stratify else 0 for row in rows)
        units = [*zip(groups.tolist(), label, strict=True)]
        if self.spec.stratify and self.spec.group != "none" and whole.patient_labels:
            units = self._with_patients(rows, units)
        placed, labels = np.array(units).T
        sides = allocate(placed, labels, shares, seed)
        side = dict(zip(placed.tolist(), sides.tolist(), strict=True))
        return np.array([side[group] for group in groups.tolist()])

    def _with_patients(
        self, rows: NDArray[np.int64], units: list[tuple[int, int]]
    ) -> list[tuple[int, int]]:
        """Group and label of what is to be spread evenly: patients by their labels, beside cells.

        Where cells have labels of their own, all patients weigh as much as all cells; else each
        patient counts as one, however many cells it has.
        """
        whole = self.samples
        order = {name: index for index, name in enumerate(whole.patient_classes)}
        offset = 0 if whole.weak else len(whole.classes)
        patients: dict[str, tuple[int, int]] = {}
        others = []
        for row, unit in zip(rows.tolist(), units, strict=True):
            patient = whole.rows[row].patient
            if patient in whole.patient_labels:
                place = offset + order[whole.patient_labels[patient]]
                patients.setdefault(patient, (unit[0], place))
            else:
                others.append(unit)
        if whole.weak:
            return [*patients.values(), *others]
        return units + [*patients.values()] * max(1, round(len(units) / max(1, len(patients))))

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


def _thinned(
    rows: Sequence[int], members: Sequence[int], n: int, rng: np.random.Generator
) -> list[int]:
    """The rows with only ``n`` of these members, drawn at random."""
    kept = [members[place] for place in rng.permutation(len(members))[:n].tolist()]
    gone = {*members} - {*kept}
    return [row for row in rows if row not in gone]
