"""What a run knows of itself beside its figures: measured in training, or counted afterwards."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leukreg.types import Predictions

if TYPE_CHECKING:
    from leukreg.recipe.model import Recipe

MEASURED = ("input_range", "bn_changed_by_mc", "device", "precision", "parameters")
"""Facts of a fold that hold for the whole run (the worst fold's, where folds differ)."""


def facts_of(
    recipe: Recipe,
    folder: Path,
    predictions: Predictions,
    pixels: Mapping[str, str],
    folds: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """The facts of a run, as plain values."""
    from leukreg.runs.digests import ids_digest

    facts: dict[str, Any] = {"folds": [dict(fold) for fold in folds]}
    for name in MEASURED:
        values = [fold[name] for fold in folds if name in fold]
        if values:
            facts[name] = any(values) if isinstance(values[0], bool) else values[0]
    facts["test_set"] = ids_digest(pixels.get(name, name) for name in predictions.id)
    facts["test_looks"] = earlier_looks(folder, facts["test_set"])
    describe = getattr(recipe.model.backbone.plugin, "describe", None)
    if callable(describe):
        facts["digests"] = {"weights": describe()}
    return facts


def earlier_looks(folder: Path, test_set: str) -> int:
    """How many other runs beside ``folder`` were scored on the same rows."""
    looks = 0
    for path in folder.parent.glob("*/facts.json"):
        if path.parent.name == folder.name:
            continue
        try:
            looks += json.loads(path.read_text(encoding="utf-8")).get("test_set") == test_set
        except (OSError, ValueError, AttributeError):
            continue  # a damaged neighbour is not this run's business
    return looks
