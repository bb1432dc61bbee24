"""Paint cells as optical densities: outlines in polar form, many at once, with textured noise."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukreg_plugins.rendering.smear import Floats, Morphology, Patient

EOSIN, CHROMATIN, CYTOPLASM, SCATTER = range(4)
"""What absorbs light, in the order of :attr:`Patient.absorbers`."""
TOGETHER = 12
"""Red cells drawn at once: enough to be fast, few enough to stay in the processor's cache."""
STACKED = 2.6
"""Stacked cells flatten against each other: density never rises above this many single ones."""


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """The optical densities of one field, which cells are added to."""

    density: Floats
    """Shape ``(4, h, w)``: of each absorber."""
    rng: np.random.Generator
    patient: Patient
    scale: float
    """Pixels per field unit."""

    def add(self, absorber: int, at: Patches, values: Floats) -> None:
        """Add each window's values, cut at the border."""
        target = self.density[absorber]
        height, width = target.shape
        for top, left, patch in zip(at.top.tolist(), at.left.tolist(), values, strict=True):
            y, x = max(0, -top), max(0, -left)
            window = target[top + y : max(0, top + at.side), left + x : max(0, left + at.side)]
            if min(height - top, width - left) > 0 and window.size:
                window += patch[y : y + window.shape[0], x : x + window.shape[1]]

    def outline(
        self, at: Patches, radius: Floats, uneven: Floats, harmonics: int, decay: float
    ) -> Floats:
        """A random outline: its radius in the direction of each pixel, in pixels."""
        return outline(at, radius, draw_waves(self.rng, uneven, harmonics, decay))

    def noise(self, sigma: float, at: Patches) -> Floats:
        """Smooth noise over each window, ``sigma`` in field units: turned and mirrored pieces."""
        n, side = len(at.top), at.side
        bank = noise_bank(round(max(sigma * self.scale, 0.3), 2), 512 if side < 300 else 2 * side)
        place = self.rng.integers(0, len(bank) - side, (n, 2)).tolist()
        found = np.empty((n, side, side), dtype=np.float32)
        for i, turn in enumerate(self.rng.integers(0, 8, n).tolist()):
            y, x = place[i]
            window = bank[y : y + side, x : x + side]
            window = window.T if turn & 1 else window
            found[i] = window[:: -1 if turn & 2 else 1, :: -1 if turn & 4 else 1]
        return found


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

    @classmethod
    def around(cls, centres: Floats, reach: float) -> Patches:
        """Windows around centres (shape ``(n, 2)``: x, y in pixels) that hold radius ``reach``."""
        side = 2 * int(np.ceil(reach)) + 2
        corner = np.floor(centres).astype(np.int64) - side // 2
        grid = np.arange(side, dtype=np.float32)
        offset = (corner - centres).astype(np.float32)
        dx = np.broadcast_to((offset[:, 0, None] + grid)[:, None, :], (len(centres), side, side))
        dy = np.broadcast_to((offset[:, 1, None] + grid)[:, :, None], (len(centres), side, side))
        return cls.seen(corner[:, 1], corner[:, 0], dx, dy)

    @classmethod
    def seen(
        cls, top: NDArray[np.int64], left: NDArray[np.int64], dx: Floats, dy: Floats
    ) -> Patches:
        """Windows with their polar coordinates."""
        z = (dx + 1j * dy).astype(np.complex64, copy=False)
        r = np.maximum(np.abs(z), 1e-3)
        return cls(top, left, dx, dy, r, np.asarray(z / r, dtype=np.complex64))

    def moved(self, x: Floats, y: Floats) -> Patches:
        """The same windows seen from centres moved by so many pixels (shape ``(n,)``)."""
        return Patches.seen(self.top, self.left, self.dx - _each(x), self.dy - _each(y))

    @property
    def side(self) -> int:
        return int(self.dx.shape[1])


def outline(at: Patches, radius: Floats, waves: NDArray[np.complex64]) -> Floats:
    """Radius of the outline in the direction of each pixel, in pixels.

    ``waves`` (shape ``(n, k)``) are relative amplitudes and phases of the harmonics 2 to k + 1.
    """
    turn = np.zeros_like(at.u)
    for wave in waves.T[::-1]:  # Horner's rule in the unit vector
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


@functools.lru_cache(maxsize=8)
def noise_bank(sigma: float, side: int = 512) -> Floats:
    """A square of smooth noise (mean 0, deviation 1) that wraps around; always the same one."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(20140701)
    field = gaussian_filter(rng.standard_normal((side, side), dtype=np.float32), sigma, mode="wrap")
    field = (field - field.mean()) / field.std()
    field.setflags(write=False)
    return np.asarray(field, dtype=np.float32)


def _each(values: Sequence[float] | NDArray[Any]) -> Floats:
    """One value per window, shape ``(n, 1, 1)``."""
    return np.asarray(values, dtype=np.float32)[:, None, None]


def _bell(values: Floats, middle: Any, width: Any) -> Floats:
    return np.asarray(np.exp(-(((values - middle) / width) ** 2)))


def paint_red_cells(canvas: Canvas, centres: Floats) -> None:
    """Add red cells at ``centres`` (pixels, shape ``(n, 2)``)."""
    rng, scale = canvas.rng, canvas.scale
    for start in range(0, len(centres), TOGETHER):
        some = centres[start : start + TOGETHER]
        n = len(some)
        radius = canvas.patient.red_diameter / 2 * scale * rng.normal(1, 0.065, n)
        radius = radius.astype(np.float32)
        odd = np.where(rng.random(n) < 0.10, 2.4, 1.0) * np.abs(rng.normal(0.032, 0.018, n))
        waves = draw_waves(rng, odd.astype(np.float32), 5)
        reach = (radius * (1 + np.abs(waves).sum(axis=1))).max()
        at = Patches.around(some, float(reach) + 2.5 * scale)
        edge = outline(at, radius, waves)
        inside = edge - at.r
        disc = step(inside, 1.5 + 0.9 * scale)
        canvas.add(EOSIN, at, disc * _thickness(rng, at.r / edge, canvas.patient.pallor))
        # The edge refracts: a fine dark line, a bright fringe outside.
        line = 0.055 * _bell(inside, 0.4 * scale, 0.9 * scale)
        canvas.add(SCATTER, at, line - 0.028 * _bell(inside, -1.7 * scale, 1.1 * scale))
    canvas.density[EOSIN] = 1.2 * STACKED * (1 - np.exp(canvas.density[EOSIN] / -STACKED))


def _thickness(rng: np.random.Generator, rho: Floats, pallor: float) -> Floats:
    """Biconcave profile over the relative radius: a pale centre, a full ring, a rounded rim."""
    n = len(rho)
    depth = _each(np.clip(rng.normal(pallor, 0.2, n), 0, 0.93))
    width = _each(np.clip(rng.normal(0.40, 0.09, n), 0.2, 0.62))
    sharp, strength = _each(rng.beta(1.0, 1.5, n)), _each(np.exp(rng.normal(0, 0.09, n)))
    near = np.minimum(np.square(rho / width), 6)
    pale = depth * ((1 - sharp) * np.exp(-near) + sharp * np.exp(-np.square(near)))
    ring = 0.16 * _bell(rho, 0.72, 0.2)
    rounded = np.square(np.square(np.square(np.minimum(rho, 1))))
    return np.asarray(strength * (0.92 + ring - pale) * (1 - 0.24 * rounded))


@dataclass(frozen=True, slots=True)
class Nuclei:
    """The nuclei of one field, seen in their own windows."""

    at: Patches
    inside: Floats
    """Pixels inside the outline; negative outside."""
    radius: Floats


def paint_lymphoid(
    canvas: Canvas, centres: Floats, diameters: Floats, kinds: Sequence[Morphology]
) -> None:
    """Add lymphoid cells: cytoplasm, nucleus, chromatin, nucleoli and clefts (all in pixels)."""
    rng, scale, n = canvas.rng, canvas.scale, len(kinds)
    numbers = (name for name in Morphology.__slots__ if name != "stranger")
    mean = {name: np.array([getattr(kind, name) for kind in kinds]) for name in numbers}
    radius = diameters / 2
    at = Patches.around(centres, float(radius.max()) * 1.3 + 3 * scale)
    nuclei = _nuclei(canvas, at, radius, mean)
    edge = canvas.outline(at, radius, _spread(rng, np.full(n, 0.022)), 9, decay=0.95)
    body = np.maximum(edge - at.r, nuclei.inside + 0.6 * scale)
    canvas.add(CYTOPLASM, at, _cytoplasm(canvas, at, body, nuclei, mean))
    canvas.add(CHROMATIN, at, _chromatin(canvas, nuclei, mean))
    rim = 0.05 * _bell(body, 0.5 * scale, 0.8 * scale)
    fringe = 0.03 * _bell(body, -2.0 * scale, 1.2 * scale)
    canvas.add(SCATTER, at, (rim - fringe).astype(np.float32))


Means = dict[str, NDArray[np.float64]]
"""The class's means by name, one value per cell."""


def _spread(rng: np.random.Generator, mean: Floats) -> Floats:
    return np.asarray(mean * np.exp(rng.normal(0, 0.35, len(mean))), dtype=np.float32)


def _nuclei(canvas: Canvas, at: Patches, radius: Floats, mean: Means) -> Nuclei:
    rng, patient, n = canvas.rng, canvas.patient, len(radius)
    logit = np.log(mean["ratio"] / (1 - mean["ratio"]))
    ratio = 1 / (1 + np.exp(-(logit + patient.ratio + rng.normal(0, 0.3, n))))
    nucleus = (radius * np.sqrt(np.clip(ratio, 0.4, 0.93))).astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi, n)
    shift = (radius - nucleus) * rng.beta(2, 1.5, n)
    own = at.moved(shift * np.cos(angle), shift * np.sin(angle))
    uneven = _spread(rng, mean["irregular"] * patient.irregular)
    edge = canvas.outline(own, nucleus, uneven, 6, decay=1.5)
    edge = edge * (1 - _clefts(rng, own, mean["cleft"] * patient.irregular))
    return Nuclei(own, edge - own.r, nucleus)


def _clefts(rng: np.random.Generator, at: Patches, often: NDArray[np.float64]) -> Floats:
    """Share of the radius that an indentation takes, by direction."""
    n = len(often)
    has = rng.random(n) < np.clip(often, 0, 0.92)
    deep = rng.random(n) < 0.45
    depth = has * np.where(deep, rng.uniform(0.4, 0.75, n), rng.uniform(0.14, 0.34, n))
    sharp = np.where(deep, rng.uniform(18, 45, n), rng.uniform(3.5, 9, n))
    towards = np.exp(-1j * rng.uniform(0, 2 * np.pi, n)).astype(np.complex64)
    facing = (at.u * towards[:, None, None]).real
    return np.asarray(_each(depth) * np.exp(_each(sharp) * (facing - 1)), dtype=np.float32)


def _cytoplasm(canvas: Canvas, at: Patches, body: Floats, nuclei: Nuclei, mean: Means) -> Floats:
    """Blue, mottled, deeper at the border, paler beside the nucleus; now and then a vacuole."""
    rng, scale, n = canvas.rng, canvas.scale, len(body)
    mottle = 1 + 0.16 * canvas.noise(1.0, at) + 0.12 * canvas.noise(3, at)
    blue = _each(mean["basophilia"]) * _each(np.exp(rng.normal(0, 0.16, n)))
    depth = 0.82 + 0.35 * np.exp(-np.maximum(body, 0) / (2.2 * scale))
    hof = 1 - 0.3 * _bell(nuclei.inside, -2 * scale, 2.2 * scale)
    found = step(body, 1.3 + 1.0 * scale) * blue * depth * hof * mottle
    holes = np.zeros_like(at.r)
    counts, reach = rng.poisson(0.5, n), 0.6 * nuclei.radius + 0.4 * at.side / 3
    for number in range(int(counts.max(initial=0))):
        angle, far = rng.uniform(0, 2 * np.pi, n), reach * rng.uniform(0.75, 1.1, n)
        r = np.hypot(at.dx - _each(far * np.cos(angle)), at.dy - _each(far * np.sin(angle)))
        size = 1.5 * scale * _each(rng.uniform(0.6, 1.4, n))
        hole = step(size - r, 1 + 1.5 * scale / 2)
        holes = np.maximum(holes, _each(counts > number) * hole)
    return np.asarray(np.maximum(found * (1 - 0.7 * holes), 0), dtype=np.float32)


def _chromatin(canvas: Canvas, nuclei: Nuclei, mean: Means) -> Floats:
    rng, patient, scale, n = canvas.rng, canvas.patient, canvas.scale, len(nuclei.radius)
    fine, coarse = canvas.noise(0.75, nuclei.at), canvas.noise(2.1, nuclei.at)
    net = 1 - np.minimum(np.abs(canvas.noise(1.35, nuclei.at)) * 1.5, 2.0)
    opened = _each(np.clip(mean["openness"] * patient.openness, 0, 1))
    specks = np.square(np.maximum(fine - 0.9, 0))
    texture = _each(mean["clumps"]) * coarse + _each(mean["fine"]) * fine
    texture = texture - 0.10 * np.minimum(specks, 2.5)
    texture = texture + opened * (0.24 * net - 0.08)
    rim = 0.14 * _bell(nuclei.inside, 1.4 * scale, 1.3 * scale)
    dense = _each(mean["density"]) * _each(np.exp(rng.normal(0, 0.06, n)))
    level = 0.9 * dense * (1 + 1.3 * texture + rim - 0.10 * opened)
    level = level * (1 - _nucleoli(canvas, nuclei, mean))
    mask = step(nuclei.inside, 1.2 + 0.9 * scale)
    return np.asarray(mask * np.clip(level, 0.25, 1.7), dtype=np.float32)


def _nucleoli(canvas: Canvas, nuclei: Nuclei, mean: Means) -> Floats:
    """Loss of density where nucleoli lie: paler discs with a darker border of chromatin."""
    rng, at, n = canvas.rng, nuclei.at, len(nuclei.radius)
    counts = np.minimum(rng.poisson(mean["nucleoli"] * canvas.patient.nucleoli), 4)
    clear = np.zeros_like(nuclei.inside)
    shown = _each(np.clip(mean["prominence"] * rng.normal(1, 0.2, n), 0.05, 1))
    for number in range(int(counts.max(initial=0))):
        angle, out = rng.uniform(0, 2 * np.pi, n), np.sqrt(rng.uniform(0.0, 0.42, n))
        size = _each(np.maximum(nuclei.radius * rng.uniform(0.14, 0.23, n), 0.8))
        far = nuclei.radius * out
        r = np.hypot(at.dx - _each(far * np.cos(angle)), at.dy - _each(far * np.sin(angle)))
        disc = step(size - r, 1.0 + 0.9 * canvas.scale)
        border = _bell(r, size * 1.25, 0.28 * size + 0.4)
        clear = np.maximum(clear, _each(counts > number) * shown * (0.52 * disc - 0.16 * border))
    return clear


def paint_platelets(canvas: Canvas, centres: Floats) -> None:
    """Granular violet specks of a quarter to a half of a red cell."""
    rng, scale, n = canvas.rng, canvas.scale, len(centres)
    diameter = canvas.patient.red_diameter * scale
    radius = (diameter / 2 * rng.uniform(0.2, 0.42, n)).astype(np.float32)
    at = Patches.around(centres, float(radius.max()) * 1.8 + 2 * scale)
    edge = canvas.outline(at, radius, np.full(n, 0.07, np.float32), 5, decay=1.0)
    body = step(edge - at.r, 1.2 + 0.8 * scale)
    grain = np.maximum(canvas.noise(0.8, at) + 0.5, 0)
    tone = _each(rng.uniform(0.14, 0.36, n))
    canvas.add(CHROMATIN, at, body * tone * (0.4 + 0.7 * grain))
    canvas.add(CYTOPLASM, at, body * np.float32(0.26))


def paint_debris(canvas: Canvas, centres: Floats) -> None:
    """Stain precipitate (small, dark violet) and dust (grey, out of focus)."""
    rng, scale, n = canvas.rng, canvas.scale, len(centres)
    dust = rng.random(n) < 0.4
    radius = (scale * np.where(dust, rng.uniform(3, 7, n), rng.uniform(0.8, 2.2, n))).astype("f4")
    at = Patches.around(centres, float(radius.max()) * 1.6 + 4 * scale)
    edge = canvas.outline(at, radius, np.full(n, 0.16, np.float32), 6, decay=0.6)
    body = step(edge - at.r, _each(np.where(dust, 5 * scale, 1 + scale)))
    canvas.add(SCATTER, at, body * _each(dust) * np.float32(0.28))
    canvas.add(CHROMATIN, at, body * (1 - _each(dust)) * np.float32(0.75))


def paint_smudges(canvas: Canvas, centres: Floats) -> None:
    """Crushed nuclei: pale violet, ragged, without cytoplasm."""
    rng, scale, n = canvas.rng, canvas.scale, len(centres)
    radius = (canvas.patient.red_diameter * scale * rng.uniform(0.6, 1.0, n)).astype(np.float32)
    at = Patches.around(centres, float(radius.max()) * 1.7)
    edge = canvas.outline(at, radius, np.full(n, 0.17, np.float32), 7, decay=0.5)
    strands = 0.6 + 0.5 * canvas.noise(2.5, at)
    body = step(edge - at.r, 9 * scale) * np.clip(strands, 0.05, 1.6)
    canvas.add(CHROMATIN, at, body * np.float32(0.24))
