"""A class made scarce keeps so many rows outside the test side, drawn by the seed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leukreg.data.folds import limited, make_folds
from leukreg.errors import Problems
from leukreg.recipe.model import FoldsSpec
from leukreg.types import Fold, Origin, Sample, Samples

SAMPLES = Samples(
    rows=tuple(Sample(id=f"{n}", path=f"/{n}", label="ab"[n % 2]) for n in range(120)),
    classes=("a", "b"),
)
FOLD = Fold(index=0, train=tuple(range(80)), validation=tuple(range(80, 96)),
            test=tuple(range(96, 120)))  # fmt: skip


def counts(rows: tuple[int, ...]) -> Counter[str]:
    return Counter(SAMPLES.rows[row].label for row in rows)


@given(most=st.integers(0, 60), seed=st.integers(0, 5))
def test_keeps_so_many_of_the_class_and_all_others(most: int, seed: int) -> None:
    fold = limited(FOLD, SAMPLES, {"a": most}, seed)
    kept = counts(fold.train)["a"] + counts(fold.validation)["a"]
    assert kept == min(most, 48)
    assert counts(fold.train)["b"] == 40
    assert counts(fold.validation)["b"] == 8
    assert fold.test == FOLD.test
    assert set(fold.train) <= set(FOLD.train)
    assert set(fold.validation) <= set(FOLD.validation)
    assert (counts(fold.validation)["a"] > 0) == (most > 1)
    assert limited(FOLD, SAMPLES, {"a": most}, seed) == fold


def test_another_seed_keeps_other_rows() -> None:
    assert limited(FOLD, SAMPLES, {"a": 10}, 0) != limited(FOLD, SAMPLES, {"a": 10}, 1)


@pytest.mark.parametrize("other", ["real", "rendered"])
def test_synthetic_rows_do_not_count(other: Origin) -> None:
    made = {0, 2, 4}
    rows = [
        replace(row, origin="synthetic" if n in made else other)
        for n, row in enumerate(SAMPLES.rows)
    ]
    fold = limited(FOLD, replace(SAMPLES, rows=tuple(rows)), {"a": 5}, 0)
    kept = [n for n in (*fold.train, *fold.validation) if SAMPLES.rows[n].label == "a"]
    assert made < {*kept}
    assert len(kept) == 5 + len(made)


def test_watched_test_rows_stay() -> None:
    watched = Fold(index=0, train=FOLD.train, validation=FOLD.test, test=FOLD.test)
    assert limited(watched, SAMPLES, {"a": 3}, 0).validation == FOLD.test


def test_a_class_that_is_not_there_is_named() -> None:
    with pytest.raises(Problems, match="no class 'c'"):
        make_folds(SimpleNamespace(samples=SAMPLES), FoldsSpec(limit={"a": 1, "c": 1}), 0)  # type: ignore[arg-type]
