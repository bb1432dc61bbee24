"""What the gate measures of synthetic images, as a run keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field


@dataclass(frozen=True, slots=True, kw_only=True)
class FakesOnly:
    """Right answers about real images, given by who was taught by synthetic ones alone."""

    score: float
    """With ``low`` and ``high``: share of right answers and its 95 % interval."""
    low: float | None = None
    high: float | None = None
    chance: float = 0.0
    """Share of right answers without looking."""
    real: float | None = None
    """The share when taught by real training images; None where there are none."""
    asked: int = 0
    """Real images asked about."""
    pupil: str = ""
    """Who was taught."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassesFor:
    """Another class whose real images the synthetic ones are like."""

    label: Annotated[str, Field(alias="class")]
    kid_ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FidelityBasis:
    """What the same class's distances rest on in another run."""

    run: str = ""
    extractor: str | None = None
    size: int | None = None
    real: int | None = None
    fake: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFigures:
    """What the gate measured of the synthetic images of a class, or of several together.

    Figures are None where there was too little to measure; ``unjudged`` then says so. Each stands
    beside its floor, the same between two halves of the real images, and its ratio to it.
    """

    label: Annotated[str | None, Field(alias="class")] = None
    """The class; None over several."""
    classes: tuple[str, ...] = ()
    """The classes it is over, where it is over several."""
    fold: int | None = None
    generator: str = ""
    snapshot: str | None = None
    """Digest of what was trained."""
    extractor: str | None = None
    """What saw the images, such as "cells@0123456789ab"."""
    dimensions: int | None = None
    """Its features."""
    size: int | None = None
    """Pixels a side."""
    real: int | None = None
    """With ``fake``: images that distances are of."""
    fake: int | None = None
    training: int | None = None
    """Images among which copies were looked for."""
    held_against: str = ""
    """Which real images: "validation rows", "training rows", ..."""
    unjudged: str = ""
    """Why there are no distances; empty where there are."""
    fid: float | None = None
    kid: float | None = None
    kid_std: float | None = None
    precision: float | None = None
    recall: float | None = None
    density: float | None = None
    coverage: float | None = None
    floor_fid: float | None = None
    floor_kid: float | None = None
    floor_kid_std: float | None = None
    floor_precision: float | None = None
    floor_recall: float | None = None
    floor_density: float | None = None
    floor_coverage: float | None = None
    fid_ratio: float | None = None
    kid_ratio: float | None = None
    precision_ratio: float | None = None
    recall_ratio: float | None = None
    density_ratio: float | None = None
    coverage_ratio: float | None = None
    refused: str = ""
    """Why there is no FID."""
    told_apart: float | None = None
    """Share of right answers, real or synthetic, of a plain classifier; 0.5 is ideal."""
    copies: int | None = None
    """Images that copy a training image, of so many ``drawn``."""
    drawn: int | None = None
    fakes_only: FakesOnly | None = None
    passes_for: PassesFor | None = None
    passed: bool | None = None
    """Whether the gate lets them pass; ``why``: what speaks against it."""
    why: tuple[str, ...] = ()
    entered: int | None = None
    """How many of them entered training."""
    notes: tuple[str, ...] = ()
    """What a reader should know of the figures."""
    seconds: float | None = None
    """Time it took to measure."""
    compared_with: FidelityBasis | None = None
    """The last run that differs in synthesis alone."""
