"""Numbers and names in words, the same in every section."""

from __future__ import annotations

from leukreg import STYLE, Predictions, RunRecord, Score, rounded
from leukreg import percent as share

UNDEFINED = "undefined"


def number(value: float | None, digits: int = 3) -> str:
    return UNDEFINED if value is None else rounded(value, digits)


def interval(score: Score | None, digits: int = 3) -> str:
    """``0.791–0.884``, or nothing where there is none."""
    if score is None or score.low is None or score.high is None:
        return ""
    return f"{rounded(score.low, digits)}–{rounded(score.high, digits)}"


def percent(score: Score | None, said: str = "") -> str:
    """``84.0 % (79.1–88.4)``; ``said`` stands before the bounds."""
    if score is None or score.value is None:
        return UNDEFINED
    text = share(score.value)
    if score.low is None or score.high is None:
        return text
    return f"{text} ({said}{share(score.low)[:-2]}–{share(score.high)[:-2]})"


def duration(seconds: float) -> str:
    """``4.2 s``, ``3 min 05 s``, ``2 h 07 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def listed(parts: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def find(result: RunRecord, name: str, label: str | None = None) -> Score | None:
    """The score of this name and class."""
    return next((s for s in result.scores if s.name == name and s.label == label), None)


def overall(result: RunRecord, name: str) -> Score | None:
    """The figure of the whole; of two classes, the average precision of the positive one.

    Precision and recall are of a class, and the mean over both classes is no point of any curve.
    """
    label = positive(result) if name == "average_precision" else None
    return find(result, name, label)


def cells_have_labels(result: RunRecord) -> bool:
    """False where only patients have labels: then there are figures of patients, none of cells."""
    return not (result.samples.weak and result.patients is not None)


def positive(result: RunRecord) -> str | None:
    """The positive class of a binary run."""
    return result.positive.name if result.positive else None


BLUE, RED, GREEN, PINK, *_ = STYLE.colours
INK, FAINT, WIDTH = STYLE.ink, STYLE.faint, STYLE.width


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
