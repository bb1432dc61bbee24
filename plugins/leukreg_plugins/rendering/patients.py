"""What one patient's smear has in common: stain, light, red cells, and how the disease looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukreg import derive

Floats = NDArray[np.floating[Any]]

# Optical density (natural log) of R, G, B for one unit of each absorber, measured on published
# smears: haemoglobin with eosin, chromatin (azure B with eosin), cytoplasmic RNA (azure B), and
# what only scatters.
ABSORBERS = np.array(
    [[0.22, 0.34, 0.185], [1.00, 1.72, 0.44], [0.50, 0.50, 0.17], [1.0, 1.0, 1.0]], dtype=np.float32
)
# Cream, grey-blue and rosy backgrounds (R, G, B on 0 to 255); a patient lies between them.
LIGHTS = np.array([[254, 231, 205], [222, 220, 231], [246, 226, 224]], dtype=np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """One smear. Lengths are in field units: a field is 224 units wide."""

    light: Floats
    """R, G, B of the empty background, 0 to 255."""
    absorbers: Floats
    """Shape ``(4, 3)``: optical density of eosin, chromatin, cytoplasm and scatter in R, G, B."""
    red_diameter: float
    red_cover: float
    """Share of the field that red cells cover."""
    chains: float
    """Share of red cells in rouleaux."""
    pallor: float
    platelets: float
    blur: float
    noise: float
    uneven: float
    count: float
    """Factor on the number of lymphoid cells, and so on for the other effects."""
    size: float
    ratio: float
    openness: float
    irregular: float
    nucleoli: float


def draw_patient(seed: int, name: str) -> Patient:
    """The smear of patient ``name``; it does not depend on the patient's class."""
    rng = np.random.default_rng(derive(seed, "patient", name))
    mix = rng.dirichlet([0.7, 0.7, 0.35]).astype(np.float32)
    # Summed in a fixed order: a matrix product may round otherwise on another number of threads.
    light = (mix[:, None] * LIGHTS).sum(axis=0) * rng.normal(0.97, 0.035) * rng.normal(1, 0.012, 3)
    tint = np.exp(rng.normal(0, 0.055, (4, 3)))
    tint[3] = 1
    strength = np.exp(rng.normal(0, [[0.20], [0.15], [0.20], [0.0]]))
    return Patient(
        light=np.clip(light, 175, 252).astype(np.float32),
        absorbers=(ABSORBERS * tint * strength).astype(np.float32),
        red_diameter=float(rng.normal(25, 1.2)),
        red_cover=float(rng.uniform(0.20, 0.55)),
        chains=float(rng.beta(1.2, 2.0)),
        pallor=float(rng.uniform(0.25, 0.85)),
        platelets=float(rng.gamma(2.0, 2.0)),
        blur=float(rng.uniform(0.35, 0.7)),
        noise=float(rng.uniform(0.8, 2.2)),
        uneven=float(rng.uniform(0.02, 0.09)),
        count=float(np.exp(rng.normal(0, 0.45))),
        size=float(np.exp(rng.normal(0, 0.05))),
        ratio=float(rng.normal(0, 0.35)),
        openness=float(np.exp(rng.normal(0, 0.25))),
        irregular=float(np.exp(rng.normal(0, 0.18))),
        nucleoli=float(np.exp(rng.normal(0, 0.25))),
    )
