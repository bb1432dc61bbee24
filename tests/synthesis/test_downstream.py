"""Who is taught by synthetic images: both pupils learn what is there, the network from pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from leukreg.progress import SILENT
from leukreg.synthesis import downstream
from leukreg.synthesis.downstream import SIDE, fakes_only, network, together
from leukreg.synthesis.extractor import shrunk
from tests.synthesis.cells import cells


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downstream, "STEPS", 60)


def answers(a: int = 40, b: int = 40) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """What a network says of ten unseen cells of each class, taught by so many others."""
    taught = np.concatenate([cells("a", 50)[:a], cells("b", 50)[:b]])
    model = network(taught, np.repeat([0, 1], [a, b]), SILENT)
    return model(np.concatenate([cells("a", 50)[40:], cells("b", 50)[40:]]))


def test_the_network_learns_to_tell_classes_apart() -> None:
    assert (answers() == np.repeat([0, 1], 10)).mean() > 0.9


def test_a_scarce_class_is_learned_as_well_as_the_other() -> None:
    found = answers(b=6)
    assert (found[10:] == 1).mean() >= 0.7


def test_answers_are_the_same_each_time_and_torch_draws_on_as_if_nothing_had_been() -> None:
    before = torch.get_rng_state()
    first, second = answers(), answers()
    assert (first == second).all()
    assert torch.equal(before, torch.get_rng_state())


def test_large_images_are_averaged_and_small_ones_stay() -> None:
    large = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
    wanted = large.reshape(3, 32, 2, 32, 2, 3).mean(axis=(2, 4))
    assert np.abs(shrunk(large, SIDE) - wanted).max() <= 0.5
    small = large[:, :16, :16]
    assert shrunk(small, SIDE) is small
    assert len(shrunk(large[:0], SIDE)) == 0


def test_unlearned_noise_teaches_nothing() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (40, 16, 16, 3), np.uint8)
    model = network(noise, np.repeat([0, 1], 20), SILENT)
    found = model(np.concatenate([cells("a", 20), cells("b", 20)]))
    assert 0.2 < (found == np.repeat([0, 1], 20)).mean() < 0.8


def test_classes_together_are_as_counted_at_once() -> None:
    parts = [fakes_only(1, 2, 3, 0.5, "network"), fakes_only(20, 30, 49, 0.5, "network")]
    assert together(parts) == fakes_only(21, 32, 52, 49 / 52, "network")
    assert together([parts[0], fakes_only(1, None, 3, 0.5, "network")]) == fakes_only(
        2, None, 6, 0.5, "network"
    )
    assert together([]) is None
