"""What a run knows of itself beside its figures: measured in training, or counted afterwards."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leukreg.types import Predictions, Samples

if TYPE_CHECKING:
    from leukreg.prepare import Prepared
    from leukreg.recipe.model import Recipe

MEASURED = ("input_range", "bn_changed_by_mc", "device", "precision", "parameters")
"""Facts of a fold that hold for the whole run (the worst fold's, where folds differ)."""
NOT_THE_TRAINING = ("synthesis", "name", "title", "audit", "reported", "assumed")
"""Tables of a recipe in which two runs may differ whose training differs in synthesis alone."""
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
    from leukreg.data.decode import readings
    from leukreg.runs.environment import ids_digest

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
    facts["passed_over"] = [asdict(one) for one in data.images.samples.passed]
    facts["passed_over_by_generator"] = [asdict(one) for one in data.beside.passed]
    facts["assumed_of_list"] = [*data.images.samples.assumed, *data.beside.assumed]
    facts["dropped"] = [asdict(one) for one in data.dropped]
    facts["readings"] = [asdict(one) for one in readings(data.images.facts.values())]
    facts["test_set"] = ids_digest(pixels.get(name, name) for name in predictions.id)
    facts["test_looks"] = earlier_looks(folder, facts["test_set"])
    facts["earlier_scores"] = earlier_scores(folder, facts["test_looks"])
    facts |= beside_the_last(folder, recipe.resolved, predictions, facts)
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


def earlier_scores(folder: Path, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """The figures of the whole of these runs beside ``folder``, by run and name."""
    from leukreg.runs.listing import summarise

    return {
        name: {
            s.name: s.value for s in summarise(folder.parent / name).scores if s.value is not None
        }
        for name in names
    }


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


def beside_the_last(
    folder: Path, recipe: Mapping[str, Any], predictions: Predictions, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """What comes of setting this run beside the last ones that differ in ``[synthesis]`` alone.

    ``gain``: how much more often the one with synthetic images in its training is right than the
    one without. ``fidelity``: this run's tables, each with what the last run's distances rest on.
    """
    alike = [
        (_when(path), path, kept, other)
        for path, kept in finished_beside(folder)
        if kept.get("test_set") == facts["test_set"]
        and _all_but_synthesis(other := _read(path / "recipe.json")) == _all_but_synthesis(recipe)
    ]
    alike.sort(key=lambda one: one[0])
    taught = _taught(recipe, facts)
    found: dict[str, Any] = {}
    opposite = [path for _, path, kept, other in alike if _taught(other, kept) is not taught]
    if opposite and taught is not None:
        found |= _gain(folder, predictions, opposite[-1], taught)
    measured = [(path.name, kept["fidelity"]) for _, path, kept, _ in alike if kept.get("fidelity")]
    if measured and facts.get("fidelity"):
        found["fidelity"] = [_beside(table, *measured[-1]) for table in facts["fidelity"]]
    return found


def _all_but_synthesis(recipe: Mapping[str, Any]) -> str:
    kept = {key: value for key, value in recipe.items() if key not in NOT_THE_TRAINING}
    return json.dumps(kept, sort_keys=True, default=str)


def _taught(recipe: Mapping[str, Any], facts: Mapping[str, Any]) -> bool | None:
    """Whether synthetic images were trained on; None where the gate let none in."""
    if not recipe.get("synthesis"):
        return False
    tables = facts.get("fidelity") or ()
    return True if not tables or any(table.get("entered") for table in tables) else None


def _gain(folder: Path, predictions: Predictions, other: Path, taught: bool) -> dict[str, Any]:
    from leukreg.errors import RunError
    from leukreg.evaluate.bootstrap import paired
    from leukreg.runs.predictions import read_predictions

    try:
        theirs = read_predictions(other / "predictions.csv")
    except RunError:  # damage over there is not this run's business
        return {}
    found = paired(theirs, predictions) if taught else paired(predictions, theirs)
    if found is None or found.low is None:
        return {}
    of = (folder.name, other.name) if taught else (other.name, folder.name)
    return {"gain": {"with": of[0], "without": of[1], **asdict(found)}}


def _beside(
    table: Mapping[str, Any], run: str, others: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The table, with what the same class's distances rest on in the other run."""
    of = ("class", "classes", "fold")
    same = [one for one in others if all(one.get(key) == table.get(key) for key in of)]
    if not same or "kid" not in table or "kid" not in same[0]:
        return dict(table)
    basis = {key: same[0].get(key) for key in ("extractor", "size", "real", "fake")}
    return {**table, "compared_with": {"run": run, **basis}}


def finished_beside(folder: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """The other runs below the same root that left facts behind, by name."""
    for path in sorted(folder.parent.glob("*/facts.json")):
        if path.parent.name != folder.name and (facts := _read(path)):
            yield path.parent, facts


def _which_images(recipe: Mapping[str, Any]) -> str:
    data = recipe.get("data")
    table = data if isinstance(data, Mapping) else {}
    kept = {key: value for key, value in table.items() if key not in NOT_WHICH_IMAGES}
    folds = table.get("folds")
    kept["drop"] = isinstance(folds, Mapping) and folds.get("duplicates") == "drop"
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
