"""From a checked recipe and a fold to a trained model and its predictions.

Loaded on first use: torch takes two seconds, ignite more.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leukreg.engine.checkpoint import lost as lost
    from leukreg.engine.finder import RangeTest as RangeTest
    from leukreg.engine.finder import range_test as range_test
    from leukreg.engine.fold import train_fold as train_fold
    from leukreg.engine.outcome import FoldOutcome as FoldOutcome
    from leukreg.engine.outcome import PhasePlan as PhasePlan
    from leukreg.engine.planning import plan as plan
    from leukreg.engine.predict import predict_rows as predict_rows
    from leukreg.engine.rehearsal import rehearse as rehearse

_HOME = {
    "RangeTest": "leukreg.engine.finder",
    "range_test": "leukreg.engine.finder",
    "lost": "leukreg.engine.checkpoint",
    "FoldOutcome": "leukreg.engine.outcome",
    "PhasePlan": "leukreg.engine.outcome",
    "plan": "leukreg.engine.planning",
    "predict_rows": "leukreg.engine.predict",
    "rehearse": "leukreg.engine.rehearsal",
    "train_fold": "leukreg.engine.fold",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'leukreg.engine' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
