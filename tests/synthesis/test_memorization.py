"""Planted copies are found, new pictures are not."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from leukreg.synthesis import memorization
from leukreg.synthesis.memorization import Memorized, find_copies
from tests.synthesis.pictures import grid, pictures

Pixels = NDArray[np.uint8]
TRAINING = pictures(150, 48, seed=1)
SOME = TRAINING[40:70]


def copies(fake: Pixels, training: Pixels = TRAINING) -> Memorized:
    extractor = grid()
    return find_copies(training, fake, extractor.features(training), extractor.features(fake))


def recompressed(pixels: Pixels, quality: int) -> Pixels:
    def once(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        data = io.BytesIO()
        Image.fromarray(image).save(data, "JPEG", quality=quality)
        return np.asarray(Image.open(data))

    return np.stack([once(image) for image in pixels])


def noisy(pixels: Pixels) -> Pixels:
    noise = np.random.default_rng(0).normal(0, 8, pixels.shape)
    return (pixels + noise).clip(0, 255).astype(np.uint8)


CHANGES = {
    "exact": lambda x: x,
    "flipped": lambda x: x[:, :, ::-1],
    "upside down": lambda x: x[:, ::-1],
    "turned": lambda x: np.rot90(x, 1, (1, 2)),
    "turned and flipped": lambda x: np.rot90(x[:, ::-1], 3, (1, 2)),
    "recompressed": lambda x: recompressed(x, 75),
    "recompressed hard and flipped": lambda x: recompressed(x[:, :, ::-1], 30),
    "brighter": lambda x: np.minimum(x, 245) + 10,
    "blurred": lambda x: gaussian_filter(x, (0, 1, 1, 0)),
    "noisy": noisy,
}


@pytest.mark.parametrize("change", CHANGES)
def test_copies_are_found_with_what_they_copy(change: str) -> None:
    found = copies(np.ascontiguousarray(CHANGES[change](SOME)))
    assert found.copies == tuple(range(len(SOME)))
    assert found.nearest == tuple(range(40, 70))
    assert max(found.closeness) < 0.6


def test_new_pictures_are_no_copies() -> None:
    found = copies(pictures(1000, 48, seed=2))
    assert len(found.copies) < 10
    assert 0.8 < np.median(found.closeness) < 1.5


def test_copies_among_new_pictures_are_told_by_position() -> None:
    fake = pictures(20, 48, seed=3)
    fake[[4, 17]] = TRAINING[[9, 3], :, ::-1]
    found = copies(fake)
    assert found.copies == (4, 17)
    assert [found.nearest[place] for place in (4, 17)] == [9, 3]


def test_doubles_among_training_images_hide_no_copy() -> None:
    training = np.concatenate([TRAINING, TRAINING, TRAINING, TRAINING])
    assert copies(recompressed(SOME, 75), training).copies == tuple(range(len(SOME)))


def test_a_moved_copy_is_found_by_its_features() -> None:
    found = copies(np.roll(TRAINING[:20], 3, axis=2))
    assert len(found.copies) >= 15


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_few_training_images_do(n: int) -> None:
    fake = np.concatenate([TRAINING[:1], pictures(3, 48, seed=5)])
    found = copies(fake, TRAINING[:n])
    assert found.copies == ((0,) if n else ())
    assert copies(fake[:0], TRAINING[:n]).copies == ()


@pytest.mark.parametrize("size", [16, 33, 64])
def test_small_pictures_turn_as_the_images_do(size: int) -> None:
    images = pictures(3, size)
    small = memorization.SmallPictures.of(images)
    ways = [memorization.turned(small.fine, way) for way in range(memorization.WAYS)]
    for way, expected in enumerate(ways):
        whole = memorization.turned(images.astype(np.float32), way).astype(np.uint8)
        assert np.allclose(memorization.SmallPictures.of(whole).fine, expected, atol=1e-3)
    assert all(not np.allclose(a, b) for i, a in enumerate(ways) for b in ways[:i])


def test_nearest_pictures_are_those_of_a_plain_search() -> None:
    one, other = (
        memorization.SmallPictures.of(pictures(30, seed=7)),
        memorization.SmallPictures.of(pictures(50, seed=8)),
    )
    found, apart = one.nearest(other)
    ways = [memorization.turned(one.coarse, way)[:, None] for way in range(memorization.WAYS)]
    coarse = np.min([((way - other.coarse) ** 2).sum((2, 3, 4)) for way in ways], axis=0)
    assert np.array_equal(found[:, 0], coarse.argmin(1))
    assert (apart[:, 0] >= one.apart(other.only(found[:, 0])) - 1e-3).all()
    itself = np.arange(len(one))
    found, apart = one.nearest(one, 3, itself=itself)
    assert not (found == itself[:, None]).any()
    assert (apart > 1).all()
