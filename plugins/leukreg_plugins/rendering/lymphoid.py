"""Lymphoid cells: cytoplasm, nucleus, chromatin, nucleoli and clefts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukreg_plugins.rendering.morphology import Morphology
from leukreg_plugins.rendering.patients import Patient
from leukreg_plugins.rendering.shapes import (
    Floats,
    Patches,
    add,
    draw_waves,
    moved,
    noise,
    outline,
    patches,
    step,
)


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
