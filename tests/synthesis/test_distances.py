"""The figures agree with an independent computation of the same formulas."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

import leukreg
from leukreg import kid
from leukreg.errors import DataError
from leukreg.synthesis.distances import (
    density_coverage,
    fid,
    figures,
    floor,
    precision_recall,
    told_apart,
)

Array = NDArray[np.float64]


def sets(n: int, m: int, d: int, seed: int, shift: float = 0.3) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(d, d)) / d**0.5
    return np.abs(rng.normal(size=(n, d)) @ mix), np.abs(rng.normal(shift, 1.1, (m, d)) @ mix)


def plain_kid(a: Array, b: Array) -> float:
    """The unbiased squared MMD over whole sets, kernel by kernel."""
    n, m, d = len(a), len(b), a.shape[1]
    inner = sum((a[i] @ a[j] / d + 1) ** 3 for i, j in product(range(n), range(n)) if i != j)
    other = sum((b[i] @ b[j] / d + 1) ** 3 for i, j in product(range(m), range(m)) if i != j)
    across = sum((x @ y / d + 1) ** 3 for x in a for y in b)
    return float(inner / (n * (n - 1)) + other / (m * (m - 1)) - 2 * across / (n * m))


def plain_fid(a: Array, b: Array) -> float:
    one, two = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(one @ two).real
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(one + two - 2 * root))


def plain_variety(real: Array, fake: Array) -> tuple[float, float, float, float]:
    def reach(own: Array, k: int) -> Array:
        return np.sort(cdist(own, own), axis=1)[:, k]

    apart = cdist(real, fake)
    inside = apart < reach(real, 5)[:, None]
    return (
        float((apart <= reach(real, 3)[:, None]).any(0).mean()),
        float((apart <= reach(fake, 3)[None]).any(1).mean()),
        float(inside.sum() / 5 / len(fake)),
        float(inside.any(1).mean()),
    )


@pytest.mark.parametrize(("n", "m", "d"), [(60, 60, 6), (90, 41, 4)])
def test_fid_precision_recall_density_and_coverage_agree(n: int, m: int, d: int) -> None:
    real, fake = sets(n, m, d, seed=n)
    assert fid(real, fake) == pytest.approx(plain_fid(real, fake), abs=1e-3)
    found = (*precision_recall(real, fake), *density_coverage(real, fake))
    assert found == pytest.approx(plain_variety(real, fake), abs=1e-3)


def test_kid_over_whole_sets_agrees() -> None:
    real, fake = sets(25, 25, 5, seed=1)
    mean, deviation = kid(real, fake, subset_size=25, subsets=3)
    assert mean == pytest.approx(plain_kid(real, fake), abs=1e-9)
    assert deviation == pytest.approx(0, abs=1e-9)


def library_kid(
    real: Array, fake: Array, size: int, subsets: int, seed: int
) -> tuple[float, float]:
    import torch

    from leukreg.synthesis.distances import _library

    found = _library().metric_kid.kid_features_to_metric(
        torch.from_numpy(real),
        torch.from_numpy(fake),
        kid_subset_size=size,
        kid_subsets=subsets,
        rng_seed=seed,
        verbose=False,
    )
    return found["kernel_inception_distance_mean"], found["kernel_inception_distance_std"]


@settings(max_examples=25, deadline=None)
@given(st.integers(4, 60), st.integers(4, 60), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_kid_is_torch_fidelitys_to_the_last_places(n: int, m: int, d: int, seed: int) -> None:
    real, fake = sets(n, m, d, seed)
    size = max(2, min(n, m) // 2)
    expected = library_kid(real, fake, size, 20, seed)
    assert kid(real, fake, seed, subsets=20) == pytest.approx(expected, rel=1e-6, abs=1e-10)


def test_kid_of_large_sets_with_small_subsets_is_the_librarys_own() -> None:
    real, fake = sets(300, 300, 4, seed=2)
    expected = library_kid(real, fake, 20, 5, 7)
    assert kid(real, fake, 7, subset_size=20, subsets=5) == pytest.approx(expected, rel=1e-9)


def test_too_few_images_are_refused_and_kid_is_offered() -> None:
    real, fake = sets(40, 15, 8, seed=3)
    with pytest.raises(DataError, match=r"16 images on each side.*15 fake.*KID"):
        fid(real, fake)
    assert fid(real, sets(16, 16, 8, seed=4)[1]) >= 0
    with pytest.raises(DataError, match="at least 2 images"):
        kid(real, fake[:1])


def test_only_distances_and_the_extractor_of_inception_import_torch_fidelity() -> None:
    root = Path(leukreg.__file__).parents[1]
    found = {
        path.relative_to(root).as_posix()
        for package in ("leukreg", "plugins/leukreg_plugins", "gan/leukreg_gan")
        for path in (root / package).rglob("*.py")
        if re.search(r"^\s*(import|from) torch_fidelity", path.read_text(encoding="utf-8"), re.M)
    }
    extractors = "plugins/leukreg_plugins/extractors.py"
    assert found == {"leukreg/synthesis/distances.py", extractors}


def drawn(n: int, seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, (n, 6)).astype(np.float32)


def test_alike_sets_are_near_their_floor_and_others_far_above() -> None:
    real = drawn(400, 0)
    least = floor(real)
    alike, other = figures(real, drawn(400, 1)), figures(real, drawn(400, 1, shift=1.0))
    assert least.kid > 0
    assert least.fid is not None
    assert alike.fid is not None
    assert other.fid is not None
    assert abs(alike.kid) < 4 * least.kid < other.kid / 5
    assert alike.fid < 2 * least.fid < other.fid / 5
    assert alike.coverage == pytest.approx(least.coverage, abs=0.06)
    assert other.coverage < 0.8 * least.coverage


def test_the_same_seed_gives_the_same_figures_and_another_others() -> None:
    real, fake = drawn(80, 0), drawn(60, 1)
    assert figures(real, fake, 3) == figures(real, fake, 3) != figures(real, fake, 4)
    assert floor(real, 3) == floor(real, 3) != floor(real, 4)


def test_more_images_on_one_side_do_not_flatter_coverage() -> None:
    real = drawn(200, 0)
    few, many = drawn(200, 1), drawn(2000, 1)
    assert figures(real, many).coverage == pytest.approx(figures(real, few).coverage, abs=0.05)


def test_fid_is_left_out_where_there_are_too_few() -> None:
    assert figures(drawn(12, 0), drawn(12, 1)).fid is not None
    assert figures(drawn(12, 0), drawn(11, 1)).fid is None
    assert floor(drawn(23, 0)).fid is None
    assert floor(drawn(24, 0)).fid is not None


def normals(n: int, shift: float, seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    features = np.random.default_rng(seed).normal(size=(n, 16))
    return (features + np.eye(16)[0] * shift).astype(np.float32)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_what_is_alike_is_not_told_apart(seed: int) -> None:
    assert 0.3 < told_apart(normals(150, 0, seed), normals(200, 0, seed + 5000), seed) < 0.7


def test_what_differs_is_told_apart_however_many_there_are_of_it() -> None:
    found = [told_apart(normals(600, 0, 1), normals(60, shift, 2)) for shift in (0.0, 3.0, 12.0)]
    assert found[0] < found[2]
    assert found[2] > 0.98
    assert told_apart(normals(600, 0, 1), normals(600, 6.0, 2)) > 0.98
