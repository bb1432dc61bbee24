"""Stain matching: the look is carried over, the same each time, and pictures stay pictures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leukreg_gan.donor import (
    TOGETHER,
    StainMatch,
    StainStatistics,
    axes,
    colours,
    stain_statistics,
    together,
)
from numpy.typing import NDArray


def pictures(seed: int, n: int = 4, side: int = 12) -> NDArray[np.uint8]:
    """Pale ground, a stained blob and a little noise, as cells have."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] - side / 2
    ground, stain = rng.uniform(190, 250, 3), rng.uniform(60, 170, 3)
    radius = rng.uniform(side / 5, side / 2.5, n)
    inside = (np.hypot(y, x)[None] < radius[:, None, None])[..., None]
    noisy = np.where(inside, stain, ground) + rng.normal(0, 6, (n, side, side, 3))
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


SEEDS = st.integers(0, 2**32)


@settings(max_examples=60, deadline=None)
@given(donor=SEEDS, home=SEEDS)
def test_mean_and_deviation_become_those_of_home(donor: int, home: int) -> None:
    theirs, ours = pictures(donor), pictures(home)
    match = StainMatch(stain_statistics(theirs), stain_statistics(ours))
    moved = (axes(theirs) - match.source.mean) / match.source.deviation
    exact = moved * match.target.deviation + match.target.mean
    flat = exact.reshape(-1, 3)
    assert flat.mean(0) == pytest.approx(match.target.mean, abs=1e-9)
    assert flat.std(0) == pytest.approx(match.target.deviation, abs=1e-9)
    shown = colours(exact)
    matched = match(theirs)
    assert np.array_equal(matched, np.clip(np.rint(shown), 0, 255).astype(np.uint8))
    if shown.min() >= 0 and shown.max() <= 255:  # else what no screen shows is cut
        after = stain_statistics(matched)
        assert after.mean == pytest.approx(match.target.mean, abs=0.01)
        assert after.deviation == pytest.approx(match.target.deviation, abs=0.01)


def test_a_stained_and_tinted_copy_comes_back() -> None:
    ours = pictures(3, n=20, side=24)
    density = -np.log((ours.astype(float) + 1) / 256) * [1.15, 0.9, 1.2] + [0.02, 0.1, 0.05]
    theirs = np.clip(np.exp(-density) * 256 - 1, 0, 255).astype(np.uint8)
    before = np.abs(theirs.astype(int) - ours).mean()
    after = np.abs(
        StainMatch(stain_statistics(theirs), stain_statistics(ours))(theirs).astype(int) - ours
    ).mean()
    assert before > 10
    assert after < before / 3


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, n=st.integers(1, TOGETHER + 3))
def test_each_picture_is_matched_alike_however_many_there_are(seed: int, n: int) -> None:
    theirs = pictures(seed, n, side=4)
    match = StainMatch(stain_statistics(theirs), stain_statistics(pictures(seed + 1)))
    matched = match(theirs)
    assert np.array_equal(matched, match(theirs))
    assert np.array_equal(matched, np.concatenate([match(theirs[i : i + 1]) for i in range(n)]))
    assert matched.dtype == np.uint8


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS)
def test_a_source_that_looks_like_home_is_left_as_it_is(seed: int) -> None:
    own = pictures(seed)
    assert np.array_equal(StainMatch(stain_statistics(own), stain_statistics(own))(own), own)


def test_the_axes_can_be_gone_back_from() -> None:
    every = np.stack(np.meshgrid(*[np.arange(0, 256, 17)] * 3), axis=-1).astype(np.uint8)
    assert np.rint(colours(axes(every))).astype(int).tolist() == every.astype(int).tolist()


def test_grey_lies_on_the_first_axis() -> None:
    # LMS rows of the paper sum to nearly 1, so grey has nearly no alpha and beta.
    grey = np.full((1, 1, 1, 3), 128, np.uint8)
    assert np.abs(axes(grey)[..., 1:]).max() < 0.01


def test_pictures_of_one_colour_are_moved_and_not_scaled() -> None:
    plain = np.full((1, 4, 4, 3), 90, np.uint8)
    matched = StainMatch(stain_statistics(plain), stain_statistics(pictures(1)))(plain)
    assert len(np.unique(matched.reshape(-1, 3), axis=0)) == 1
    assert stain_statistics(matched).mean == pytest.approx(
        stain_statistics(pictures(1)).mean, abs=0.01
    )


def test_groups_count_alike_however_many_images_they_have() -> None:
    one, other = pictures(1, n=6), pictures(2, n=6)
    both = stain_statistics(np.concatenate([one, other]))
    merged = together([stain_statistics(one), stain_statistics(other)])
    assert merged.mean == pytest.approx(both.mean)
    assert merged.deviation == pytest.approx(both.deviation)
    lopsided = together([stain_statistics(np.repeat(one, 5, axis=0)), stain_statistics(other)])
    assert lopsided.mean == pytest.approx(both.mean)
    assert isinstance(merged, StainStatistics)
