"""What a measurement of synthetic images came to, and the comparing of two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from leukreg.errors import DataError

NAMES = ("fid", "kid", "precision", "recall", "density", "coverage")
SAME = ("extractor", "size", "real", "fake")
"""What two figures must have in common to be compared."""
_BY_IMAGE = ("copies", "nearest", "closeness")


@dataclass(frozen=True, kw_only=True)
class Fidelity:
    """Figures of fakes against real images, beside their floor: between halves of the real ones."""

    extractor: str
    """Name and digest, such as "cells@d87391daf86f"."""
    dimensions: int
    """Features of the extractor."""
    size: int
    """Pixels a side of the compared images."""
    real: int
    fake: int
    training: int
    """Images among which copies were looked for."""
    fid: float | None
    """None where there are too few images for it; ``refused`` says so."""
    kid: float
    kid_std: float
    precision: float
    recall: float
    density: float
    coverage: float
    told_apart: float
    """Share of right answers, real or fake, of a plain classifier about images that did not teach
    it; 0.5 is ideal."""
    floor_fid: float | None
    """None where half of the real images are too few."""
    floor_kid: float
    floor_kid_std: float
    floor_precision: float
    floor_recall: float
    floor_density: float
    floor_coverage: float
    copies: tuple[int, ...]
    """Positions of the fakes that copy a training image."""
    nearest: tuple[int, ...]
    """For every fake, the position of its nearest training image."""
    closeness: tuple[float, ...]
    """For every fake, how near that is: 0 for an exact copy, about 1 for a new picture."""
    refused: str
    """Why there is no FID; empty where there is one."""
    seconds: float

    def ratio(self, name: str) -> float | None:
        """A figure over its floor (a KID below 0 counts as 0); None where either is missing."""
        value, floor = getattr(self, name), getattr(self, f"floor_{name}")
        if value is None or not floor:
            return None
        return max(0.0, float(value)) / float(floor)

    @property
    def kid_ratio(self) -> float | None:
        return self.ratio("kid")

    @property
    def fid_ratio(self) -> float | None:
        return self.ratio("fid")

    def table(self) -> dict[str, Any]:
        """Plain values: what the figures rest on, each with floor and ratio, the copies counted."""
        named = (each.name for each in fields(self) if each.name not in _BY_IMAGE)
        table = {name: getattr(self, name) for name in named}
        table |= {f"{name}_ratio": self.ratio(name) for name in NAMES}
        return table | {"copies": len(self.copies)}


def is_comparable(found: object) -> bool:
    """Whether something read from a file is a table that :func:`compare` can work with."""
    if not isinstance(found, Mapping) or any(found.get(name) is None for name in SAME):
        return False
    values = [found.get(name) for name in NAMES]
    return all(value is None or type(value) in (int, float) for value in values)


def compare(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, float]:
    """How figures changed from one :meth:`Fidelity.table` to another, second less first.

    Raises:
        DataError: They differ in extractor, image size or counts: such figures are of different
            scales, and the difference would mean nothing.
    """
    differ = [
        f"{name} ({first.get(name)} and {second.get(name)})"
        for name in SAME
        if first.get(name) != second.get(name)
    ]
    if differ:
        raise DataError(f"these figures cannot be compared: they differ in {', '.join(differ)}")
    both = [name for name in NAMES if None not in (first.get(name), second.get(name))]
    return {name: float(second[name]) - float(first[name]) for name in both}
