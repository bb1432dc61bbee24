"""Samplers: who is seen how often."""

from __future__ import annotations

from collections import Counter

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from leukreg_plugins.samplers import ClassBalancedSampler, PatientBalanced, Shuffle

ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=120)


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _spread(counts: Counter[object]) -> int:
    return max(counts.values()) - min(counts.values())


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, seed=st.integers(0, 99))
def test_shuffle_sees_every_row_once(rows: list[tuple[int, int]], seed: int) -> None:
    drawn = list(Shuffle().build([c for c, _ in rows], ["x"] * len(rows), _generator(seed)))
    assert sorted(drawn) == list(range(len(rows)))


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, seed=st.integers(0, 99))
def test_class_balanced_sees_classes_and_rows_within_a_class_equally_often(
    rows: list[tuple[int, int]], seed: int
) -> None:
    targets = [c for c, _ in rows]
    drawn = list(ClassBalancedSampler().build(targets, ["x"] * len(rows), _generator(seed)))
    assert len(drawn) == len(rows)
    per_class = Counter(dict.fromkeys(targets, 0))
    per_class.update(targets[row] for row in drawn)
    assert _spread(per_class) <= 1
    _rows_evenly(drawn, targets)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, seed=st.integers(0, 99))
def test_patient_balanced_sees_patients_equally_often(
    rows: list[tuple[int, int]], seed: int
) -> None:
    targets, patients = [c for c, _ in rows], [str(p) for _, p in rows]
    drawn = list(PatientBalanced().build(targets, patients, _generator(seed)))
    assert len(drawn) == len(rows)
    per_patient = Counter(dict.fromkeys(patients, 0))
    per_patient.update(patients[row] for row in drawn)
    assert _spread(per_patient) <= 1
    _rows_evenly(drawn, patients)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, seed=st.integers(0, 99))
def test_patient_balanced_within_class_balances_both(
    rows: list[tuple[int, int]], seed: int
) -> None:
    targets, patients = [c for c, _ in rows], [str(p) for _, p in rows]
    sampler = PatientBalanced(within_class=True)
    drawn = list(sampler.build(targets, patients, _generator(seed)))
    per_class = Counter(dict.fromkeys(targets, 0))
    per_class.update(targets[row] for row in drawn)
    assert _spread(per_class) <= 1
    for c in set(targets):
        per_patient = Counter({p: 0 for t, p in zip(targets, patients, strict=True) if t == c})
        per_patient.update(patients[row] for row in drawn if targets[row] == c)
        assert _spread(per_patient) <= 1


def _rows_evenly(drawn: list[int], keys: list[int] | list[str]) -> None:
    for key in set(keys):
        seen = Counter({row: 0 for row, of in enumerate(keys) if of == key})
        seen.update(row for row in drawn if keys[row] == key)
        assert _spread(seen) <= 1


@given(st.integers(1, 20), st.integers(1, 200), st.sampled_from([0.25, 0.5]), st.integers(0, 9))
def test_synthetic_rows_get_their_share_of_a_class_that_has_both(
    real: int, made: int, share: float, seed: int
) -> None:
    targets = [0] * 60 + [1] * (real + made)
    origins = ["real"] * (60 + real) + ["synthetic"] * made
    sampler = ClassBalancedSampler(synthetic=share)
    drawn = list(sampler.build(targets, ["p"] * len(targets), _generator(seed), origins))
    found = Counter((targets[row], origins[row]) for row in drawn)
    assert len(drawn) == len(targets)
    assert abs(found[1, "synthetic"] - share * (found[1, "synthetic"] + found[1, "real"])) <= 0.5
    assert found[0, "real"] == len(targets) - found[1, "real"] - found[1, "synthetic"]
    for kind in ("real", "synthetic"):
        rows = range(60, len(targets))
        each = Counter(row for row in drawn if row in rows and origins[row] == kind)
        assert _spread(Counter({row: each[row] for row in rows if origins[row] == kind})) <= 1


def test_without_a_share_origins_change_nothing() -> None:
    targets, groups = [0, 0, 0, 1, 1], ["p"] * 5
    plain = list(ClassBalancedSampler().build(targets, groups, _generator(3)))
    kinds = ["real", "synthetic", "real", "synthetic", "synthetic"]
    assert list(ClassBalancedSampler().build(targets, groups, _generator(3), kinds)) == plain


def test_order_is_the_generators_and_differs_from_epoch_to_epoch() -> None:
    targets, groups = [0] * 30 + [1] * 10, [str(i // 4) for i in range(40)]
    for sampler in (Shuffle(), ClassBalancedSampler(), PatientBalanced()):
        first = list(sampler.build(targets, groups, _generator(5)))
        assert first == list(sampler.build(targets, groups, _generator(5)))
        assert first != list(sampler.build(targets, groups, _generator(6)))
