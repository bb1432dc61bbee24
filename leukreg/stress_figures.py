"""Figures of a run's models on changed test images (``leukreg stress``)."""

from __future__ import annotations

from dataclasses import dataclass

from leukreg.types import Finding, Score


@dataclass(frozen=True, slots=True, kw_only=True)
class StressStep:
    """Figures of a run's models on test images that were changed by so much."""

    level: float
    said: str
    """The level in words."""
    scores: tuple[Score, ...]
    """Accuracy, balanced accuracy, and the sensitivity of each class."""
    loss: Score
    """How much balanced accuracy was lost against the images as they are; paired interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StressChange:
    """One kind of change."""

    name: str
    steps: tuple[StressStep, ...]
    """Mildest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stress:
    """A run's models on changed test images, each fold's on its own test rows."""

    images: int
    """Test images that were changed."""
    of: int
    """The run's real test images."""
    lost: int = 0
    """Those that were gone or changed, and so left out."""
    each: int = 0
    """At most so many of a class were asked for; 0: all."""
    how: str = ""
    """How the intervals were made."""
    scores: tuple[Score, ...] = ()
    """Figures on the images as they are."""
    difference: float = 0.0
    """The largest difference of any probability there from the run's own predictions."""
    changes: tuple[StressChange, ...] = ()
    findings: tuple[Finding, ...] = ()
    """What the audit found in these figures."""
