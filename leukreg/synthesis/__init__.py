"""Synthetic images: made inside the training fold, judged, kept with their lineage.

Loaded on first use: whoever wants a distance need not load what makes images.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leukreg.synthesis.generator import listed as listed
    from leukreg.synthesis.leakage import check_everything as check_everything
    from leukreg.synthesis.leakage import check_folds as check_folds
    from leukreg.synthesis.make import Placed as Placed
    from leukreg.synthesis.make import before_split as before_split
    from leukreg.synthesis.make import hold as hold
    from leukreg.synthesis.make import into_fold as into_fold

_NAMES = ("Placed", "before_split", "hold", "into_fold")
_HOME = dict.fromkeys(_NAMES, "leukreg.synthesis.make")
_HOME |= dict.fromkeys(("check_everything", "check_folds"), "leukreg.synthesis.leakage")
_HOME["listed"] = "leukreg.synthesis.generator"
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'leukreg.synthesis' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
