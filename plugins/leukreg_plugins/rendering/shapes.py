"""Outlines in polar form, for many cells at once, and noise for their texture."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Patches:
    """``n`` square windows of ``side`` pixels, one around each centre."""

    top: NDArray[np.int64]
    left: NDArray[np.int64]
    dx: Floats
    """Shape ``(n, side, side)``: pixels to the right of the centre."""
    dy: Floats
    r: Floats
    u: NDArray[np.complex64]
    """Unit vectors from the centre."""

    @property
    def side(self) -> int:
        return int(self.dx.shape[1])


def patches(centres: Floats, reach: float) -> Patches:
    """Windows around ``centres`` (shape ``(n, 2)``: x, y in pixels) that hold radius ``reach``."""
    side = 2 * int(np.ceil(reach)) + 2
    corner = np.floor(centres).astype(np.int64) - side // 2
    grid = np.arange(side, dtype=np.float32)
    offset = (corner - centres).astype(np.float32)
    dx = np.broadcast_to((offset[:, 0, None] + grid)[:, None, :], (len(centres), side, side))
    dy = np.broadcast_to((offset[:, 1, None] + grid)[:, :, None], (len(centres), side, side))
    return _polar(corner[:, 1], corner[:, 0], dx, dy)


def moved(at: Patches, shift: Floats) -> Patches:
    """The same windows seen from centres moved by ``shift`` (shape ``(n, 2)``, pixels)."""
    dx = at.dx - shift[:, 0, None, None]
    dy = at.dy - shift[:, 1, None, None]
    return _polar(at.top, at.left, dx, dy)


def _polar(top: NDArray[np.int64], left: NDArray[np.int64], dx: Floats, dy: Floats) -> Patches:
    z = (dx + 1j * dy).astype(np.complex64, copy=False)
    r = np.maximum(np.abs(z), 1e-3)
    return Patches(top, left, dx, dy, r, np.asarray(z / r, dtype=np.complex64))


def outline(at: Patches, radius: Floats, waves: NDArray[np.complex64]) -> Floats:
    """Radius of the outline in the direction of each pixel, in pixels.

    ``waves`` (shape ``(n, k)``) are relative amplitudes and phases of the harmonics 2 to k + 1.
    """
    turn = np.zeros_like(at.u)
    for wave in waves.T[::-1]:
        turn = (turn + wave[:, None, None]) * at.u
    return radius[:, None, None] * (1 + (turn * at.u).real)


def draw_waves(
    rng: np.random.Generator, amplitude: Floats, harmonics: int, decay: float = 1.2
) -> NDArray[np.complex64]:
    """Random harmonics 2 to ``harmonics``; higher ones fall as order to the power ``-decay``."""
    order = np.arange(2, harmonics + 1)
    shape = (len(amplitude), len(order))
    size = rng.rayleigh(1.0, shape) * amplitude[:, None] * (order / 2.0) ** -decay
    return np.asarray(size * np.exp(2j * np.pi * rng.random(shape)), dtype=np.complex64)


def step(distance: Floats, softness: float | Floats) -> Floats:
    """Smooth 0 to 1 over ``softness`` pixels around ``distance`` 0: an antialiased edge."""
    t = np.clip(distance / softness + 0.5, 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def add(target: Floats, at: Patches, values: Floats) -> None:
    """Add each window's values to ``target`` (shape ``(h, w)``), cut at its border."""
    height, width = target.shape
    for top, left, patch in zip(at.top.tolist(), at.left.tolist(), values, strict=True):
        y, x = max(0, -top), max(0, -left)
        window = target[max(0, top) : max(0, top + at.side), max(0, left) : max(0, left + at.side)]
        if min(height - top, width - left) > 0 and window.size:
            window += patch[y : y + window.shape[0], x : x + window.shape[1]]


@functools.lru_cache(maxsize=8)
def noise_bank(sigma: float, side: int = 512) -> Floats:
    """A square of smooth noise (mean 0, deviation 1) that wraps around; always the same one."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(20140701)
    field = gaussian_filter(rng.standard_normal((side, side), dtype=np.float32), sigma, mode="wrap")
    field = (field - field.mean()) / field.std()
    field.setflags(write=False)
    return np.asarray(field, dtype=np.float32)


def noise(rng: np.random.Generator, sigma: float, n: int, side: int) -> Floats:
    """``n`` random windows of smooth noise, shape ``(n, side, side)``, turned and mirrored."""
    sigma = round(max(sigma, 0.3), 2)
    bank = noise_bank(sigma, 512 if side < 300 else 2 * side)
    place = rng.integers(0, bank.shape[0] - side, (n, 2)).tolist()
    turns = rng.integers(0, 8, n).tolist()
    found = np.empty((n, side, side), dtype=np.float32)
    for i, ((y, x), turn) in enumerate(zip(place, turns, strict=True)):
        window = bank[y : y + side, x : x + side]
        window = window.T if turn & 1 else window
        found[i] = window[:: -1 if turn & 2 else 1, :: -1 if turn & 4 else 1]
    return found
