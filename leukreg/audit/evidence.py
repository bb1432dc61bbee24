"""What an audit looks at, gathered from a finished run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from leukreg.types import Evidence, RunResult


def evidence_of(result: RunResult, **more: Any) -> Evidence:
    """Evidence of a run as read back from its folder; ``more`` replaces single fields."""
    reported = result.recipe.get("reported")
    evidence = Evidence(
        recipe=result.recipe,
        reported=reported or None,
        samples=result.samples,
        pixels=result.pixels,
        twins=result.twins,
        statistics=result.statistics,
        folds=result.folds,
        epochs=result.epochs,
        phases=result.phases,
        notices=result.notices,
        predictions=result.predictions,
        validation=result.validation,
        scores=result.scores,
        threshold=result.threshold,
        threshold_from=result.threshold_from,
        facts=result.facts,
    )
    return replace(evidence, **more)
