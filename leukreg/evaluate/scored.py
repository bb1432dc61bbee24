"""What scoring gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from leukreg.types import Predictions, Score


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """The figures of a run and the decisions they rest on."""

    scores: tuple[Score, ...]
    confusion: tuple[tuple[int, ...], ...]
    """``confusion[true][decided]``."""
    threshold: float | None
    """Probability of the positive class from which a row is called positive; the mean over folds
    where each has its own; None where the most probable class is taken."""
    threshold_from: str | None
    """"validation", "scored" or "fixed"."""
    predictions: Predictions
    """The scored rows, with ``decision`` filled in."""
    thresholds: Mapping[int, float] = field(default_factory=dict)
    """By fold index: the threshold applied to its rows."""
    validation: Predictions | None = None
    """The validation rows, calibrated where the scored ones are."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What was fitted on them beside thresholds: ``calibration``, ``conformal``; plain
    values. ``thresholds`` has those of the folds."""
