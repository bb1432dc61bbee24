"""Names in figures, whatever a user called things."""

from __future__ import annotations

from collections.abc import Sequence

from leukreg import Predictions, RunRecord, shortened

LONGEST = 28
"""Characters of a name in a figure."""
BLUE, RED, GREEN, PINK = "#0072b2", "#d55e00", "#009e73", "#cc79a7"
"""Of Okabe and Ito (2008); colour-blind people tell them apart."""
INK, FAINT, LINES = "#1b1f24", "#57606a", "#d0d7de"
"""Follow the reader's light or dark."""
WIDTH = 4.7
"""Inches of a figure."""


def plain(names: Sequence[str], longest: int = LONGEST) -> list[str]:
    """Names that matplotlib draws as they are: no formula, no control characters, no two alike."""
    shown = ["".join(c if c.isprintable() else repr(c)[1:-1] for c in name) for name in names]
    short = shortened(shown, longest)
    return [short[name].replace("$", r"\$") for name in shown]


def most_rows(predictions: Predictions, most: int) -> list[int]:
    """Classes with rows, by index; the ``most`` with the most rows where there are more."""
    import numpy as np

    counts = np.bincount(predictions.label, minlength=len(predictions.classes))
    present = [index for index in range(len(counts)) if counts[index]]
    kept = sorted(present, key=lambda index: -counts[index])[:most]
    return sorted(kept)


def left_out(result: RunRecord, shown: int, what: str) -> tuple[str, ...]:
    """Says how many classes a figure lacks, if any."""
    n = len(result.predictions.classes)
    if shown == n:
        return ()
    return (f"{what} {shown} of {n} classes: those with the most scored images.",)
