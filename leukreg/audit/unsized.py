"""What can be said of a table whose number of test rows is not stated."""

from __future__ import annotations

from fractions import Fraction

from leukreg.audit.conflict import Conflict, Repair, ratio
from leukreg.audit.printed import Printed
from leukreg.audit.reconstruct import Puzzle, Reconstruction, figures_of, solve
from leukreg.audit.reported import Reported

LARGEST_TRIED = 400
"""Tests of up to so many rows are tried, smallest first."""


def free_conflict(reported: Reported) -> Conflict | None:
    """Figures that contradict each other in a test of any size, or None.

    Exact: F1 lies between what precision and recall allow, and accuracy, the mean of the recalls
    weighted by support, between the smallest and the largest of them.
    """
    for label in reported.classes:
        clash = _harmonic(label, reported.of(label))
        if clash is not None:
            return Conflict(clash, True, ())
    return _weighted_mean(reported)


def _harmonic(
    label: str, figures: dict[str, Printed]
) -> tuple[tuple[str, str, Printed], ...] | None:
    parts = [figures.get(name) for name in ("precision", "recall", "f1")]
    if any(part is None or part.undefined for part in parts):
        return None
    precision, recall, f1 = (part for part in parts if part is not None)
    low = _mean(max(precision.low, Fraction(0)), max(recall.low, Fraction(0)))
    high = _mean(min(precision.high, Fraction(1)), min(recall.high, Fraction(1)))
    if f1.high < low or f1.low > high:
        return ((label, "precision", precision), (label, "recall", recall), (label, "f1", f1))
    return None


def _mean(a: Fraction, b: Fraction) -> Fraction:
    return 2 * a * b / (a + b) if a + b else Fraction(0)


def _weighted_mean(reported: Reported) -> Conflict | None:
    accuracy = reported.figure("accuracy")
    recalls = [(c, reported.of(c).get("recall")) for c in reported.classes]
    if accuracy is None or accuracy.undefined or not recalls:
        return None
    known = [(c, r) for c, r in recalls if r is not None]
    if len(known) < len(recalls):
        return None
    clash: tuple[tuple[str, str, Printed], ...] = ()
    if all(not r.undefined and r.high < accuracy.low for _, r in known):
        label, recall = max(known, key=lambda item: item[1].high)
        clash = ((label, "recall", recall),)
    # A recall printed 0 may be 0/0 of a class that was not tested: it bounds nothing from below.
    elif all(not r.undefined and r.low > accuracy.high and not r.holds(None) for _, r in known):
        label, recall = min(known, key=lambda item: item[1].low)
        clash = ((label, "recall", recall),)
    if not clash:
        return None
    return Conflict((*clash, ("", "accuracy", accuracy)), True, _repairs(reported, accuracy))


def _repairs(reported: Reported, accuracy: Printed) -> tuple[Repair, ...]:
    """What accuracy is in the smallest test that prints all the other figures."""
    answer = smallest_test(reported, without=("", "accuracy"))
    if answer is None or not answer.rows:
        return ()
    figures = figures_of(reported)
    puzzle = Puzzle(reported.classes, answer.rows, reported.supports, figures)
    values = {ratio(puzzle, "", "accuracy", found) for found in answer.answers}
    return (Repair("", "accuracy", accuracy, tuple(sorted(values)), answer),)


def smallest_test(
    reported: Reported, without: tuple[str, str] | None = None
) -> Reconstruction | None:
    """The smallest test that prints the figures; None where none of ``LARGEST_TRIED`` rows does."""
    figures = tuple(f for f in figures_of(reported) if f[:2] != without)
    if len(reported.classes) < 2 or not figures:
        return None
    for rows in range(1, LARGEST_TRIED + 1):
        if not _hopeless(rows, figures):
            answer = solve(Puzzle(reported.classes, rows, reported.supports, figures))
            if answer.status == "fits":
                return answer
    return None


def _hopeless(rows: int, figures: tuple[tuple[str, str, Printed], ...]) -> bool:
    """Whether some figure is no fraction of at most ``rows`` rows: seen without a search."""
    return any(
        not value.undefined
        and not value.holds(None)
        and not _is_fraction(value, 2 * rows if name == "f1" else rows)
        for _, name, value in figures
        if name != "balanced_accuracy"
    )


def _is_fraction(value: Printed, most: int) -> bool:
    """Whether a fraction with a denominator of at most ``most`` lies in the printed interval."""
    assert value.value is not None
    nearest = value.value.limit_denominator(most)
    return value.low <= nearest <= value.high


def only_class(reported: Reported) -> tuple[str, int] | None:
    """The one class a test held, and the size of tests up to which that follows.

    Precision 1 leaves hardly a wrong row among those predicted as the class, specificity 0 hardly
    a right one among the others; so there are no others, unless the test is so large that a row
    vanishes in rounding.
    """
    for label in reported.classes:
        figures = reported.of(label)
        precision, specificity = figures.get("precision"), figures.get("specificity")
        if precision is None or specificity is None:
            continue
        if precision.undefined or specificity.undefined or precision.low >= 1:
            continue
        if precision.high >= 1 and specificity.low <= 0:
            # n - s = fp + tn <= (1 - P) n + Sp (n - s) is below 1 for n < (1 - Sp) / (1 - P).
            bound = (1 - specificity.high) / (1 - precision.low)
            if bound > 1:
                return label, -int(-bound // 1) - 1 if bound == bound // 1 else int(bound)
    return None
