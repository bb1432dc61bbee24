"""The difference between two runs on the images both scored, in words."""

from __future__ import annotations

from leukreg.evaluate.bootstrap import paired
from leukreg.text import percents
from leukreg.types import RunResult


def paired_difference(first: RunResult, second: RunResult) -> str | None:
    """Accuracy of ``second`` less that of ``first``; None where they share too few images."""
    found = paired(first.predictions, second.predictions)
    if found is None:
        return None
    text = f"accuracy differs by {percents(found.value, signed=True)} points"
    if found.low is None or found.high is None:
        return f"{text} ({found.images:,} images)."
    spread = " to ".join(percents(bound, signed=True) for bound in (found.low, found.high))
    return f"{text} ({spread}; {found.images:,} images, {found.how}, paired)."
