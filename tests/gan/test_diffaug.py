"""Differentiable augmentation: gradients pass, nothing changes at strength 0, ranges hold."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from leukreg_gan.diffaug import Policy, augmented, noisy

PARTS = [Policy(colour=0.5), Policy(translation=0.25), Policy(cutout=0.5)]


def images(n: int = 4, size: int = 16, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, 3, size, size, generator=generator) * 2 - 1


def test_nothing_changes_at_strength_zero() -> None:
    assert torch.equal(augmented(images(), Policy()), images())


@pytest.mark.parametrize("policy", PARTS)
def test_each_part_changes_images_and_passes_gradients(policy: Policy) -> None:
    torch.manual_seed(1)
    given_images = images().requires_grad_(True)
    changed = augmented(given_images, policy)
    assert changed.shape == given_images.shape
    assert not torch.equal(changed, given_images)
    changed.square().sum().backward()
    assert given_images.grad is not None
    assert given_images.grad.flatten(1).abs().sum(dim=1).min() > 0


@pytest.mark.parametrize("policy", PARTS)
def test_images_of_a_batch_are_changed_each_in_its_own_way(policy: Policy) -> None:
    torch.manual_seed(1)
    same = images(1).expand(6, -1, -1, -1)
    changed = augmented(same, policy)
    assert len({picture.numpy().tobytes() for picture in changed}) > 1


@given(seed=st.integers(0, 10_000), share=st.floats(0.05, 0.5))
@settings(max_examples=30, deadline=None)
def test_a_shift_moves_whole_pixels_and_brings_in_grey(seed: int, share: float) -> None:
    torch.manual_seed(seed)
    size = 12
    whole = images(1, size, seed) + 2  # no pixel is 0
    moved = augmented(whole, Policy(translation=share))[0]
    most = round(size * share)
    inside = torch.nn.functional.pad(whole[0], (most,) * 4)
    windows = [
        inside[:, y : y + size, x : x + size]
        for y in range(2 * most + 1)
        for x in range(2 * most + 1)
    ]
    assert any(torch.equal(moved, window) for window in windows)


@given(seed=st.integers(0, 10_000), share=st.floats(0.1, 0.9))
@settings(max_examples=30, deadline=None)
def test_a_cut_is_one_grey_rectangle_no_larger_than_asked(seed: int, share: float) -> None:
    torch.manual_seed(seed)
    size = 16
    cut = augmented(torch.ones(1, 3, size, size), Policy(cutout=share))[0]
    hole = cut[0] == 0
    assert torch.equal(cut, (~hole).float().expand(3, -1, -1))
    rows, columns = hole.any(dim=1), hole.any(dim=0)
    assert torch.equal(hole, rows[:, None] & columns[None])
    assert max(rows.sum(), columns.sum()) <= round(size * share) + 1


def test_colour_keeps_a_grey_image_without_contrast_grey() -> None:
    torch.manual_seed(0)
    changed = augmented(torch.zeros(5, 3, 4, 4), Policy(colour=0.4))
    assert torch.allclose(changed, changed[:, :1, :1, :1].expand_as(changed), atol=1e-6)
    assert changed.abs().max() <= 0.4


def test_no_noise_changes_and_draws_nothing() -> None:
    before = torch.get_rng_state()
    whole = images()
    assert noisy(whole, 0.0) is whole
    assert torch.equal(before, torch.get_rng_state())


@given(seed=st.integers(0, 10_000), most=st.floats(0.01, 1.0))
@settings(max_examples=30, deadline=None)
def test_noise_has_a_deviation_for_each_image_up_to_the_most(seed: int, most: float) -> None:
    torch.manual_seed(seed)
    whole = images(32, 32, seed)
    added = (noisy(whole, most) - whole).flatten(1)
    deviations = added.std(dim=1)
    # 3,072 normal figures: their deviation is known to about 1.3 %.
    assert deviations.max() < most * 1.08
    assert 0.2 * most < deviations.mean() < 0.8 * most
    assert deviations.max() > 2 * deviations.min()
    assert (added.mean(dim=1).abs() < 0.1 * most).all()


def test_gradients_pass_through_noise() -> None:
    whole = images().requires_grad_(True)
    noisy(whole, 0.3).sum().backward()
    assert whole.grad is not None
    assert torch.equal(whole.grad, torch.ones_like(whole))
