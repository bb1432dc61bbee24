"""Who is taught by synthetic images: both pupils learn what is there, the network from pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from leukreg.synthesis import downstream
from leukreg.synthesis.downstream import DownstreamClassifier, classifier_of
from tests.synthesis.cells import cells


class NoEye:
    """The network looks at pixels, never through an extractor."""


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downstream, "STEPS", 60)


def network() -> DownstreamClassifier:
    return classifier_of("network", NoEye())  # type: ignore[arg-type]


def answers(a: int = 40, b: int = 40) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """What a network says of ten unseen cells of each class, taught by so many others."""
    taught = np.concatenate([cells("a", 50)[:a], cells("b", 50)[:b]])
    model = network().taught(taught, np.repeat([0, 1], [a, b]))
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
    own = network()
    large = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
    wanted = large.reshape(3, 32, 2, 32, 2, 3).mean(axis=(2, 4))
    assert np.abs(own.made(large) - wanted).max() <= 0.5
    small = large[:, :16, :16]
    assert own.real(small) is small
    assert len(own.real(large[:0])) == 0


def test_unlearned_noise_teaches_nothing() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (40, 16, 16, 3), np.uint8)
    model = network().taught(noise, np.repeat([0, 1], 20))
    found = model(np.concatenate([cells("a", 20), cells("b", 20)]))
    assert 0.2 < (found == np.repeat([0, 1], 20)).mean() < 0.8
