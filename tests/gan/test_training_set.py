"""What a batch is made of: balanced classes, turned images, and a tenth held out by seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from leukreg_gan.training_set import FEWEST, TrainingSet, held_out, training_set, turned


def stuff(*counts: int, size: int = 8) -> TrainingSet:
    """So many rows of each class, mixed; an image holds its row number, a condition its class."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    pixels = np.zeros((len(labels), size, size, 3), np.uint8)
    pixels[:] = np.arange(len(labels))[:, None, None, None]
    return training_set(pixels, np.eye(len(counts), dtype=np.float32)[labels], labels)


def classes_of(data: TrainingSet, rows: torch.Tensor) -> list[int]:
    found: list[int] = data.conditions[rows].argmax(dim=1).tolist()
    return found


@given(counts=st.lists(st.integers(1, 30), min_size=1, max_size=6), n=st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_balanced_batches_have_all_classes_equally_often(counts: list[int], n: int) -> None:
    torch.manual_seed(0)
    data = stuff(*counts)
    drawn = classes_of(data, data.rows(n, "class"))
    often = np.bincount(drawn, minlength=len(counts))
    assert often.max() - often.min() <= 1
    assert drawn == sorted(drawn)


def test_every_row_is_drawn_in_time_and_those_of_a_class_equally_often() -> None:
    torch.manual_seed(0)
    data = stuff(4, 20)
    rows = torch.cat([data.rows(24, "class") for _ in range(200)])
    often = np.bincount(rows.numpy(), minlength=24)
    scarce = np.array(classes_of(data, torch.arange(24))) == 0
    assert often[scarce].min() > 500
    assert 90 < often[~scarce].min() <= often[~scarce].max() < 160


def test_data_balance_takes_rows_as_they_are() -> None:
    torch.manual_seed(0)
    data = stuff(2, 38)
    drawn = np.bincount(classes_of(data, data.rows(4000, "data")), minlength=2)
    assert drawn[0] == pytest.approx(200, abs=60)


def test_a_batch_is_scaled_and_keeps_its_conditions() -> None:
    torch.manual_seed(0)
    data = stuff(100, 156)
    batch = data.batch(16, "class")
    rows = ((batch.images[:, 0, 0, 0] + 1) * 127.5).round().long()
    assert torch.equal(batch.conditions, data.conditions[rows])
    assert batch.images.min() >= -1
    assert batch.images.max() <= 1
    assert batch.images.is_contiguous(memory_format=torch.channels_last)


def test_images_are_turned_in_all_eight_ways_and_nothing_else() -> None:
    torch.manual_seed(0)
    picture = torch.arange(27, dtype=torch.uint8).view(1, 3, 3, 3)
    seen = {t.numpy().tobytes() for t in turned(picture.expand(200, -1, -1, -1))}
    wanted = {
        torch.rot90(side, k, (2, 3)).contiguous().numpy().tobytes()
        for side in (picture, picture.flip(3))
        for k in range(4)
    }
    assert seen == wanted


def alone(n: int) -> list[str]:
    """Groups of one row each."""
    return [str(row) for row in range(n)]


@given(counts=st.lists(st.integers(0, 3 * FEWEST), min_size=1, max_size=5), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_a_tenth_of_each_class_is_held_out_where_there_are_enough(
    counts: list[int], seed: int
) -> None:
    labels = np.repeat(np.arange(len(counts)), counts).tolist()
    held = held_out(labels, alone(len(labels)), seed)
    assert sorted(set(held.tolist())) == held.tolist()
    for label, count in enumerate(counts):
        own = sum(labels[row] == label for row in held)
        assert own == (count // 10 if count >= FEWEST else 0)
    assert np.array_equal(held, held_out(labels, alone(len(labels)), seed))


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 40)), min_size=FEWEST, max_size=6 * FEWEST
    ),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_groups_are_held_out_whole_and_never_more_than_a_tenth_of_a_class(
    rows: list[tuple[int, int]], seed: int
) -> None:
    labels, names = [label for label, _ in rows], [str(group) for _, group in rows]
    held = held_out(labels, names, seed)
    out = {names[row] for row in held}
    assert sorted(held.tolist()) == [row for row, name in enumerate(names) if name in out]
    for label in set(labels):
        count = labels.count(label)
        most = count // 10 if count >= FEWEST else 0
        assert sum(labels[row] == label for row in held) <= most


def test_patients_of_several_classes_are_held_out_with_all_their_cells() -> None:
    patients = [f"p{n % 20}" for n in range(400)]
    held = held_out([0] * 200 + [1] * 200, patients, 1)
    assert len(held) == 40
    assert len({patients[row] for row in held}) == 2


def test_a_class_of_one_patient_is_trained_on_whole() -> None:
    assert not len(held_out([0] * FEWEST, ["p1"] * FEWEST, 1))


def test_another_seed_holds_out_other_rows() -> None:
    one, other = (held_out([0] * 200, alone(200), seed) for seed in (1, 2))
    assert not np.array_equal(one, other)
