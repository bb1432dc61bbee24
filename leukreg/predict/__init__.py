"""What happens with trained models afterwards: predict, explain, export, evaluate elsewhere.

Loaded on first use: torch takes two seconds.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leukreg.predict.explain import explanation as explanation
    from leukreg.predict.external import evaluate as evaluate
    from leukreg.predict.table import Predicted as Predicted
    from leukreg.predict.trained import Trained as Trained
    from leukreg.predict.trained import load as load

_HOME = {
    "Predicted": "leukreg.predict.table",
    "Trained": "leukreg.predict.trained",
    "evaluate": "leukreg.predict.external",
    "explanation": "leukreg.predict.explain",
    "load": "leukreg.predict.trained",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'leukreg.predict' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
