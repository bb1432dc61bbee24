"""Where everything lies in a field, before anything is painted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukreg_plugins.rendering.morphology import FOLDERS, STRANGERS, Morphology
from leukreg_plugins.rendering.patients import Patient

Floats = NDArray[np.floating[Any]]

FIELD = 224.0
MARGIN = 26.0
"""Cells are laid out this far beyond the border, so that a field cuts through some of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Centres are x, y in field units (0 to 224); cells may lie beyond the border."""

    red: Floats
    """Shape ``(n, 2)``."""
    lymphoid: Floats
    """Shape ``(m, 2)``."""
    diameters: Floats
    """Shape ``(m,)``: of the lymphoid cells, in field units."""
    kinds: tuple[Morphology, ...]
    """One per lymphoid cell: a normal lymphocyte may lie among blasts."""
    platelets: Floats
    debris: Floats
    smudges: Floats


def draw_scene(rng: np.random.Generator, patient: Patient, folder: str) -> Scene:
    """Lay out one field of ``folder``'s class for this patient."""
    lymphoid, diameters, kinds = _lymphoid(rng, patient, folder)
    red = _red(rng, patient, lymphoid, diameters)
    return Scene(
        red=red,
        lymphoid=lymphoid,
        diameters=diameters,
        kinds=kinds,
        platelets=_anywhere(rng, min(int(rng.poisson(patient.platelets)), 20)),
        debris=_anywhere(rng, int(rng.poisson(3)) if rng.random() < 0.12 else 0),
        smudges=_anywhere(rng, 1 if rng.random() < 0.05 else 0),
    )


def _anywhere(rng: np.random.Generator, n: int) -> Floats:
    return rng.uniform(0, FIELD, (n, 2)).astype(np.float32)


def _lymphoid(
    rng: np.random.Generator, patient: Patient, folder: str
) -> tuple[Floats, Floats, tuple[Morphology, ...]]:
    usual, (other, share) = FOLDERS[folder], STRANGERS[folder]
    count = int(np.clip(rng.poisson(usual.cells * patient.count), 1, 15))
    centres: list[NDArray[np.float64]] = []
    diameters: list[float] = []
    kinds: list[Morphology] = []
    for number in range(count):
        kind = FOLDERS[other] if number and rng.random() < share else usual
        spread = rng.normal(1, 0.085)
        diameter = float(kind.diameter * patient.size * patient.red_diameter * max(spread, 0.75))
        place = _free_place(rng, centres, diameters, diameter)
        if place is not None:
            centres.append(place)
            diameters.append(diameter)
            kinds.append(kind)
    return np.array(centres, np.float32), np.array(diameters, np.float32), tuple(kinds)


def _free_place(
    rng: np.random.Generator,
    centres: list[NDArray[np.float64]],
    diameters: list[float],
    diameter: float,
) -> NDArray[np.float64] | None:
    """A place where the cell touches no other; the first cell lies well inside the field."""
    edge = 0.55 * diameter if not centres else 0.1 * diameter
    for place in rng.uniform(edge, FIELD - edge, (40, 2)):
        if not centres:
            return np.asarray(place)
        gap = np.linalg.norm(np.array(centres) - place, axis=1) - np.array(diameters) / 2
        if gap.min() > diameter / 2 * 0.97:
            return np.asarray(place)
    return None


def _red(rng: np.random.Generator, patient: Patient, lymphoid: Floats, diameters: Floats) -> Floats:
    """Red cells: chains (rouleaux), then single cells, hardly ever on a nucleus."""
    width = FIELD + 2 * MARGIN
    d = patient.red_diameter
    cover = patient.red_cover * np.exp(rng.normal(0, 0.18))
    wanted = int(np.clip(cover * width**2 / (np.pi / 4 * d**2), 12, 130))
    in_chains = int(wanted * patient.chains)
    found: list[list[float]] = []
    while len(found) < in_chains:
        found.extend(_chain(rng, d, width))
    tries = rng.uniform(-MARGIN, FIELD + MARGIN, (wanted * 6, 2))
    apart = d * rng.choice([0.65, 0.9, 1.02], len(tries), p=[0.12, 0.28, 0.6])
    placed = np.full((wanted + len(found) + 1, 2), 1e6)
    if found:
        placed[: len(found)] = found
    n = len(found)
    for place, gap in zip(tries, apart, strict=True):
        if n >= wanted:
            break
        if ((placed[:n] - place) ** 2).sum(axis=1).min(initial=1e9) > gap * gap:
            placed[n] = place
            n += 1
    return _clear_of(rng, placed[:n].astype(np.float32), lymphoid, diameters, d)


def _chain(rng: np.random.Generator, d: float, width: float) -> list[list[float]]:
    x, y = rng.uniform(-MARGIN, FIELD + MARGIN, 2)
    angle, stride = rng.uniform(0, 2 * np.pi), d * rng.uniform(0.5, 0.9)
    cells = []
    for _ in range(2 + int(rng.geometric(0.35))):
        cells.append([x, y])
        angle += rng.normal(0, 0.3)
        length = stride * rng.uniform(0.85, 1.15)
        x, y = x + length * np.cos(angle), y + length * np.sin(angle)
    return cells


def _clear_of(
    rng: np.random.Generator, red: Floats, lymphoid: Floats, diameters: Floats, d: float
) -> Floats:
    """Push red cells out from under lymphoid ones, as the spreading of a smear does."""
    for centre, diameter in zip(lymphoid, diameters, strict=True):
        away = red - centre
        distance = np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-3)
        least = (diameter + d) / 2 * rng.uniform(0.88, 1.06, (len(red), 1))
        inside = (distance < least) & (distance > 0.3 * least)
        red = np.where(inside, centre + away / distance * least, red)
        red = red[((distance > 0.3 * least) | inside)[:, 0]]
    return np.asarray(red, dtype=np.float32)
