"""Names in figures, whatever a user called things."""

from __future__ import annotations

from collections.abc import Sequence

from leukreg import STYLE, Predictions, RunRecord, shortened

LONGEST = 28
"""Characters of a name in a figure."""
BLUE, RED, GREEN, PINK, *_ = STYLE.colours
INK, FAINT, WIDTH = STYLE.ink, STYLE.faint, STYLE.width


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
