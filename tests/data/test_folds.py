"""Groups never cross, every row is tested once, proportions hold, the same seed gives the same."""

from __future__ import annotations

import contextlib
import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from leukreg.data.folds import make_folds
from leukreg.data.image_store import ImageStore
from leukreg.data.stratification import allocate
from leukreg.errors import Problems
from leukreg.recipe.model import FoldsSpec
from leukreg.types import Fold, Lineage, Role, Sample, Samples


@dataclass(frozen=True)
class Table:
    """What folds look at: rows, pixel digests, near duplicates. Stands in for an ImageStore."""

    samples: Samples
    same: tuple[tuple[int, ...], ...] = ()
    near_duplicates: tuple[tuple[str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.samples)

    @functools.cached_property
    def digests(self) -> dict[str, str]:
        found = {row.id: row.id for row in self.samples.rows}
        for group in self.same:
            found |= {self.samples.rows[row].id: f"same-{group[0]}" for row in group}
        return found


def table(
    labels: Sequence[str],
    patients: Sequence[str | None] | None = None,
    same: Sequence[tuple[int, ...]] = (),
    near: Sequence[tuple[int, int]] = (),
    splits: Sequence[str | None] | None = None,
) -> Table:
    rows = tuple(
        Sample(
            id=f"{label}/{index}",
            path=f"/{index}",
            label=label,
            patient=patients[index] if patients else None,
            split=cast("Role | None", splits[index]) if splits else None,
        )
        for index, label in enumerate(labels)
    )
    samples = Samples(rows=rows, classes=tuple(sorted(set(labels))))
    pairs = tuple((rows[a].id, rows[b].id) for a, b in near)
    return Table(samples, tuple(same), pairs)


def folds(of: Table, seed: int = 0, **spec: Any) -> tuple[Fold, ...]:
    return make_folds(cast(ImageStore, of), FoldsSpec(**spec), seed)


def counts(of: Table, rows: Sequence[int]) -> Counter[str]:
    return Counter(of.samples.rows[row].label for row in rows)


def sides(fold: Fold) -> dict[int, str]:
    return {row: name for name in ("train", "validation", "test") for row in getattr(fold, name)}


def messages(of: Table, **spec: Any) -> str:
    with pytest.raises(Problems) as caught:
        folds(of, **spec)
    return str(caught.value)


@st.composite
def grouped_tables(draw: st.DrawFn) -> Table:
    """Some classes of patients with one to eight images, copies and near duplicates among them."""
    labels: list[str] = []
    patients: list[str] = []
    for label in range(draw(st.integers(2, 4))):
        for number in range(draw(st.integers(12, 25))):
            size = draw(st.integers(1, 8))
            labels += [f"c{label}"] * size
            patients += [f"p{label}-{number}"] * size
    row = st.integers(0, len(labels) - 1)
    near = draw(st.lists(st.tuples(row, row), max_size=3))
    return table(labels, patients, same=draw(st.lists(st.tuples(row, row), max_size=1)), near=near)


@settings(deadline=None, max_examples=20)
@given(grouped_tables(), st.integers(0, 99), st.sampled_from([None, 2, 3, 5]))
def test_groups_never_cross_and_every_row_is_tested_once(
    of: Table, seed: int, k: int | None
) -> None:
    made = folds(of, seed, k=k, group="patient")
    assert made == folds(of, seed, k=k, group="patient")
    tested = [row for fold in made for row in fold.test]
    assert k is None or sorted(tested) == list(range(len(of)))
    rows = {row.id: index for index, row in enumerate(of.samples.rows)}
    for fold in made:
        side = sides(fold)
        assert len(side) == len(fold.train) + len(fold.validation) + len(fold.test) == len(of)
        by_patient: dict[str | None, set[str]] = {}
        for row, name in side.items():
            by_patient.setdefault(of.samples.rows[row].patient, set()).add(name)
        assert all(len(names) == 1 for names in by_patient.values())
        for one, other in of.near_duplicates:
            assert side[rows[one]] == side[rows[other]]
        for group in of.same:
            assert len({side[row] for row in group}) == 1


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.integers(8, 90), min_size=2, max_size=5),
    st.integers(0, 99),
    st.sampled_from([None, 2, 3, 5, 8]),
    st.sampled_from([0.1, 0.2, 0.35]),
)
def test_proportions_hold_to_the_nearest_row(
    sizes: list[int], seed: int, k: int | None, test: float
) -> None:
    of = table([f"c{label}" for label, size in enumerate(sizes) for _ in range(size)])
    for fold in folds(of, seed, k=k, test=test, validation=0.15):
        share = 1 / k if k else test
        for label, size in enumerate(sizes):
            name = f"c{label}"
            tested = counts(of, fold.test)[name]
            assert abs(tested - share * size) <= 1
            assert abs(counts(of, fold.validation)[name] - 0.15 * (size - tested)) < 1


@settings(deadline=None, max_examples=20)
@given(grouped_tables(), st.integers(0, 99))
def test_proportions_hold_within_the_largest_group(of: Table, seed: int) -> None:
    of = replace(of, near_duplicates=(), same=())
    [fold] = folds(of, seed, test=0.25)
    largest = max(Counter(row.patient for row in of.samples.rows).values())
    for name, size in of.samples.counts().items():
        assert abs(counts(of, fold.test)[name] - 0.25 * size) <= largest


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3)), min_size=1, max_size=200),
    st.integers(2, 6),
    st.integers(0, 9),
)
def test_allocation_is_whole_and_keeps_groups(
    rows: list[tuple[int, int]], k: int, seed: int
) -> None:
    groups, labels = np.array(rows).T
    side = allocate(groups, labels, (1 / k,) * k, seed)
    assert ((side >= 0) & (side < k)).all()
    assert all(len(set(side[groups == group])) == 1 for group in set(groups))


@settings(deadline=None, max_examples=50)
@given(st.integers(2, 6), st.integers(0, 50), st.data())
def test_no_side_lacks_a_class_that_has_enough_groups(
    k: int, seed: int, data: st.DataObject
) -> None:
    sizes = data.draw(st.lists(st.integers(1, 40), min_size=k, max_size=k + 4))
    groups = np.repeat(np.arange(len(sizes)), sizes)
    side = allocate(groups, np.zeros(len(groups), np.int64), (1 / k,) * k, seed)
    assert set(side) == set(range(k))


def test_seeds_differ_and_also_move_patients() -> None:
    labels = ["a"] * 100 + ["b"] * 100
    patients = [f"p{index // 5}" for index in range(200)]
    assert len({folds(table(labels), seed)[0].test for seed in range(5)}) == 5
    assert len({folds(table(labels, patients), seed)[0].test for seed in range(5)}) > 2


def test_patients_of_very_different_size_still_fill_the_sides() -> None:
    sizes = [200, 90, 60, 40, 30, 20, 10, 10, 5, 5, 3, 3, 2, 1, 1]
    patients = [f"p{index}" for index, size in enumerate(sizes) for _ in range(size)]
    of = table(["a"] * len(patients) + ["b"] * 50, [*patients, *(f"q{i // 2}" for i in range(50))])
    [fold] = folds(of, group="patient")
    assert 0.15 < counts(of, fold.test)["a"] / sum(sizes) < 0.25
    assert 0.1 < counts(of, fold.validation)["a"] / (sum(sizes) - counts(of, fold.test)["a"]) < 0.2


def test_copies_stay_together_unless_ignored() -> None:
    labels = ["a", "b"] * 20
    same = [(2 * i, 2 * i + 2) for i in range(0, 20, 2)]
    of = table(labels, same=same)
    for fold in folds(of, k=5):
        assert all(sides(fold)[a] == sides(fold)[b] for a, b in same)
    crossing = [
        (a, b)
        for fold in folds(of, k=5, duplicates="ignored")
        for a, b in same
        if sides(fold)[a] != sides(fold)[b]
    ]
    assert crossing


def test_the_historys_doubled_rows_cross_only_when_copies_are_ignored() -> None:
    once = table(["a"] * 30 + ["b"] * 30)
    rows = once.samples.rows
    of = Table(replace(once.samples, rows=rows + rows))

    def crosses(**spec: Any) -> bool:
        [fold] = folds(of, **spec)
        return bool({rows[r % 60].id for r in fold.test} & {rows[r % 60].id for r in fold.train})

    assert not crosses()
    assert crosses(duplicates="ignored", group="none")


def test_what_was_made_from_a_picture_stays_with_it() -> None:
    once = table(["a"] * 20 + ["b"] * 20)
    made = tuple(
        Sample(
            id=f"synthetic/{i}",
            path=f"/s{i}",
            label="b",
            origin="synthetic",
            lineage=Lineage(generator="warp", seed=0, parent=f"a/{i % 20}"),
        )
        for i in range(40)
    )
    of = Table(once.samples.extended(made))
    for fold in folds(of, k=4):
        side = sides(fold)
        assert all(side[40 + i] == side[i % 20] for i in range(40))


def test_validation_may_be_the_test_or_none() -> None:
    of = table(["a", "b"] * 20)
    [watched] = folds(of, validation_is_test=True)
    assert watched.validation == watched.test
    assert len(watched.train) == 32
    [bare] = folds(of, validation=0.0)
    assert bare.validation == ()
    assert len(bare.train) == 32


def test_without_stratifying_classes_are_left_to_chance() -> None:
    of = table(["a"] * 37 + ["b"] * 3)
    [fold] = folds(of, stratify=False, validation=0.0)
    assert len(fold.test) == 8


def test_patients_must_be_known_when_they_are_insisted_on() -> None:
    of = table(["a", "b"] * 20, [None, "p"] * 20)
    text = messages(of, group="patient")
    assert "20 have no patient id" in text
    assert "data.patient" in text
    assert "none has a patient id" in messages(table(["a", "b"] * 20), group="patient")


@pytest.mark.parametrize(
    ("spec", "needed"),
    [
        ({"k": 5}, "5 folds with validation rows need at least 5"),
        ({"k": 4}, None),
        ({}, None),
        ({"k": 2}, None),
    ],
)
def test_small_classes_are_refused(spec: dict[str, Any], needed: str | None) -> None:
    of = table(["a"] * 40 + ["few"] * 4)
    if needed:
        text = messages(of, **spec)
        assert "class 'few' has 4 images" in text
        assert needed in text
    else:
        for fold in folds(of, **spec):
            for side in (fold.train, fold.validation, fold.test):
                assert counts(of, side)["few"] >= 1


def test_every_small_class_is_named_at_once() -> None:
    text = messages(table(["a"] * 40 + ["b"] * 2 + ["c"]))
    assert "class 'b' has 2 images" in text
    assert "class 'c' has 1 image;" in text
    assert "2 problems" in text


def test_a_class_that_lies_in_one_patient_is_refused() -> None:
    patients = ["benign"] * 50 + [f"p{index // 2}" for index in range(50)]
    text = messages(table(["Benign"] * 50 + ["ALL"] * 50, patients))
    assert "class 'Benign' has 50 images in 1 group (patients or copies kept together)" in text
    assert "more patients" in text


def test_a_class_without_images_is_refused_unless_it_is_made() -> None:
    of = table(["a", "b"] * 20)
    of = Table(replace(of.samples, classes=("a", "b", "c")))
    assert "class 'c' has no images" in messages(of)
    made = make_folds(cast(ImageStore, of), FoldsSpec(), 0, absent=("c",))
    assert counts(of, made[0].test).keys() == {"a", "b"}


GIVEN = ["train"] * 20 + ["test"] * 10


def test_a_given_split_is_taken_as_it_is() -> None:
    of = table(["a", "b"] * 15, splits=[*GIVEN[:16], *["validation"] * 4, *["test"] * 10])
    [fold] = folds(of, use="given")
    assert fold.train == tuple(range(16))
    assert fold.validation == tuple(range(16, 20))
    assert fold.test == tuple(range(20, 30))


def test_validation_is_taken_from_a_given_training_side() -> None:
    of = table(["a", "b"] * 15, splits=GIVEN)
    [fold] = folds(of, use="given", validation=0.2)
    assert len(fold.validation) == 4
    assert set(fold.train) | set(fold.validation) == set(range(20))
    [watched] = folds(of, use="given", validation_is_test=True)
    assert watched.validation == watched.test == tuple(range(20, 30))


def with_made(
    of: Table, made: Sequence[int], split: Role | None = "train", lineage: Lineage | None = None
) -> Table:
    """The table with these rows synthetic."""
    rows = [
        replace(row, origin="synthetic", split=split, lineage=lineage) if index in made else row
        for index, row in enumerate(of.samples.rows)
    ]
    return replace(of, samples=replace(of.samples, rows=tuple(rows)))


def test_synthetic_rows_for_training_are_never_split_anew() -> None:
    of = table(["a", "b"] * 15, splits=GIVEN)
    told = "12 synthetic rows were made for the training side of a fold"
    assert told in messages(with_made(of, range(12)))
    assert folds(with_made(of, range(12), None))
    [fold] = folds(with_made(of, range(12)), use="given")
    assert set(fold.train) >= {*range(12)}


@pytest.mark.parametrize("fold", [0, None])
def test_nor_are_those_that_were_made_in_a_fold_and_name_no_side(fold: int | None) -> None:
    made = Lineage(generator="cgan", seed=0, fold=fold)
    of = with_made(table(["a", "b"] * 15), range(12), None, made)
    if fold is None:  # made before any split
        assert folds(of)
    else:
        assert "12 synthetic rows were made for" in messages(of)


def test_synthetic_rows_of_a_given_split_do_not_choose_the_model() -> None:
    splits = ["train"] * 30 + ["test"] * 10
    of = with_made(table(["a", "b"] * 20, same=[(0, 2), (1, 3)], splits=splits), range(2))
    [fold] = folds(of, use="given", validation=0.5)
    assert 2 in fold.validation
    assert 0 not in {*fold.train, *fold.validation}  # it is like one that is watched
    assert {1, 3} <= {*fold.train}


def test_validation_rows_are_not_drawn_from_what_a_generator_learned_from() -> None:
    made = Lineage(generator="cgan", seed=0, fold=0)
    of = with_made(table(["a", "b"] * 15, splits=GIVEN), range(12), lineage=made)
    told = "12 synthetic rows (such as 'a/0') come from a generator"
    assert told in messages(of, use="given", validation=0.2)
    assert folds(of, use="given", validation=0.0)
    assert folds(of, use="given", validation_is_test=True)


def test_wrong_given_splits_are_told() -> None:
    labels = ["a", "b"] * 15
    assert "30 of 30 rows name no side" in messages(table(labels), use="given")
    assert "no row is on the test side" in messages(
        table(labels, splits=["train"] * 30), use="given"
    )
    assert "does not go with" in messages(table(labels, splits=GIVEN), use="given", k=3)
    crossing = table(labels, splits=GIVEN, near=[(0, 20)])
    assert "a/0 (train), a/20 (test)" in messages(crossing, use="given")
    assert folds(crossing, use="given", duplicates="ignored")
    patients = table(labels, [f"p{index % 10}" for index in range(30)], splits=GIVEN)
    assert "10 problems" not in messages(patients, use="given")
    assert folds(patients, use="given", group="none")


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 1000))
def test_a_fold_lacking_a_class_is_refused_or_does_not_happen(seed: int) -> None:
    rng = np.random.default_rng(seed)
    patients = [f"p{number}" for number in rng.integers(0, 8, 60)]
    of = table([f"c{label}" for label in rng.integers(0, 3, 60)], patients)
    assume(len(of.samples.classes) == 3)
    made: tuple[Fold, ...] = ()
    with contextlib.suppress(Problems):
        made = folds(of, seed, k=3)
    for fold in made:
        for side in (fold.train, fold.validation, fold.test):
            assert len(counts(of, side)) == 3


def test_a_split_with_a_seed_of_its_own_does_not_follow_the_recipes() -> None:
    of = table("ab" * 50)
    spec = FoldsSpec(seed=9)
    [one], [other] = (make_folds(cast(ImageStore, of), spec, seed) for seed in (1, 2))
    assert one == other == folds(of, 9)[0]
    assert folds(of, 1) != folds(of, 2)


def test_a_class_to_be_made_may_be_taken_out_of_training_and_is_tested() -> None:
    of = table("ab" * 50)
    spec = FoldsSpec(limit={"a": 0})
    [fold] = make_folds(cast(ImageStore, of), spec, 0, absent=("a",))
    assert counts(of, fold.train)["a"] == counts(of, fold.validation)["a"] == 0
    assert counts(of, fold.test)["a"] == 10
    with pytest.raises(Problems, match="no image of class 'a'"):
        make_folds(cast(ImageStore, of), spec, 0)


def of_patients(cells: Sequence[int], labels: Sequence[str], weak: bool, kinds: str = "") -> Table:
    """So many cells of each patient; kinds of cell alternate where cells have labels."""
    patients = [f"p{i}" for i, n in enumerate(cells) for _ in range(n)]
    whose = {f"p{i}": label for i, label in enumerate(labels)}
    own = [whose[p] if weak else kinds[i % len(kinds)] for i, p in enumerate(patients)]
    made = table(own, patients)
    names = tuple(sorted(set(labels)))
    classes = names if weak else tuple(kinds)
    known = replace(
        made.samples, classes=classes, patient_labels=whose, patient_classes=names, weak=weak
    )
    return replace(made, samples=known)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 400), min_size=20, max_size=20), st.integers(0, 99))
def test_patients_of_each_label_are_spread_evenly_however_many_cells_they_have(
    cells: list[int], seed: int
) -> None:
    of = of_patients(cells, ["ill", "well"] * 10, weak=True)
    for fold in folds(of, seed, k=5):
        tested = {of.samples.rows[row].patient for row in fold.test}
        count = Counter(of.samples.patient_labels[str(patient)] for patient in tested)
        assert count == {"ill": 2, "well": 2}
        assert not tested & {of.samples.rows[row].patient for row in fold.train}


def test_patients_and_cells_are_spread_together() -> None:
    of = of_patients([20, 30] * 10, ["ill"] * 10 + ["well"] * 10, weak=False, kinds="ab")
    for fold in folds(of, k=5):
        tested = {of.samples.rows[row].patient for row in fold.test}
        count = Counter(of.samples.patient_labels[str(patient)] for patient in tested)
        assert set(count.values()) == {2}
        cells = Counter(of.samples.rows[row].label for row in fold.test)
        assert all(40 <= n <= 60 for n in cells.values())


def test_labels_of_patients_change_no_split_that_does_not_look_at_them() -> None:
    of = of_patients([3, 5] * 10, ["ill", "well"] * 10, weak=False, kinds="ab")
    bare = replace(of, samples=replace(of.samples, patient_labels={}, patient_classes=()))
    for spec in ({"stratify": False, "validation": 0.0}, {"group": "none"}):
        assert folds(of, **spec) == folds(bare, **spec)
