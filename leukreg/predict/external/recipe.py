"""The recipe of an evaluation: the run's own, with another source and nothing left to fit."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from leukreg.errors import PluginError, Problems
from leukreg.paths import expanded
from leukreg.positive import positive_in
from leukreg.recipe import check
from leukreg.recipe.extends import with_overrides
from leukreg.recipe.mistakes import Document
from leukreg.recipe.model import Recipe
from leukreg.recipe.resolved import without_none
from leukreg.registry import Registry
from leukreg.text import file_stem
from leukreg.types import RunResult

WHERE = ("root", "path")
"""Options of a source that say where its images are."""
DROPPED = ("synthesis", "reported", "assumed", "audit")
"""Tables that speak of the run's own data and figures."""


def elsewhere(
    result: RunResult, source: str, data: Path, options: Sequence[str], registry: Registry
) -> Recipe:
    """The recipe that scores a run's models on other images.

    Args:
        result: The run.
        source: Name of the source plugin.
        data: What its option ``root`` or ``path`` gets.
        options: Further options of the source, ``KEY=VALUE`` each.
        registry: Where plugins are found.

    Raises:
        Problems: The source refuses its options.
        PluginError: There is no such source, or it takes no place.
    """
    entry = registry.get("source", source)
    fields = {field.name for field in dataclasses.fields(entry.cls)}
    where = next((key for key in WHERE if key in fields), None)
    if where is None:
        raise PluginError(f"source {source!r} has neither a root nor a path: it cannot take --data")
    plain = {key: value for key, value in without_none(result.recipe).items() if key not in DROPPED}
    name = re.sub(r"[^\w.-]+", "_", data.name) or "elsewhere"
    plain["name"] = file_stem(f"{plain['name']}-on-{name}")
    plain["title"] = f"{plain.get('title') or result.recipe['name']}, evaluated on {data.name}"
    place = str(expanded(data).absolute())
    plain["data"] = {"use": source, where: place, "broken": "skip", "folds": {"validation": 0}}
    plain["evaluate"] = _evaluate(plain.get("evaluate", {}), result)
    document, wrong = with_overrides(Document(plain), [f"data.{option}" for option in options])
    if wrong:
        raise Problems(wrong)
    for phase in document.tree["phase"]:
        phase.pop("monitor", None)  # nothing is trained, so nothing is watched
    return check(document, "the evaluation", plain["name"], registry, complete=True)


def _evaluate(table: Mapping[str, Any], result: RunResult) -> dict[str, Any]:
    """``[evaluate]`` with the run's threshold fixed: the rows that are scored decide nothing."""
    fitted = ("threshold", "calibration", "conformal", "on")
    kept = {key: value for key, value in table.items() if key not in fitted}
    if result.threshold is not None:
        kept["threshold"] = {"rule": "fixed", "value": result.threshold}
        positive = positive_in(result.recipe, result.predictions.classes)
        kept["positive"] = positive.name if positive else None  # a run of before may have guessed
    return kept
