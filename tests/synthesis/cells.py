"""Pictures that look a little like cells, of two kinds, no two alike."""

from __future__ import annotations

from typing import Any

import numpy as np

SIZE = 16
Cell = np.ndarray[Any, np.dtype[np.uint8]]


def cells(label: str, n: int) -> Cell:
    """``n`` pictures ``(n, 16, 16, 3)``: class "a" round and blue, any other long and red.

    Pale cells lie around, so that each picture is its own.
    """
    rng = np.random.default_rng(sum(label.encode()))
    pictures = np.full((n, SIZE, SIZE, 3), 230.0)
    for picture in pictures:
        for _ in range(4):
            radius = rng.uniform(2, 5, 2)
            _put(picture, rng.uniform(0, SIZE, 2), radius, rng.uniform(0.1, 0.5, 3), rng)
        round_ = label == "a"
        radius = np.repeat(rng.uniform(3, 5), 2) if round_ else rng.uniform((5, 1.5), (7, 2.5))
        ink = np.array((0.9, 0.7, 0.1) if round_ else (0.1, 0.8, 0.6))
        _put(picture, rng.uniform(5, 10, 2), radius, ink + rng.normal(0, 0.05, 3), rng)
    noisy = pictures + rng.normal(0, 6, pictures.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def _put(picture: Any, middle: Any, radius: Any, ink: Any, rng: np.random.Generator) -> None:
    """An ellipse, in place."""
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    turn = rng.uniform(0, np.pi)
    across = (x - middle[0]) * np.cos(turn) + (y - middle[1]) * np.sin(turn)
    along = (y - middle[1]) * np.cos(turn) - (x - middle[0]) * np.sin(turn)
    far = (across / radius[0]) ** 2 + (along / radius[1]) ** 2
    inside = 1 / (1 + np.exp(np.minimum(3 * (far - 1), 50)))
    picture *= 1 - inside[..., None] * ink
