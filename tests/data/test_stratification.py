"""Proportions hold, of classes and of patients' labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from leukreg.data.stratification import allocate
from tests.data.tables import Table, counts, folds, grouped_tables, table


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
