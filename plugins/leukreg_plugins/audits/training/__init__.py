"""Rules on training: how it was set up and what it did."""

from __future__ import annotations

from leukreg_plugins.audits.training.course import (
    BelowChance,
    ChanceLoss,
    IdlePhase,
    NoBetterThanStart,
)
from leukreg_plugins.audits.training.setup import (
    DoubleCorrection,
    FallbackTaken,
    InputRange,
    LearningRate,
    McChangedBatchNorm,
    NothingToDrop,
)

TRAINING: list[type] = [
    InputRange,
    FallbackTaken,
    LearningRate,
    DoubleCorrection,
    IdlePhase,
    NoBetterThanStart,
    BelowChance,
    ChanceLoss,
    McChangedBatchNorm,
    NothingToDrop,
]
