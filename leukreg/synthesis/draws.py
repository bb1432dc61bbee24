"""The images of one class: drawn, looked at, single copies replaced."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from leukreg.contracts import ClassGenerator
from leukreg.synthesis.generator import draw
from leukreg.synthesis.request import Request
from leukreg.types import Lineage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leukreg.synthesis.judge import Judge

ATTEMPTS = 3
"""Draws in place of copies; what is a copy still after these is left out."""


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Images of one class."""

    pixels: NDArray[np.uint8]
    """Shape ``(n, size, size, 3)``."""
    lineage: tuple[Lineage, ...]
    of: int
    """Images of the first draw: as many as were asked for."""
    copied: NDArray[np.uint8] | None = None
    """Images of the first draw that copy a training image; None where nobody looked."""
    copied_rows: tuple[int, ...] = ()
    """The training rows they copy."""

    @property
    def copies(self) -> int:
        return len(self.copied_rows)


def drawn(generator: ClassGenerator, label: str, request: Request, judge: Judge | None) -> Drawn:
    """The images asked for of a class; with a judge, single copies are replaced by new images.

    Where more are copies than the gate allows, all of them stay: the class fails on them.

    Raises:
        PluginError: The generator failed or broke its contract.
    """
    first = _draw(generator, label, request, request.spec.count(label), 0)
    if judge is None:
        return first
    rows = judge.copied_rows(first.pixels)
    copies = rows >= 0
    first = replace(first, copied=first.pixels[copies], copied_rows=tuple(rows[copies].tolist()))
    if not copies.any() or copies.mean() > judge.gate.copies:
        return first
    found = _picked(first, ~copies)
    for attempt in range(1, ATTEMPTS + 1):
        if lacking := first.of - len(found.pixels):
            more = _draw(generator, label, request, lacking, attempt)
            found = _joined(found, _picked(more, judge.copied_rows(more.pixels) < 0))
    return found


def _draw(generator: ClassGenerator, label: str, request: Request, n: int, attempt: int) -> Drawn:
    made = draw(generator, label, n, request.draw_seed(label, attempt), request)
    lineage = tuple(replace(line, fold=request.fold) for line in made.lineage)
    return Drawn(made.pixels, lineage, n)


def _picked(batch: Drawn, chosen: NDArray[np.bool_]) -> Drawn:
    lineage = tuple(line for line, one in zip(batch.lineage, chosen, strict=True) if one)
    return replace(batch, pixels=batch.pixels[chosen], lineage=lineage)


def _joined(batch: Drawn, more: Drawn) -> Drawn:
    pixels = np.concatenate([batch.pixels, more.pixels])
    return replace(batch, pixels=pixels, lineage=batch.lineage + more.lineage)
