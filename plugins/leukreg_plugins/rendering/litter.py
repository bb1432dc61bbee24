"""What else lies on a slide: platelets, stain precipitate, dust, smudged nuclei."""

from __future__ import annotations

import numpy as np

from leukreg_plugins.rendering.shapes import (
    Floats,
    add,
    draw_waves,
    noise,
    outline,
    patches,
    step,
)


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
