"""Preprocessings: what they do to known pixels, and to stains that differ."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from leukreg_plugins.nn.stain_normalisation import LEAST_APART
from leukreg_plugins.preprocessings import CentreCrop, Grey, Macenko, Reinhard
from PIL import Image
from torch import Tensor, nn

from leukreg import ImageSpec
from leukreg.testing import ExampleImages, example_samples
from leukreg.testing.examples import example_images

SIZE = 32
PIXELS = arrays(np.uint8, (2, 8, 8, 3), elements=st.integers(0, 255))


class Cells(ExampleImages):
    """Cells with a nucleus and pale red cells; every other row is the one before, stained anew."""

    def _draw(self, row: int) -> np.ndarray:
        rng = np.random.default_rng(row // 2)
        y, x = np.indices((SIZE, SIZE)) - SIZE / 2
        nucleus = np.hypot(y, x) < rng.uniform(6, 9)
        red = np.hypot(y % 16 - 8, x % 16 - 8) < 6
        amounts = np.stack([2.2 * nucleus, 0.6 * (red & ~nucleus)], -1) + rng.normal(
            0, 0.02, (SIZE, SIZE, 2)
        )
        light = 240 * np.exp(-amounts.clip(0.02) @ self.stains(row))
        return light.round().clip(0, 255).astype(np.uint8)

    def stains(self, row: int) -> np.ndarray:
        azure = np.array([0.55, 0.8, 0.2]) + 0.15 * (row % 2) * np.array([1, -1, 0])
        eosin = np.array([0.25, 0.65, 0.7])
        return np.stack([one / np.linalg.norm(one) for one in (azure, eosin)])


def cells(size: int = SIZE) -> Cells:
    return Cells(example_samples(2, 6), size)


def ready(plugin: Reinhard | Macenko) -> tuple[nn.Module, Tensor]:
    """The module, fitted on the cells, and their pixels."""
    images = cells()
    module = plugin.build(ImageSpec(size=SIZE))
    module.fit(images)
    return module, torch.from_numpy(images.pixels(range(len(images))))


def apart(images: Tensor) -> float:
    """How much the pixels of one cell differ between its two stains."""
    return float((images[::2].double() - images[1::2].double()).abs().mean())


def test_macenko_gives_two_stains_of_a_cell_one_look_and_then_rests() -> None:
    module, pixels = ready(Macenko())
    changed = module(pixels)
    assert apart(changed) < 0.3 * apart(pixels)
    assert not module.unfit(pixels).any()
    assert (module(changed).int() - changed.int()).abs().double().mean() < 2


def test_reinhard_takes_a_tint_away_and_then_rests() -> None:
    module, pixels = ready(Reinhard())
    pairs = pixels[::2].repeat_interleave(2, 0).double()
    pairs[1::2] *= torch.tensor([0.85, 1, 0.8])
    tinted = pairs.round().byte()
    changed = module(tinted)
    assert apart(changed) < 0.3 * apart(tinted)
    assert (module(changed).int() - changed.int()).abs().double().mean() < 2


def test_macenko_finds_the_stains_that_were_mixed_in_either_order() -> None:
    images = cells()
    module = Macenko().build(ImageSpec(size=SIZE))
    found, fits = module._stains(module._densities(torch.from_numpy(images.pixels(range(4)))))
    assert fits.all()
    for row in range(4):
        cosines = (found[row, :2].numpy() * images.stains(row)).sum(1)
        assert (cosines > 0.98).all()


def test_what_has_one_stain_alone_is_left_as_it_is_and_told() -> None:
    images = example_images(size=SIZE)  # violet discs on an unstained ground
    pixels = torch.from_numpy(images.pixels(range(8)))
    module = Macenko().build(ImageSpec(size=SIZE))
    module.fit(images)
    stains, fits = module._stains(module._densities(pixels))
    assert torch.equal(module.unfit(pixels), ~fits)
    few = stains[:, 1, 2] - stains[:, 0, 2] <= LEAST_APART
    assert (~fits)[few].all()
    assert torch.equal(module(pixels)[~fits], pixels[~fits])


@pytest.mark.parametrize("plugin", [Reinhard(), Macenko()])
@pytest.mark.parametrize("level", [0, 7, 255])
def test_an_even_picture_cannot_be_normalised(plugin: Reinhard | Macenko, level: int) -> None:
    module, _ = ready(plugin)
    flat = torch.full((1, SIZE, SIZE, 3), level, dtype=torch.uint8)
    assert module.unfit(flat).tolist() == [True]
    assert torch.equal(module(flat), flat)


@settings(max_examples=30, deadline=None)
@given(PIXELS)
def test_any_picture_keeps_its_shape_and_its_company_does_not_matter(pixels: np.ndarray) -> None:
    images = torch.from_numpy(pixels)
    for plugin in (Reinhard(), Macenko(), Grey()):
        module = plugin.build(ImageSpec(size=8))
        changed = module(images)
        assert changed.dtype == torch.uint8
        assert changed.shape == images.shape
        assert torch.equal(changed[1:], module(images[1:]))


@settings(max_examples=30, deadline=None)
@given(PIXELS)
def test_grey_is_pillows_and_a_second_time_changes_nothing(pixels: np.ndarray) -> None:
    module = Grey().build(ImageSpec(size=8))
    grey = module(torch.from_numpy(pixels))
    assert np.array_equal(grey[0, :, :, 0], np.asarray(Image.fromarray(pixels[0]).convert("L")))
    assert torch.equal(grey[..., 0], grey[..., 2])
    assert torch.equal(module(grey), grey)


@settings(max_examples=60, deadline=None)
@given(st.integers(8, 400), st.floats(0.1, 1))
def test_a_crop_takes_the_middle_of_an_image_larger_by_its_share(size: int, share: float) -> None:
    plugin = CentreCrop(share=share)
    large = plugin.before(ImageSpec(size=size)).size
    assert (large - size) % 2 == 0
    assert abs(large - size / share) <= 1 + 1e-9
    place = torch.arange(large, dtype=torch.float64) * 255 / large
    images = place.byte()[None, :, None, None].expand(1, large, 1, 3)
    if size <= 64:
        whole = images.expand(1, large, large, 3)
        middle = plugin.build(ImageSpec(size=size))(whole)
        edge = (large - size) // 2
        assert torch.equal(middle, whole[:, edge : edge + size, edge : edge + size])
