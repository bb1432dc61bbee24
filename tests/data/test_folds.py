"""Groups never cross, every row is tested once, the same seed gives the same."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from leukreg.data.folds import make_folds
from leukreg.data.image_store import ImageStore
from leukreg.errors import Problems
from leukreg.recipe.model import FoldsSpec
from leukreg.types import Fold, Lineage, Sample
from tests.data.tables import Table, counts, folds, grouped_tables, messages, sides, table


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
