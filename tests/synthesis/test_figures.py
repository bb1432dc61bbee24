from __future__ import annotations

import numpy as np
import pytest

from leukreg.synthesis.figures import figures, floor


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
