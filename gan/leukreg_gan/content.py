"""Digests of images and of all that a training depends on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from leukreg_gan.settings import ALGORITHM, Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leukreg_gan.conditions import Conditions


def image_digests(pixels: NDArray[np.uint8]) -> tuple[str, ...]:
    """Digest of each image ``(n, size, size, 3)``, 16 hexadecimal figures."""
    whole = np.ascontiguousarray(pixels)
    return tuple(hashlib.blake2b(image.data, digest_size=8).hexdigest() for image in whole)


def training_key(
    settings: Settings,
    seed: int,
    pixels: NDArray[np.uint8],
    conditions: Conditions,
    held: NDArray[np.int64],
    extractor: str,
) -> str:
    """Digest of everything that decides the trained generator, the machine apart.

    Args:
        held: The rows that are held out to judge it by.
    """
    classes = sorted(conditions.classes)
    head = [ALGORITHM, asdict(settings), seed, extractor, pixels.shape, classes]
    state = hashlib.blake2b(json.dumps(head, sort_keys=True).encode(), digest_size=16)
    arrays = [pixels, conditions.vectors, conditions.labels, held]
    # What a class is drawn with decides how snapshots are judged.
    arrays += [conditions.draw(name, 64, np.random.default_rng(0))[0] for name in classes]
    for array in arrays:
        state.update(np.ascontiguousarray(array).data)
    return state.hexdigest()
