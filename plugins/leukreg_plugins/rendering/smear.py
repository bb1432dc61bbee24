"""What lies on a slide, patient by patient: which pictures, which cells, where they lie.

What cells of each folder look like is documented morphology as overlapping distributions, after
Chiaretti et al., "Diagnosis and subclassification of acute lymphoblastic leukemia", MJHID 2014, and
Sevilla et al., "Hematogones: a review and update", Leukemia and Lymphoma 2010, reduced to what can
be seen in a field of 224 px. Pathologists tell the malignant stages apart by immunophenotype; the
looks given to them here are a caricature, and neighbours overlap on purpose.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukreg import DataError, derive


@dataclass(frozen=True, slots=True, kw_only=True)
class Morphology:
    """Means of one class. Patients, then cells, vary around them."""

    cells: float
    """Lymphoid cells per field."""
    diameter: float
    """Of the cell, in diameters of a red cell (about 7.2 micrometres)."""
    ratio: float
    """Area of the nucleus over area of the cell."""
    density: float
    """Optical density of the chromatin, relative."""
    clumps: float
    """Contrast of coarse chromatin clumps."""
    fine: float
    """Contrast of fine chromatin."""
    openness: float
    """0: closed, homogeneous chromatin; 1: an open net with cleared spaces."""
    nucleoli: float
    """Mean number of nucleoli per nucleus."""
    prominence: float
    """How far nucleoli stand out, 0 to 1."""
    irregular: float
    """Relative amplitude of the nucleus' outline."""
    cleft: float
    """Share of nuclei with a cleft or fold."""
    basophilia: float
    """Blueness of the cytoplasm, relative."""
    stranger: str
    """Class of the other cells in a field: reactive cells among benign ones, normal lymphocytes
    among blasts."""
    strangers: float
    """Share of these."""


FOLDERS = {
    "Benign": Morphology(
        cells=3.8, diameter=1.30, ratio=0.84, density=1.06, clumps=0.10, fine=0.05, openness=0.06,
        nucleoli=0.03, prominence=0.15, irregular=0.020, cleft=0.05, basophilia=0.85,
        stranger="[Malignant] early Pre-B", strangers=0.08,
    ),
    "[Malignant] early Pre-B": Morphology(
        cells=5.0, diameter=1.56, ratio=0.83, density=1.00, clumps=0.07, fine=0.16, openness=0.25,
        nucleoli=0.7, prominence=0.35, irregular=0.030, cleft=0.12, basophilia=0.95,
        stranger="Benign", strangers=0.12,
    ),
    "[Malignant] Pre-B": Morphology(
        cells=4.8, diameter=1.68, ratio=0.64, density=1.00, clumps=0.13, fine=0.13, openness=0.30,
        nucleoli=0.8, prominence=0.45, irregular=0.055, cleft=0.60, basophilia=1.10,
        stranger="Benign", strangers=0.12,
    ),
    "[Malignant] Pro-B": Morphology(
        cells=6.2, diameter=1.68, ratio=0.80, density=0.96, clumps=0.08, fine=0.16, openness=0.85,
        nucleoli=1.9, prominence=0.95, irregular=0.020, cleft=0.06, basophilia=1.05,
        stranger="Benign", strangers=0.10,
    ),
}  # fmt: skip
"""Folder names exactly as in the public "Blood Cell Cancer [ALL]" set."""

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
        red_diameter=rng.normal(25, 1.2),
        red_cover=rng.uniform(0.20, 0.55),
        chains=rng.beta(1.2, 2.0),
        pallor=rng.uniform(0.25, 0.85),
        platelets=rng.gamma(2.0, 2.0),
        blur=rng.uniform(0.35, 0.7),
        noise=rng.uniform(0.8, 2.2),
        uneven=rng.uniform(0.02, 0.09),
        count=float(np.exp(rng.normal(0, 0.45))),
        size=float(np.exp(rng.normal(0, 0.05))),
        ratio=rng.normal(0, 0.35),
        openness=float(np.exp(rng.normal(0, 0.25))),
        irregular=float(np.exp(rng.normal(0, 0.18))),
        nucleoli=float(np.exp(rng.normal(0, 0.25))),
    )


IMAGES_PER_PATIENT = 12
LEAST_PATIENTS = 4
"""Patients per folder, where it has so many images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """What fixes a picture to the last bit, together with the seed and the size."""

    folder: str
    file: str
    patient: str
    number: int
    """From 1, within the folder."""
    scene: int
    """Number of the scene; differs from ``number`` where the picture is a near duplicate."""


def plan(
    images: Mapping[str, int], *, patients: int | None, duplicates: float, seed: int
) -> tuple[Shot, ...]:
    """The pictures of every folder, in the order of their numbers.

    Args:
        images: Pictures per folder.
        patients: How many in all; None for about one per twelve pictures.
        duplicates: Share of pictures that are near duplicates of the one before.

    Raises:
        DataError: Fewer patients than folders, or more than pictures.
    """
    found: list[Shot] = []
    first = 1
    for folder, number in _patients(images, patients).items():
        names = [f"P{first + i:03d}" for i in range(number)]
        first += number
        found.extend(_folder(folder, images[folder], names, duplicates, seed))
    return tuple(found)


def _patients(images: Mapping[str, int], wanted: int | None) -> dict[str, int]:
    filled = {folder: n for folder, n in images.items() if n}
    if wanted is None:
        least = LEAST_PATIENTS
        return {f: min(n, max(least, round(n / IMAGES_PER_PATIENT))) for f, n in filled.items()}
    total = sum(filled.values())
    if not len(filled) <= wanted <= total:
        raise DataError(
            f"patients = {wanted} does not fit {total} images in {len(filled)} folders; "
            f"give a number from {len(filled)} to {total}"
        )
    numbers = dict.fromkeys(filled, 1)
    for _ in range(wanted - len(filled)):
        room = [folder for folder in filled if numbers[folder] < filled[folder]]
        numbers[max(room, key=lambda folder: filled[folder] / (numbers[folder] + 1))] += 1
    return numbers


def _folder(folder: str, n: int, patients: list[str], duplicates: float, seed: int) -> list[Shot]:
    rng = np.random.default_rng(derive(seed, "plan", folder, n, len(patients)))
    shares = rng.dirichlet(np.full(len(patients), 4.0))
    sizes = 1 + rng.multinomial(n - len(patients), shares)
    owners = [
        name for name, size in zip(patients, sizes.tolist(), strict=True) for _ in range(size)
    ]
    may = [i for i in range(1, n) if owners[i] == owners[i - 1]]
    count = min(round(duplicates * n), len(may))
    copied = set(rng.choice(may, count, replace=False).tolist()) if count else set()
    scenes: list[int] = []
    for i in range(n):
        scenes.append(scenes[-1] if i in copied else i + 1)
    short = folder.rpartition("] ")[2].replace(" ", "-")
    return [
        Shot(
            folder=folder,
            file=f"{owner}_{short}_{number:04d}.jpg",
            patient=owner,
            number=number,
            scene=scene,
        )
        for number, (owner, scene) in enumerate(zip(owners, scenes, strict=True), start=1)
    ]


FIELD = 224.0
MARGIN = 26.0
"""Cells are laid out this far beyond the border, so that a field cuts through some of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Centres are x, y in field units (0 to 224), shape ``(n, 2)``; some lie beyond the border."""

    red: Floats
    lymphoid: Floats
    diameters: Floats
    """Of the lymphoid cells, in field units."""
    kinds: tuple[Morphology, ...]
    """One per lymphoid cell: a normal lymphocyte may lie among blasts."""
    platelets: Floats
    debris: Floats
    smudges: Floats


def draw_scene(rng: np.random.Generator, patient: Patient, folder: str) -> Scene:
    """Lay out one field of ``folder``'s class for this patient."""

    def anywhere(n: int) -> Floats:
        return rng.uniform(0, FIELD, (n, 2)).astype(np.float32)

    lymphoid, diameters, kinds = _lymphoid(rng, patient, folder)
    return Scene(
        lymphoid=lymphoid,
        diameters=diameters,
        kinds=kinds,
        red=_clear_of(rng, _red(rng, patient), lymphoid, diameters, patient.red_diameter),
        platelets=anywhere(min(int(rng.poisson(patient.platelets)), 20)),
        debris=anywhere(int(rng.poisson(3)) if rng.random() < 0.12 else 0),
        smudges=anywhere(1 if rng.random() < 0.05 else 0),
    )


def _lymphoid(
    rng: np.random.Generator, patient: Patient, folder: str
) -> tuple[Floats, Floats, tuple[Morphology, ...]]:
    """Centres, diameters and kinds of cells that do not touch each other."""
    usual = FOLDERS[folder]
    centres: list[Floats] = []
    diameters: list[float] = []
    kinds: list[Morphology] = []
    for number in range(int(np.clip(rng.poisson(usual.cells * patient.count), 1, 15))):
        # The first cell is of the class itself, and lies well inside the field.
        strange = number and rng.random() < usual.strangers
        kind = FOLDERS[usual.stranger] if strange else usual
        spread = max(rng.normal(1, 0.085), 0.75)
        diameter = kind.diameter * patient.size * patient.red_diameter * spread
        edge = (0.1 if centres else 0.55) * diameter
        for place in rng.uniform(edge, FIELD - edge, (40, 2)):
            others = np.reshape(centres, (-1, 2)) - place
            gaps = np.linalg.norm(others, axis=1) - np.array(diameters) / 2
            if gaps.min(initial=np.inf) > diameter / 2 * 0.97:
                centres.append(place)
                diameters.append(diameter)
                kinds.append(kind)
                break
    return np.array(centres, np.float32), np.array(diameters, np.float32), tuple(kinds)


def _red(rng: np.random.Generator, patient: Patient) -> Floats:
    """Red cells: chains (rouleaux), then single cells."""
    d = patient.red_diameter
    cover = patient.red_cover * np.exp(rng.normal(0, 0.18))
    wanted = int(np.clip(cover * (FIELD + 2 * MARGIN) ** 2 / (np.pi / 4 * d**2), 12, 130))
    found: list[tuple[float, float]] = []
    while len(found) < int(wanted * patient.chains):
        found += _chain(rng, d)
    tries = rng.uniform(-MARGIN, FIELD + MARGIN, (wanted * 6, 2))
    apart = d * rng.choice([0.65, 0.9, 1.02], len(tries), p=[0.12, 0.28, 0.6])
    n = len(found)
    placed = np.full((wanted + n, 2), 1e6)
    placed[:n] = np.reshape(found, (-1, 2))
    for place, gap in zip(tries, apart, strict=True):
        if n >= wanted:
            break
        if ((placed[:n] - place) ** 2).sum(axis=1).min(initial=1e9) > gap * gap:
            placed[n] = place
            n += 1
    return placed[:n].astype(np.float32)


def _chain(rng: np.random.Generator, d: float) -> list[tuple[float, float]]:
    x, y = rng.uniform(-MARGIN, FIELD + MARGIN, 2)
    angle, stride = rng.uniform(0, 2 * np.pi), d * rng.uniform(0.5, 0.9)
    cells = []
    for _ in range(2 + int(rng.geometric(0.35))):
        cells.append((x, y))
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
        beside = distance > 0.3 * least  # those in the middle are gone
        pushed = np.where(beside & (distance < least), centre + away / distance * least, red)
        red = pushed[beside[:, 0]]
    return np.asarray(red, dtype=np.float32)
