"""Which pictures a set consists of: patients, file names, near copies. Nothing is drawn here."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from leukreg import DataError, derive
from leukreg_plugins.rendering.field import Picture

IMAGES_PER_PATIENT = 12
LEAST_PATIENTS = 4
"""Patients per folder, where it has so many images."""


def plan(
    images: Mapping[str, int], *, patients: int | None, duplicates: float, seed: int
) -> tuple[Picture, ...]:
    """The pictures of every folder, in the order of their numbers.

    Args:
        images: Pictures per folder.
        patients: How many in all; None for about one per twelve pictures.
        duplicates: Share of pictures that are near copies of the one before.

    Raises:
        DataError: Fewer patients than folders, or more than pictures.
    """
    found: list[Picture] = []
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


def _folder(
    folder: str, n: int, patients: list[str], duplicates: float, seed: int
) -> list[Picture]:
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
        Picture(
            folder=folder,
            file=f"{owner}_{short}_{number:04d}.jpg",
            patient=owner,
            number=number,
            scene=scene,
        )
        for number, (owner, scene) in enumerate(zip(owners, scenes, strict=True), start=1)
    ]
