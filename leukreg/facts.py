"""What a run knows of itself beside its figures: measured in training, or counted afterwards."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leukreg.types import Predictions, Samples

if TYPE_CHECKING:
    from leukreg.prepare import Prepared
    from leukreg.recipe.model import Recipe

MEASURED = ("input_range", "bn_changed_by_mc", "device", "precision", "parameters")
"""Facts of a fold that hold for the whole run (the worst fold's, where folds differ)."""
NOT_WHICH_IMAGES = ("broken", "fallback", "folds", "listing")
"""Keys of ``[data]`` that leave the same images to be listed."""


def facts_of(
    recipe: Recipe,
    folder: Path,
    data: Prepared,
    predictions: Predictions,
    folds: Sequence[Mapping[str, Any]],
    fidelity: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The facts of a run, as plain values.

    Args:
        folder: The run's own; the runs beside it are those that came before.
        folds: What was measured while each fold trained.
        fidelity: What the gate measured of synthetic images, per class and fold.
    """
    from leukreg.runs.digests import ids_digest

    pixels = data.images.digests
    facts: dict[str, Any] = {"folds": [dict(fold) for fold in folds]}
    for name in MEASURED:
        values = [fold[name] for fold in folds if name in fold]
        if values:
            facts[name] = any(values) if isinstance(values[0], bool) else values[0]
    if fidelity:
        facts["fidelity"] = [dict(table) for table in fidelity]
    facts["listed"] = listed(data.images.samples)
    if data.found:
        facts["files_found"] = dict(data.found)
    facts["test_set"] = ids_digest(pixels.get(name, name) for name in predictions.id)
    facts["test_looks"] = earlier_looks(folder, facts["test_set"])
    facts |= previous_counts(folder, recipe.resolved, facts["listed"])
    describe = getattr(recipe.model.backbone.plugin, "describe", None)
    if callable(describe):
        facts["digests"] = {"weights": describe()}
    return facts


def listed(samples: Samples) -> dict[str, int]:
    """Rows of each class that no generator made."""
    counts = Counter(row.label for row in samples.rows if row.lineage is None)
    return {label: counts[label] for label in samples.classes}


def earlier_looks(folder: Path, test_set: str) -> list[str]:
    """Names of the other runs beside ``folder`` that were scored on the same rows."""
    return [
        path.name for path, facts in finished_beside(folder) if facts.get("test_set") == test_set
    ]


def previous_counts(
    folder: Path, recipe: Mapping[str, Any], now: Mapping[str, int]
) -> dict[str, Any]:
    """Class counts of the last run before this one that was to list the same images.

    Nothing where there is none: a recipe with other images has other counts by intent.
    """
    before = [
        (_when(path), path.name, facts["listed"])
        for path, facts in finished_beside(folder)
        if isinstance(facts.get("listed"), dict)
        and facts["listed"].keys() == now.keys()
        and _which_images(_read(path / "recipe.json")) == _which_images(recipe)
    ]
    if not before:
        return {}
    _, name, counts = max(before, key=lambda one: one[:2])
    return {"previous_counts": counts, "previous_run": name}


def finished_beside(folder: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """The other runs below the same root that left facts behind, by name."""
    for path in sorted(folder.parent.glob("*/facts.json")):
        if path.parent.name != folder.name and (facts := _read(path)):
            yield path.parent, facts


def _which_images(recipe: Mapping[str, Any]) -> str:
    data = recipe.get("data")
    table = data if isinstance(data, Mapping) else {}
    kept = {key: value for key, value in table.items() if key not in NOT_WHICH_IMAGES}
    return json.dumps(kept, sort_keys=True, default=str)


def _when(path: Path) -> tuple[str, int]:
    """When a run began, to the second, and ended."""
    started = str(_read(path / "status.json").get("started", ""))
    return started, (path / "facts.json").stat().st_mtime_ns


def _read(path: Path) -> Mapping[str, Any]:
    """A table of a neighbouring run; empty where it is damaged: that is not this run's business."""
    try:
        data = json.loads(path.read_text(encoding="utf-8", errors="surrogatepass"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
