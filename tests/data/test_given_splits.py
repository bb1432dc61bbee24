"""Sides that a table states are kept, and what was made from one side stays there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from leukreg.types import Lineage, Role
from tests.data.tables import Table, folds, messages, table

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
