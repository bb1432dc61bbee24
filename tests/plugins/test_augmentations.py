"""Augmentations: types and shapes, seeds, and what each step does to known pixels."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from leukreg_plugins import plugins_in
from leukreg_plugins.augmentations import (
    Advanced,
    Conservative,
    History,
    StainJitter,
)
from leukreg_plugins.nn.transforms import (
    HED,
    Affine,
    Blur,
    Erase,
    Light,
    Stain,
    _grid,
    right_angles,
)
from torch.nn import functional as F

from leukreg import ImageSpec


def _images(n: int = 6, size: int = 32) -> torch.Tensor:
    """Smooth coloured blobs on a pale ground, uint8 ``(n, 3, size, size)``."""
    draw = torch.Generator().manual_seed(0)
    coarse = torch.rand(n, 3, 4, 4, generator=draw) * 200 + 30
    return F.interpolate(coarse, size=(size, size), mode="bilinear").to(torch.uint8)


@settings(max_examples=24, deadline=None)
@given(
    which=st.sampled_from(plugins_in("augmentations")),
    n=st.integers(0, 5),
    size=st.sampled_from([1, 2, 7, 16, 33]),
    seed=st.integers(0, 99),
)
def test_any_batch_keeps_its_shape_type_and_pixels(
    which: Any, n: int, size: int, seed: int
) -> None:
    draw = torch.Generator().manual_seed(seed)
    batch = torch.randint(0, 256, (n, 3, size, size), dtype=torch.uint8, generator=draw)
    before = batch.clone()
    out = which().build(ImageSpec(size=size))(batch)
    assert out.dtype == torch.uint8
    assert out.shape == batch.shape
    assert torch.equal(batch, before)


@pytest.mark.parametrize("which", plugins_in("augmentations"))
def test_seed_decides_and_every_image_has_its_own_draw(which: Any) -> None:
    change = which().build(ImageSpec(size=32))
    batch = _images(1).repeat(12, 1, 1, 1)
    runs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        runs.append(change(batch))
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])
    assert len({image.numpy().tobytes() for image in runs[0]}) > 4


@pytest.mark.parametrize(
    "still",
    [
        History(rotation=0.0, shift=0.0, zoom=0.0, flip="none"),
        StainJitter(strength=0.0, bias=0.0, right_angles=False),
        StainJitter(space="rgb", strength=0.0, bias=0.0, right_angles=False),
    ],
)
def test_ranges_of_zero_change_nothing(still: Any) -> None:
    batch = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16).repeat(2, 3, 1, 1)
    assert torch.equal(still.build(ImageSpec(size=16))(batch), batch)


def test_chunks_change_nothing_but_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    from leukreg_plugins.nn import transforms

    monkeypatch.setattr(transforms, "CHUNK_PIXELS", 32 * 32 * 4)
    batch = _images(10)
    out = History(rotation=0.0, shift=0.0, zoom=0.0, flip="none").build(ImageSpec(size=32))(batch)
    assert torch.equal(out, batch)


def test_conservative_moves_pixels_without_resampling_them() -> None:
    batch = _images()
    change = Conservative(brightness=0.0, contrast=0.0).build(ImageSpec(size=32))
    out = change(batch)
    assert torch.equal(out.flatten(2).sort().values, batch.flatten(2).sort().values)


def test_right_angles_gives_all_eight_ways() -> None:
    torch.manual_seed(0)
    image = torch.arange(3 * 5 * 5, dtype=torch.uint8).reshape(1, 3, 5, 5)
    out = right_angles(image.repeat(200, 1, 1, 1))
    expected = {
        view.contiguous().numpy().tobytes()
        for turns in range(4)
        for turned in [image[0].rot90(turns, (1, 2))]
        for view in (turned, turned.flip(2))
    }
    assert {each.numpy().tobytes() for each in out} == expected
    assert len(expected) == 8


def test_grid_is_torchs_own() -> None:
    theta = torch.randn(3, 2, 3, generator=torch.Generator().manual_seed(0))
    expected = F.affine_grid(theta, [3, 3, 7, 9], align_corners=False)
    torch.testing.assert_close(_grid(theta, 7, 9), expected)


def test_affine_mirrors_and_shifts_by_whole_pixels() -> None:
    batch = _images(64).float()
    torch.manual_seed(0)
    out = Affine(flip_x=True)(batch)
    ways = [
        "same" if torch.allclose(o, i, atol=1e-2) else "mirrored"
        for o, i in zip(out, batch, strict=True)
    ]
    for o, i, way in zip(out, batch, ways, strict=True):
        if way == "mirrored":
            torch.testing.assert_close(o, i.flip(2), atol=1e-2, rtol=0)
    assert set(ways) == {"same", "mirrored"}


def test_affine_stays_within_its_ranges() -> None:
    torch.manual_seed(0)
    many = torch.empty(2000, 3, 1, 1)
    theta = Affine(rotation=20, zoom=0.1, shift=0.1).draw(many)
    angle = torch.atan2(theta[:, 1, 0], theta[:, 0, 0]).rad2deg()
    scale = theta[:, :, :2].det().sqrt()
    assert angle.abs().max() <= 20.001
    assert angle.abs().max() > 19
    assert 1 / 1.1 - 1e-4 <= scale.min() < 0.92
    assert 1.1 < scale.max() <= 1 / 0.9 + 1e-4
    assert theta[:, :, 2].abs().max() <= 0.2001  # a tenth of the side, which is two units long


def test_light_keeps_grey_grey_and_brightens_as_told() -> None:
    grey = torch.full((50, 3, 4, 4), 100.0)
    torch.manual_seed(0)
    out = Light(saturation=0.5, hue=90.0, contrast=0.5)(grey)
    torch.testing.assert_close(out, grey, atol=1e-2, rtol=0)
    bright = Light(brightness=0.1)(grey) / grey
    assert 0.9 <= bright.min() < 0.92
    assert 1.08 < bright.max() <= 1.1
    torch.testing.assert_close(bright, bright[:, :1, :1, :1].expand_as(bright))


def test_stain_scales_one_stains_density_and_no_other() -> None:
    vectors = torch.tensor(HED)
    amounts = torch.rand(40, 3, 1, 1) * 0.4
    density = torch.einsum("nshw,sc->nchw", amounts, vectors)
    torch.manual_seed(0)
    out = Stain(strength=0.2)(density.neg().exp() * 256 - 1)
    back = torch.einsum("nchw,cs->nshw", -((out + 1) / 256).log(), vectors.inverse())
    factor = back / amounts
    assert 0.799 <= factor.min() < 0.83
    assert 1.17 < factor.max() <= 1.201


def test_stain_leaves_white_white_without_a_bias() -> None:
    white = torch.full((5, 3, 4, 4), 255, dtype=torch.uint8)
    change = StainJitter(strength=0.5, bias=0.0).build(ImageSpec(size=4))
    assert torch.equal(change(white), white)


def test_blur_keeps_the_mean_of_a_line_and_spreads_a_point() -> None:
    point = torch.zeros(1, 3, 5, 5)
    point[:, :, 2, 2] = 16.0
    out = Blur(1.0)(point)
    assert out[0, 0, 1:4, 1:4].tolist() == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
    assert torch.equal(Blur(0.0)(point), point)


def test_erase_fills_a_rectangle_of_its_size_with_the_mean() -> None:
    torch.manual_seed(0)
    batch = torch.rand(100, 3, 64, 64) * 255
    out = Erase(1.0)(batch.clone())
    share = (out != batch).any(dim=1).float().mean(dim=(1, 2))
    assert 0.015 <= share.min() < 0.04
    assert 0.13 < share.max() <= 0.17
    changed = (out[0] != batch[0]).any(dim=0)
    torch.testing.assert_close(out[0][:, changed].mean(1), batch[0].mean((1, 2)))
    assert torch.equal(Erase(0.0)(batch), batch)


def test_advanced_erases_and_blurs_only_on_demand() -> None:
    options = {"rotation": 0.0, "shift": 0.0, "zoom": 0.0, "shear": 0.0, "brightness": 0.0}
    calm = Advanced(
        **options, contrast=0.0, saturation=0.0, hue=0.0, blur=0.0, erase=0.0
    ).build(ImageSpec(size=32))  # fmt: skip
    batch = _images(1)
    ways = {o.numpy().tobytes() for o in calm(batch.repeat(60, 1, 1, 1))}
    expected = {
        v.contiguous().numpy().tobytes()
        for v in (batch, batch.flip(2), batch.flip(3), batch.flip(2, 3))
    }
    assert ways == expected
