"""The extractor "cells" makes a distance: it grows with whatever is done to real cells."""

from __future__ import annotations

import colorsys
import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import cdist
from scipy.stats import spearmanr

from leukreg import kid, list_folder, open_extractor, open_images
from leukreg.synthesis.distances import density_coverage, fid, floor, precision_recall
from leukreg.synthesis.memorization import find_copies
from leukreg.types import ImageSpec

CELLS = Path(__file__).parents[3] / "shared" / "data" / "pbc128"
PER_CLASS = 136
STEPS = 5

Pixels = NDArray[np.uint8]
Features = NDArray[np.float32]

pytestmark = [
    pytest.mark.skipif(not CELLS.is_dir(), reason="real cells are not on this machine"),
    pytest.mark.xdist_group("cells"),
    pytest.mark.slow,
]


class Cells:
    """Real cells of two halves: one is compared with, the other is changed."""

    def __init__(self) -> None:
        listed = list_folder(CELLS, max_per_class=PER_CLASS)
        store = open_images(listed, ImageSpec(size=64))
        self.pixels = store.pixels(range(len(store)))
        self.labels = np.array([row.label for row in store.samples.rows])
        self.extractor = open_extractor("cells")
        self.features = self.extractor.features(self.pixels)
        rows = np.random.default_rng(6).permutation(len(store))
        self.real, self.rest = np.sort(rows[::2]), np.sort(rows[1::2])


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Cells:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEUKREG_CACHE", str(tmp_path_factory.mktemp("cache")))
        return Cells()


def blurred(pixels: Pixels, step: int) -> Pixels:
    return gaussian_filter(pixels, (0, 0.4 * step, 0.4 * step, 0))


def noisy(pixels: Pixels, step: int) -> Pixels:
    noise = np.random.default_rng(0).normal(0, 1, pixels.shape)
    return (pixels + 5 * step * noise).clip(0, 255).astype(np.uint8)


def turned_hue(pixels: Pixels, step: int) -> Pixels:
    """Hue turned by steps of 7 degrees: rotation of the colour plane in YIQ."""
    to = np.array([colorsys.rgb_to_yiq(*each) for each in np.eye(3)]).T
    angle = np.deg2rad(7 * step)
    turn = np.eye(3)
    turn[1:, 1:] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    whole = np.linalg.inv(to) @ turn @ to
    return (pixels @ whole.T).clip(0, 255).round().astype(np.uint8)


def distances(real: Features, fake: Features) -> tuple[float, float]:
    return fid(real, fake), kid(real, fake)[0]


def rises(found: list[tuple[float, float]]) -> None:
    for name, values in zip(("FID", "KID"), zip(*found, strict=True), strict=True):
        assert spearmanr(range(len(values)), values).statistic == pytest.approx(1.0), (name, values)


@pytest.mark.parametrize("change", [blurred, noisy, turned_hue])
def test_it_grows_with_what_is_done_to_pixels(
    cells: Cells, change: Callable[[Pixels, int], Pixels]
) -> None:
    some, real = cells.rest[::2], cells.features[cells.real]
    found = [distances(real, cells.features[some])]
    for step in range(1, STEPS + 1):
        fake = cells.extractor.features(change(cells.pixels[some], step))
        found.append(distances(real, fake))
    rises(found)


def test_it_grows_as_another_class_is_mixed_in(cells: Cells) -> None:
    other = np.flatnonzero(cells.labels == "monocyte")
    real = cells.features[np.setdiff1d(cells.real, other)]
    rest = np.setdiff1d(cells.rest, other)
    found = [
        distances(real, cells.features[np.concatenate([rest, other[: 25 * step]])])
        for step in range(STEPS + 1)
    ]
    rises(found)


def test_it_grows_as_a_class_is_dropped(cells: Cells) -> None:
    real = cells.features[cells.real]
    dropped = cells.rest[cells.labels[cells.rest] == "platelet"]
    found = []
    for step in range(STEPS + 1):
        gone = dropped[: step * len(dropped) // STEPS]
        found.append(distances(real, cells.features[np.setdiff1d(cells.rest, gone)]))
    rises(found)


def test_real_against_real_is_near_its_floor(cells: Cells) -> None:
    real, rest = cells.features[cells.real], cells.features[cells.rest]
    least = floor(real)
    assert least.fid is not None
    assert fid(real, rest) < 1.2 * least.fid
    assert abs(kid(real, rest)[0]) < 3 * least.kid
    assert density_coverage(real, rest)[1] == pytest.approx(least.coverage, abs=0.05)


def test_figures_agree_with_an_independent_computation(cells: Cells) -> None:
    real = cells.features[cells.real].astype(np.float64)
    fake = cells.features[cells.rest][: len(real)].astype(np.float64)
    one, two = np.cov(real, rowvar=False), np.cov(fake, rowvar=False)
    root = scipy.linalg.sqrtm(one @ two).real
    apart = ((real.mean(0) - fake.mean(0)) ** 2).sum() + np.trace(one + two - 2 * root)
    assert fid(real, fake) == pytest.approx(apart, abs=1e-3)

    def kernel(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        return (a @ b.T / a.shape[1] + 1) ** 3

    n = len(real)
    inner, other = kernel(real, real), kernel(fake, fake)
    both = inner.sum() - np.trace(inner) + other.sum() - np.trace(other)
    whole = both / (n * (n - 1)) - 2 * kernel(real, fake).mean()
    assert kid(real, fake, subset_size=n, subsets=1)[0] == pytest.approx(whole, abs=1e-6)
    mean, deviation = kid(real, fake)
    assert mean == pytest.approx(whole, abs=3 * deviation / 10 + 1e-3)
    across, own, others = cdist(real, fake), cdist(real, real), cdist(fake, fake)
    reach = {k: np.sort(own, axis=1)[:, [k]] for k in (3, 5)}
    precision = (across <= reach[3]).any(0).mean()
    recall = (across <= np.sort(others, axis=1)[:, 3]).any(1).mean()
    inside = across < reach[5]
    assert precision_recall(real, fake) == pytest.approx((precision, recall), abs=1e-3)
    variety = (inside.sum() / 5 / n, inside.any(1).mean())
    assert density_coverage(real, fake) == pytest.approx(variety, abs=1e-3)


def test_copies_are_found_and_new_cells_are_not(cells: Cells) -> None:
    training = cells.pixels[cells.real]
    turns = itertools.cycle([lambda x: x[:, ::-1], lambda x: np.rot90(x), lambda x: x])
    some = training[::10]
    planted = np.stack([turn(image) for image, turn in zip(some, turns, strict=False)])
    planted = noisy(planted, 1)
    fake = np.concatenate([planted, cells.pixels[cells.rest]])
    features = cells.extractor.features(planted)
    found = find_copies(
        training,
        fake,
        cells.features[cells.real],
        np.concatenate([features, cells.features[cells.rest]]),
    )
    assert found.copies[: len(planted)] == tuple(range(len(planted)))
    assert found.nearest[: len(planted)] == tuple(range(0, len(training), 10))
    assert len(found.copies) - len(planted) < 0.01 * len(cells.rest)
