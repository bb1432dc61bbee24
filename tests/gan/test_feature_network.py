"""The feature network: it learns what it is told, is then fixed, and the discriminator uses it."""

from __future__ import annotations

import discs
import numpy as np
import pytest
import torch
from leukreg_gan.cgan_networks import FeatureNetwork
from leukreg_gan.cgan_training import CganNetworks, condition_loss, learned, pretrain, right
from leukreg_gan.training_set import TrainingSet, training_set
from torch.nn import functional as F

from leukreg import SILENT, TrainingError


def told() -> TrainingSet:
    images = discs.discs(red=20, blue=20)
    labels = np.repeat([0, 1], 20)
    return training_set(images.array, np.eye(2, dtype=np.float32)[labels], labels)


def taught(steps: int, seed: int = 0, noise: float = 0.0) -> FeatureNetwork:
    torch.manual_seed(1)
    network = FeatureNetwork(32, 2)
    pretrain(network, told(), [2], steps, noise, seed, SILENT)
    return network


def test_it_learns_to_tell_conditions_apart_and_is_fixed_afterwards() -> None:
    network, rows = taught(12), told()
    images = rows.pixels.float().mul(2 / 255).sub(1)
    assert (network(images).argmax(dim=1) == rows.conditions.argmax(dim=1)).float().mean() > 0.9
    assert not network.training
    assert not any(weight.requires_grad for weight in network.parameters())


def test_the_same_seed_teaches_the_same_weights() -> None:
    one, two, other = taught(2), taught(2), taught(2, seed=1)
    pairs = zip(one.parameters(), two.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    assert not all(torch.equal(a, b) for a, b in pairs)


def test_it_is_taught_with_the_noise_that_it_will_be_shown() -> None:
    plain, through_noise = taught(12), taught(12, noise=0.5)
    torch.manual_seed(0)
    images = told().pixels.float().mul(2 / 255).sub(1)
    images = images + torch.randn_like(images) * 0.5
    right_answers = told().conditions.argmax(dim=1)
    losses = [F.cross_entropy(network(images), right_answers) for network in (plain, through_noise)]
    assert losses[1] < losses[0]


def test_the_discriminator_looks_through_noise_that_differs_with_each_look() -> None:
    images = torch.randn(4, 3, 32, 32)
    parts = CganNetworks(discs.tiny(), 32, 2, 0, "cpu")
    for noise, same in ((0.0, True), (0.3, False)):
        once, again = (parts.maps(images, False, noise) for _ in range(2))
        assert all(torch.equal(a, b) == same for a, b in zip(once, again, strict=True))


def test_noise_falls_with_the_learning_rate() -> None:
    settings = discs.tiny(steps=10, decay=0.5, feature_noise=0.2)
    most = [settings.noise(step) for step in range(1, 11)]
    assert most == pytest.approx([0.2] * 6 + [0.16, 0.12, 0.08, 0.04])
    assert discs.tiny(decay=0.0, feature_noise=0.2).noise(6) == 0.2


def test_the_loss_is_the_mean_of_cross_entropies_and_silence_teaches_nothing() -> None:
    torch.manual_seed(0)
    logits = torch.randn(3, 5, requires_grad=True)
    conditions = torch.zeros(3, 5)
    conditions[:, 1] = 1  # the first block says "1"; of the second nothing is known
    loss = condition_loss(logits, conditions, [2, 3])
    wanted = F.cross_entropy(logits[:, :2], torch.ones(3, dtype=torch.long)) / 2
    assert loss.item() == pytest.approx(wanted.item())
    loss.backward()
    assert logits.grad is not None
    assert not logits.grad[:, 2:].any()


def test_gradients_pass_through_it_only_where_they_teach() -> None:
    parts = CganNetworks(discs.tiny(), 32, 2, 0, "cpu")
    images = torch.randn(4, 3, 32, 32, requires_grad=True)
    assert not any(maps.requires_grad for maps in parts.maps(images, teaches=False))
    sum(maps.sum() for maps in parts.maps(images, teaches=True)).backward()  # type: ignore[union-attr]
    assert images.grad is not None
    assert images.grad.abs().sum() > 0


def test_without_it_the_discriminator_sees_pixels_alone() -> None:
    parts = CganNetworks(discs.tiny(feature_steps=0), 32, 2, 0, "cpu")
    assert parts.features is None
    assert len(parts.discriminator.looks) == 1
    assert parts.maps(torch.randn(2, 3, 32, 32), teaches=True) == ()
    assert "features" not in parts.state_dict()


def test_a_loss_that_is_no_number_names_the_step_and_the_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("leukreg_gan.cgan_training.PEAK_LR", 1e30)
    with pytest.raises(TrainingError, match=r"step \d+ of teaching .* is nan.*feature_steps = 0"):
        taught(20)


class Sure(FeatureNetwork):
    """Always gives the same answer."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.tensor([2.0, 1.0, 0.0, 5.0]).expand(len(images), 4)


def test_right_answers_are_counted_by_block_where_something_is_told() -> None:
    plain = told()
    vectors = np.zeros((40, 4), np.float32)
    vectors[:20, 0] = vectors[20:, 1] = 1  # the first block: half of it right
    vectors[:4, 2] = vectors[4:10, 3] = 1  # the second: told of ten, six right
    asked = training_set(discs.discs(20, 20).array, vectors, np.repeat([0, 1], 20))
    rows = torch.arange(len(plain))
    network = Sure(32, 4).eval()
    assert right(network, asked, rows, [2, 2]) == pytest.approx([0.5, 0.6])
    said = learned(network, asked, {"class": 2, "grain": 2})
    assert said == (
        "tells each of 2 conditions rightly on 55.0% in the mean (class worst, 50.0%) of 40"
    )
    vectors[:, 2:] = 0
    asked = training_set(discs.discs(20, 20).array, vectors, np.repeat([0, 1], 20))
    assert right(network, asked, rows, [2, 2]) == [0.5, None]
    assert learned(network, asked, {"class": 2, "grain": 2}) == "tells class rightly on 50.0% of 40"


def test_asking_what_was_learned_draws_nothing() -> None:
    network, rows = taught(2), told()
    before = torch.get_rng_state()
    learned(network, rows, {"class": 2})
    assert torch.equal(before, torch.get_rng_state())
    assert not network.training
