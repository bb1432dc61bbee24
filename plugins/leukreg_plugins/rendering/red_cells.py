"""Red cells: slightly irregular discs with a pale centre; where they overlap, densities add."""

from __future__ import annotations

import numpy as np

from leukreg_plugins.rendering.patients import Patient
from leukreg_plugins.rendering.shapes import Floats, add, draw_waves, outline, patches, step

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
