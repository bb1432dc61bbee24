"""Paint cells as optical densities: outlines in polar form, many at once, with textured noise."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukreg_plugins.rendering.smear import Morphology, Patient

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


@dataclass(frozen=True, slots=True)
class Nuclei:
    """The nuclei of one field, seen in their own windows."""

    at: Patches
    inside: Floats
    """Pixels inside the outline; negative outside."""
    radius: Floats
    mask: Floats


def paint_lymphoid(
    density: Floats,
    rng: np.random.Generator,
    centres: Floats,
    diameters: Floats,
    kinds: Sequence[Morphology],
    patient: Patient,
    scale: float,
) -> None:
    """Add lymphoid cells (centres and diameters in pixels) to ``density`` ``(4, h, w)``."""
    radius = diameters / 2
    at = patches(centres, float(radius.max()) * 1.3 + 3 * scale)
    nuclei = _nuclei(rng, at, radius, kinds, patient, scale)
    edge = outline(at, radius, draw_waves(rng, _spread(rng, 0.022, len(kinds)), 9, decay=0.95))
    body = np.maximum(edge - at.r, nuclei.inside + 0.6 * scale)
    add(density[2], at, _cytoplasm(rng, at, body, nuclei, kinds, scale))
    add(density[1], at, _chromatin(rng, nuclei, kinds, patient, scale))
    rim = 0.05 * np.exp(-((body - 0.5 * scale) ** 2) / (0.8 * scale) ** 2)
    fringe = 0.03 * np.exp(-((body + 2.0 * scale) ** 2) / (1.2 * scale) ** 2)
    add(density[3], at, (rim - fringe).astype(np.float32))


def _spread(rng: np.random.Generator, mean: float | Floats, n: int) -> Floats:
    return np.asarray(mean * np.exp(rng.normal(0, 0.35, n)), dtype=np.float32)


def _each(values: Sequence[float] | NDArray[Any]) -> Floats:
    return np.asarray(values, dtype=np.float32)[:, None, None]


def _nuclei(
    rng: np.random.Generator,
    at: Patches,
    radius: Floats,
    kinds: Sequence[Morphology],
    patient: Patient,
    scale: float,
) -> Nuclei:
    n = len(kinds)
    logit = np.array([np.log(k.ratio / (1 - k.ratio)) for k in kinds])
    ratio = 1 / (1 + np.exp(-(logit + patient.ratio + rng.normal(0, 0.3, n))))
    nucleus = (radius * np.sqrt(np.clip(ratio, 0.4, 0.93))).astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi, n)
    shift = (radius - nucleus) * rng.beta(2, 1.5, n)
    own = moved(at, np.stack([shift * np.cos(angle), shift * np.sin(angle)], 1).astype(np.float32))
    uneven = _spread(rng, np.array([k.irregular for k in kinds]) * patient.irregular, n)
    edge = outline(own, nucleus, draw_waves(rng, uneven, 6, decay=1.5))
    edge = edge * (1 - _clefts(rng, own, kinds, patient))
    inside = edge - own.r
    return Nuclei(own, inside, nucleus, step(inside, 1.2 + 0.9 * scale))


def _clefts(
    rng: np.random.Generator, at: Patches, kinds: Sequence[Morphology], patient: Patient
) -> Floats:
    """Share of the radius that an indentation takes, by direction."""
    n = len(kinds)
    has = rng.random(n) < np.clip([k.cleft * patient.irregular for k in kinds], 0, 0.92)
    deep = rng.random(n) < 0.45
    depth = has * np.where(deep, rng.uniform(0.4, 0.75, n), rng.uniform(0.14, 0.34, n))
    sharp = np.where(deep, rng.uniform(18, 45, n), rng.uniform(3.5, 9, n))
    towards = np.exp(-1j * rng.uniform(0, 2 * np.pi, n)).astype(np.complex64)
    facing = (at.u * towards[:, None, None]).real
    return np.asarray(_each(depth) * np.exp(_each(sharp) * (facing - 1)), dtype=np.float32)


def _cytoplasm(
    rng: np.random.Generator,
    at: Patches,
    body: Floats,
    nuclei: Nuclei,
    kinds: Sequence[Morphology],
    scale: float,
) -> Floats:
    """Blue, mottled, deeper at the border, paler beside the nucleus; now and then a vacuole."""
    n = len(kinds)
    mottle = (
        1 + 0.16 * noise(rng, 1.0 * scale, n, at.side) + 0.12 * noise(rng, 3 * scale, n, at.side)
    )
    blue = _each([k.basophilia for k in kinds]) * _each(np.exp(rng.normal(0, 0.16, n)))
    depth = 0.82 + 0.35 * np.exp(-np.maximum(body, 0) / (2.2 * scale))
    hof = 1 - 0.3 * np.exp(-(((nuclei.inside + 2 * scale) / (2.2 * scale)) ** 2))
    found = step(body, 1.3 + 1.0 * scale) * blue * depth * hof * mottle
    holes = _dots(
        rng, at, 0.6 * nuclei.radius + 0.4 * at.side / 3, rng.poisson(0.5, n), 1.5 * scale
    )
    return np.asarray(np.maximum(found * (1 - 0.7 * holes), 0), dtype=np.float32)


def _chromatin(
    rng: np.random.Generator,
    nuclei: Nuclei,
    kinds: Sequence[Morphology],
    patient: Patient,
    scale: float,
) -> Floats:
    n, side = len(kinds), nuclei.at.side
    fine, coarse = noise(rng, 0.75 * scale, n, side), noise(rng, 2.1 * scale, n, side)
    net = 1 - np.minimum(np.abs(noise(rng, 1.35 * scale, n, side)) * 1.5, 2.0)
    opened = _each(np.clip([k.openness * patient.openness for k in kinds], 0, 1))
    texture = _each([k.clumps for k in kinds]) * coarse + _each([k.fine for k in kinds]) * fine
    specks = np.square(np.maximum(fine - 0.9, 0))
    texture = texture - 0.10 * np.minimum(specks, 2.5)
    texture = texture + opened * (0.24 * net - 0.08)
    rim = 0.14 * np.exp(-(((nuclei.inside - 1.4 * scale) / (1.3 * scale)) ** 2))
    dense = _each([k.density for k in kinds]) * _each(np.exp(rng.normal(0, 0.06, n)))
    level = 0.9 * dense * (1 + 1.3 * texture + rim - 0.10 * opened)
    level = level * (1 - _nucleoli(rng, nuclei, kinds, patient, scale))
    return np.asarray(nuclei.mask * np.clip(level, 0.25, 1.7), dtype=np.float32)


def _nucleoli(
    rng: np.random.Generator,
    nuclei: Nuclei,
    kinds: Sequence[Morphology],
    patient: Patient,
    scale: float,
) -> Floats:
    """Loss of density where nucleoli lie: paler discs with a darker border of chromatin."""
    n = len(kinds)
    counts = np.minimum(rng.poisson([k.nucleoli * patient.nucleoli for k in kinds]), 4)
    clear = np.zeros_like(nuclei.mask)
    shown = _each(np.clip(np.array([k.prominence for k in kinds]) * rng.normal(1, 0.2, n), 0.05, 1))
    for number in range(int(counts.max(initial=0))):
        angle, out = rng.uniform(0, 2 * np.pi, n), np.sqrt(rng.uniform(0.0, 0.42, n))
        size = _each(np.maximum(nuclei.radius * rng.uniform(0.14, 0.23, n), 0.8))
        at_x = _each(nuclei.radius * out * np.cos(angle))
        at_y = _each(nuclei.radius * out * np.sin(angle))
        r = np.hypot(nuclei.at.dx - at_x, nuclei.at.dy - at_y)
        disc = step(size - r, 1.0 + 0.9 * scale)
        border = np.exp(-(((r - size * 1.25) / (0.28 * size + 0.4)) ** 2))
        clear = np.maximum(clear, _each(counts > number) * shown * (0.52 * disc - 0.16 * border))
    return clear


def _dots(
    rng: np.random.Generator, at: Patches, reach: Floats, counts: NDArray[np.int64], size: float
) -> Floats:
    """Small round holes at about ``reach`` from the centre, 0 to 1."""
    n = len(reach)
    found = np.zeros_like(at.r)
    for number in range(int(counts.max(initial=0))):
        angle = rng.uniform(0, 2 * np.pi, n)
        far = reach * rng.uniform(0.75, 1.1, n)
        r = np.hypot(at.dx - _each(far * np.cos(angle)), at.dy - _each(far * np.sin(angle)))
        one = step(size * _each(rng.uniform(0.6, 1.4, n)) - r, 1 + size / 2)
        found = np.maximum(found, _each(counts > number) * one)
    return found


TOGETHER = 12
"""Cells drawn at once: enough to be fast, few enough to stay in the processor's cache."""
STACKED = 2.6
"""Stacked cells flatten against each other: density never rises above this many single ones."""


def paint_red_cells(
    density: Floats, rng: np.random.Generator, centres: Floats, patient: Patient, scale: float
) -> None:
    """Add red cells at ``centres`` (pixels) to ``density`` (shape ``(4, h, w)``)."""
    for start in range(0, len(centres), TOGETHER):
        _paint(density, rng, centres[start : start + TOGETHER], patient, scale)
    density[0] = 1.2 * STACKED * (1 - np.exp(density[0] / -STACKED))


def _paint(
    density: Floats, rng: np.random.Generator, centres: Floats, patient: Patient, scale: float
) -> None:
    n = len(centres)
    radius = (patient.red_diameter / 2 * scale * rng.normal(1, 0.065, n)).astype(np.float32)
    odd = np.where(rng.random(n) < 0.10, 2.4, 1.0) * np.abs(rng.normal(0.032, 0.018, n))
    waves = draw_waves(rng, odd.astype(np.float32), 5)
    at = patches(centres, float((radius * (1 + np.abs(waves).sum(axis=1))).max()) + 2.5 * scale)
    edge = outline(at, radius, waves)
    inside = edge - at.r
    disc = step(inside, 1.5 + 0.9 * scale)
    add(density[0], at, disc * _thickness(rng, at.r / edge, patient, n))
    # The edge refracts: a fine dark line, a bright fringe outside.
    line = 0.055 * np.exp(-np.square((inside - 0.4 * scale) / (0.9 * scale)))
    fringe = 0.028 * np.exp(-np.square((inside + 1.7 * scale) / (1.1 * scale)))
    add(density[3], at, line - fringe)


def _thickness(rng: np.random.Generator, rho: Floats, patient: Patient, n: int) -> Floats:
    """Biconcave profile over the relative radius: a pale centre, a full ring, a rounded rim."""
    depth, width, sharp, strength = (
        values.astype(np.float32)[:, None, None]
        for values in (
            np.clip(rng.normal(patient.pallor, 0.2, n), 0, 0.93),
            np.clip(rng.normal(0.40, 0.09, n), 0.2, 0.62),
            rng.beta(1.0, 1.5, n),
            np.exp(rng.normal(0, 0.09, n)),
        )
    )
    near = np.minimum(np.square(rho / width), 6)
    pale = depth * ((1 - sharp) * np.exp(-near) + sharp * np.exp(-np.square(near)))
    ring = 0.16 * np.exp(-np.square((rho - 0.72) / 0.2))
    rounded = np.square(np.square(np.square(np.minimum(rho, 1))))
    return np.asarray(strength * (0.92 + ring - pale) * (1 - 0.24 * rounded))


def paint_platelets(
    density: Floats, rng: np.random.Generator, centres: Floats, diameter: float, scale: float
) -> None:
    """Granular violet specks of a quarter to a half of a red cell (``diameter``, pixels)."""
    n = len(centres)
    if not n:
        return
    radius = (diameter / 2 * rng.uniform(0.2, 0.42, n)).astype(np.float32)
    at = patches(centres, float(radius.max()) * 1.8 + 2 * scale)
    edge = outline(at, radius, draw_waves(rng, np.full(n, 0.07, np.float32), 5, decay=1.0))
    body = step(edge - at.r, 1.2 + 0.8 * scale)
    grain = np.maximum(noise(rng, 0.8 * scale, n, at.side) + 0.5, 0)
    tone = rng.uniform(0.14, 0.36, (n, 1, 1)).astype(np.float32)
    add(density[1], at, body * tone * (0.4 + 0.7 * grain))
    add(density[2], at, body * np.float32(0.26))


def paint_debris(density: Floats, rng: np.random.Generator, centres: Floats, scale: float) -> None:
    """Stain precipitate (small, dark violet) and dust (grey, out of focus)."""
    n = len(centres)
    if not n:
        return
    dust = rng.random(n) < 0.4
    radius = (scale * np.where(dust, rng.uniform(3, 7, n), rng.uniform(0.8, 2.2, n))).astype("f4")
    at = patches(centres, float(radius.max()) * 1.6 + 4 * scale)
    edge = outline(at, radius, draw_waves(rng, np.full(n, 0.16, np.float32), 6, decay=0.6))
    soft = np.where(dust, 5 * scale, 1 + scale).astype(np.float32)[:, None, None]
    body = step(edge - at.r, soft)
    is_dust = dust.astype(np.float32)[:, None, None]
    add(density[3], at, body * is_dust * np.float32(0.28))
    add(density[1], at, body * (1 - is_dust) * np.float32(0.75))


def paint_smudges(
    density: Floats, rng: np.random.Generator, centres: Floats, diameter: float, scale: float
) -> None:
    """Crushed nuclei: pale violet, ragged, without cytoplasm."""
    n = len(centres)
    if not n:
        return
    radius = (diameter * rng.uniform(0.6, 1.0, n)).astype(np.float32)
    at = patches(centres, float(radius.max()) * 1.7)
    edge = outline(at, radius, draw_waves(rng, np.full(n, 0.17, np.float32), 7, decay=0.5))
    strands = 0.6 + 0.5 * noise(rng, 2.5 * scale, n, at.side)
    body = step(edge - at.r, 9 * scale) * np.clip(strands, 0.05, 1.6)
    add(density[1], at, body * np.float32(0.24))
