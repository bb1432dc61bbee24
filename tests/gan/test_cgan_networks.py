"""The networks: shapes, gradients, spectral norm, and that the condition really matters."""

from __future__ import annotations

import pytest
import torch
from leukreg_gan.cgan import Cgan
from leukreg_gan.cgan_networks import (
    ConditionalNorm,
    Discriminator,
    FeatureNetwork,
    Generator,
    Projection,
    widths,
)
from leukreg_gan.cgan_training import (
    averaged,
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    mismatch_loss,
    settle,
)
from torch import nn


def onehot(*which: int, of: int = 3) -> torch.Tensor:
    return torch.eye(of)[list(which)]


@pytest.mark.parametrize("size", Cgan.sizes)
def test_shapes_at_all_sizes(size: int) -> None:
    torch.manual_seed(0)
    generator, discriminator = Generator(size, 3, 4, 8), Discriminator(size, 3, 4)
    images = generator(torch.randn(2, 8), onehot(0, 2))
    assert images.shape == (2, 3, size, size)
    assert images.abs().max() <= 1
    assert discriminator(images, onehot(0, 2)).shape == (2, 1)
    features = FeatureNetwork(size, 3)
    looking = Discriminator(size, 3, 4, maps=features.shown)
    scores = looking(images, onehot(0, 2), features.maps(images))
    assert scores.shape == (2, 1 + len(features.shown))
    assert [side for _, side in features.shown] == [s for s in (64, 32, 16, 8, 4) if s < size // 2]
    assert features(images).shape == (2, 3)


def test_other_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="not 48"):
        widths(48, 16)


def test_every_parameter_gets_a_gradient() -> None:
    torch.manual_seed(0)
    features = FeatureNetwork(32, 3).eval().requires_grad_(False)
    generator = Generator(32, 3, 4, 8)
    discriminator = Discriminator(32, 3, 4, maps=features.shown)
    told = onehot(0, 1, 2, 1)
    images = generator(torch.randn(4, 8), told)
    generator_loss(discriminator(images, told, features.maps(images))).backward()
    for network in (generator, discriminator):
        idle = [
            name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()
        ]
        assert idle == []


def test_every_layer_of_the_discriminator_is_spectrally_normalised() -> None:
    torch.manual_seed(0)
    features = FeatureNetwork(32, 3)
    network = Discriminator(32, 3, 8, maps=features.shown).train()
    for _ in range(60):  # one power iteration each
        images = torch.randn(2, 3, 32, 32)
        network(images, onehot(0, 1), features.maps(images))
    network.eval()
    layers = [part for part in network.modules() if isinstance(part, nn.Conv2d | nn.Linear)]
    assert len(layers) == 10 + (3 + 1) + (3 + 0)
    for layer in layers:
        largest = torch.linalg.svdvals(layer.weight.detach().flatten(1))[0].item()
        assert largest == pytest.approx(1, abs=0.05)


def test_the_projection_term_tells_conditions_apart() -> None:
    """Score differences between conditions follow the image; without projection they cannot."""
    torch.manual_seed(0)
    network = Discriminator(32, 3, 8).eval()
    images = torch.randn(5, 3, 32, 32)
    with torch.no_grad():
        apart = network(images, onehot(0).expand(5, 3)) - network(images, onehot(1).expand(5, 3))
        (features,) = network.features(images)
        (look,) = network.looks
        direction = look.embed.weight[:, 0] - look.embed.weight[:, 1]  # type: ignore[operator]
    assert apart.std() > 1e-3
    assert torch.allclose(apart[:, 0], features @ direction, atol=1e-5)


def test_an_empty_condition_leaves_the_score_of_the_image_alone() -> None:
    network = Discriminator(32, 3, 8).eval()
    images = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        plain = network.own(network.features(images))
        assert torch.equal(network(images, torch.zeros(4, 3)), plain)


def test_the_generator_makes_other_images_under_other_conditions() -> None:
    torch.manual_seed(0)
    network = Generator(32, 3, 8, 8).eval()
    noise = torch.randn(1, 8)
    with torch.no_grad():
        one, two = network(noise, onehot(0)), network(noise, onehot(1))
        assert torch.equal(one, network(noise, onehot(0)))
    assert (one - two).abs().mean() > 0.02


def test_conditional_norm_is_batch_norm_with_the_conditions_gain_and_bias() -> None:
    torch.manual_seed(0)
    layer = ConditionalNorm(2, 3)
    maps = torch.randn(6, 2, 5, 5)
    told = onehot(0, 1, 2, 0, 1, 2)
    shown = layer(maps, told)
    gain, bias = layer.affine(told).chunk(2, dim=1)
    plain = nn.BatchNorm2d(2, affine=False)(maps)
    wanted = plain * (1 + gain)[:, :, None, None] + bias[:, :, None, None]
    assert torch.allclose(shown, wanted, atol=1e-6)


def test_hinge_losses() -> None:
    real, fake = torch.tensor([2.0, 0.0]), torch.tensor([-3.0, 0.5])
    assert discriminator_loss(real, fake).item() == pytest.approx(0.5 + 0.75)
    assert generator_loss(fake).item() == pytest.approx(1.25)


def test_only_wrong_conditions_cost_a_real_image_anything() -> None:
    scores = torch.tensor([0.5, 3.0, -2.0, 0.0])[:, None]
    wrong = torch.tensor([True, False, True, True])[:, None]
    assert mismatch_loss(scores, wrong).item() == pytest.approx((1.5 + 0 + 0 + 1) / 4)


def test_gradient_penalty_of_a_linear_score() -> None:
    images = torch.randn(3, 3, 4, 4, requires_grad=True)
    weight = torch.randn(3, 4, 4)
    score = (images * weight).sum(dim=(1, 2, 3))
    wanted = weight.square().sum().item() / 2
    penalty = gradient_penalty(score[:, None], images)
    assert penalty.item() == pytest.approx(wanted, rel=1e-5)
    looks = torch.stack([score, 2 * score, 3 * score], dim=1)  # (b, looks): their mean counts
    assert gradient_penalty(looks, images).item() == pytest.approx(4 * wanted, rel=1e-5)


def test_the_average_begins_fast_and_then_keeps_its_decay() -> None:
    layer = nn.Linear(1, 1, bias=False)
    average = averaged(layer, 0.5)  # type: ignore[arg-type]
    for value in (0.0, 1.0, 1.0):
        layer.weight.data.fill_(value)
        average.update_parameters(layer)
    # The first takes the weights as they are; then decays 2/11 and 3/12.
    assert average.module.weight.item() == pytest.approx(1 - 2 / 11 * 3 / 12)


def test_settled_statistics_are_those_of_the_averaged_weights() -> None:
    torch.manual_seed(0)
    network = Generator(32, 3, 4, 8)
    batches = [(torch.randn(16, 8), onehot(*[0, 1, 2, 0] * 4)) for _ in range(4)]
    settle(network, batches)
    assert not network.training
    one = batches[0]
    by_batch = network.train()(*one)
    by_statistics = network.eval()(*one)
    assert (by_batch - by_statistics).abs().mean() < 0.1
    assert all(n.momentum == 0.1 for n in network.modules() if isinstance(n, nn.BatchNorm2d))


def test_a_group_of_one_picture_is_told_from_a_group_of_many() -> None:
    """The second half of the features are deviations within a group: none where all are alike."""
    torch.manual_seed(0)
    network = Discriminator(32, 3, 8, batch=8).eval()
    many = torch.randn(8, 3, 32, 32)
    alike = many[:1].expand(8, -1, -1, -1)
    half = network.pixels.width
    with torch.no_grad():
        assert network.features(many)[0][:, half:].mean() > 0.05
        assert network.features(alike)[0][:, half:].max() < 0.002
        (both,) = network.features(torch.cat([many, alike]))
        assert torch.allclose(both[8:, half:], network.features(alike)[0][:, half:], atol=1e-5)


def test_groups_never_mix_two_batches() -> None:
    for batch in (2, 4, 6, 7, 64):
        assert batch % Projection(4, 3, batch).group == 0
