"""What one class of a confusion matrix can be, given its printed figures: exact integers only.

A class is described by its marginals: ``s`` rows truly of it (support), ``t`` of them found (true
positives), ``p`` rows predicted as it. For fixed ``(s, t)`` each printed figure confines ``p`` to
an interval of whole numbers, so a class is a list of items ``(s, t, low, high)``:

    recall       t / s                        undefined for s = 0
    precision    t / p                        undefined for p = 0
    F1           2 t / (s + p)                undefined where precision or recall is
    specificity  1 - (p - t) / (n - s)        undefined for s = n
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from leukreg.audit.printed_figure import Printed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Effort:
    """Bounds counted in work, not in seconds, so that an answer does not depend on the machine."""

    items: int
    """Candidates of one class."""
    pairs: int
    """Pairs of candidates that are summed at once."""
    work: int
    """Candidates looked at where they are too many to list."""


FULL = Effort(items=2_000_000, pairs=6_000_000, work=20_000_000)
QUICK = Effort(items=60_000, pairs=600_000, work=3_000_000)
"""For the many searches that find out which figures contradict each other."""


@dataclass(frozen=True, slots=True)
class Items:
    """Candidates of a class, or of several classes summed; arrays of one length, int64."""

    s: NDArray[np.int64]
    t: NDArray[np.int64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.s)

    def where(self, keep: NDArray[np.bool_]) -> Items:
        return Items(self.s[keep], self.t[keep], self.low[keep], self.high[keep])


class TooMany(Exception):
    """There are more candidates than can be searched."""


def class_items(
    n: int,
    support: tuple[int, int],
    figures: Mapping[str, Printed],
    hits: tuple[int, int],
    effort: Effort = FULL,
) -> Items:
    """Candidates of one class in a test of ``n`` rows.

    ``support`` and ``hits`` (correct rows of all classes) are closed ranges.

    Raises:
        TooMany: The figures leave more of them than ``effort`` allows.
    """
    import numpy as np

    s_all = np.arange(max(0, support[0]), min(n, support[1]) + 1, dtype=np.int64)
    first, last = _found(s_all, figures, hits[1])
    counts = np.maximum(0, last - first + 1)
    if int(counts.sum()) > effort.items:
        raise TooMany
    s = np.repeat(s_all, counts)
    start = np.repeat(first - np.concatenate(([0], np.cumsum(counts)[:-1])), counts)
    t = np.arange(len(s), dtype=np.int64) + start
    if "f1" in figures and "recall" not in figures:
        s, t = _with_zero(s, t, s_all)
    low, high = t.copy(), n - s + t
    for confine in (_precision, _f1, _specificity):
        a, b = confine(n, s, t, figures)
        low, high = np.maximum(low, a), np.minimum(high, b)
    # A wrong row of one class lies in another class's column: fn + fp <= n - hits.
    high = np.minimum(high, n - hits[0] + 2 * t - s)
    items = Items(s, t, low, high)
    return items.where(low <= high)


def _found(
    s: NDArray[np.int64], figures: Mapping[str, Printed], most: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The range of true positives for every support, from recall (or what F1 says of it)."""
    import numpy as np

    zero = np.zeros_like(s)
    recall = figures.get("recall")
    if recall is None:
        low, high = _implied_recall(figures)
        return _ceil(s, low), np.minimum(np.minimum(_floor(s, high), s), most)
    if recall.undefined:
        return zero, np.where(s == 0, 0, -1)
    first = np.maximum(0, _ceil(s, recall.low))
    last = np.minimum(np.minimum(s, most), _floor(s, recall.high))
    if not recall.holds(None):
        last = np.where(s == 0, -1, last)
    else:
        first, last = np.where(s == 0, 0, first), np.where(s == 0, 0, last)
    return first, last


def _implied_recall(figures: Mapping[str, Printed]) -> tuple[Fraction, Fraction]:
    """1/F1 is the mean of 1/precision and 1/recall; holds where something was found."""
    f1, precision = figures.get("f1"), figures.get("precision")
    if f1 is None or f1.undefined or f1.low <= 0:
        return Fraction(0), Fraction(1)
    p_low, p_high = Fraction(0), Fraction(1)
    if precision is not None and not precision.undefined:
        p_low, p_high = max(p_low, precision.low), min(p_high, precision.high)
    low = f1.low * p_high / (2 * p_high - f1.low) if 2 * p_high > f1.low else Fraction(1)
    high = f1.high * p_low / (2 * p_low - f1.high) if 2 * p_low > f1.high else Fraction(1)
    return min(low, Fraction(1)), min(high, Fraction(1))


def _with_zero(
    s: NDArray[np.int64], t: NDArray[np.int64], s_all: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Add t = 0, where F1 is 0 or undefined and says nothing of recall."""
    import numpy as np

    keep = t > 0
    return (
        np.concatenate((s_all, s[keep])),
        np.concatenate((np.zeros_like(s_all), t[keep])),
    )


def _precision(
    n: int, s: NDArray[np.int64], t: NDArray[np.int64], figures: Mapping[str, Printed]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    import numpy as np

    low, high = np.zeros_like(t), np.full_like(t, n)
    precision = figures.get("precision")
    if precision is None:
        return low, high
    if precision.undefined:
        return low, np.where(t == 0, 0, -1)
    low, high = _ratio_bounds(t, precision, n)
    # Nothing found: precision is 0 with p > 0 and undefined (printed 0, 1 or nan) with p = 0.
    empty = t == 0
    low = np.where(empty, 0 if precision.holds(None) else 1, low)
    return low, np.where(empty, n if precision.low <= 0 else 0, high)


def _f1(
    n: int, s: NDArray[np.int64], t: NDArray[np.int64], figures: Mapping[str, Printed]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    import numpy as np

    low, high = np.zeros_like(t), np.full_like(t, n)
    f1 = figures.get("f1")
    if f1 is None:
        return low, high
    if f1.undefined:
        return low, np.where(t > 0, -1, np.where(s == 0, n, 0))
    low, high = _ratio_bounds(2 * t, f1, 2 * n)
    low, high = low - s, high - s
    empty = t == 0
    if f1.low <= 0:
        low, high = np.where(empty, 0, low), np.where(empty, n, high)
    else:  # only 0/0 printed as 1 is left
        none = 0 if f1.holds(None) else -1
        low = np.where(empty, 0, low)
        high = np.where(empty, np.where(s == 0, none, -1), high)
    return low, high


def _specificity(
    n: int, s: NDArray[np.int64], t: NDArray[np.int64], figures: Mapping[str, Printed]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    import numpy as np

    low, high = np.zeros_like(t), np.full_like(t, n)
    specificity = figures.get("specificity")
    if specificity is None:
        return low, high
    others = n - s
    undefined = t if specificity.holds(None) else np.full_like(t, -1)
    if specificity.undefined:
        return low, np.where(others == 0, undefined, -1)
    low = t + _ceil(others, 1 - specificity.high)
    high = t + _floor(others, 1 - specificity.low)
    return np.where(others == 0, 0, low), np.where(others == 0, undefined, high)


def _ratio_bounds(
    top: NDArray[np.int64], figure: Printed, most: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Whole ``x`` with ``figure.low <= top / x <= figure.high``, for ``top > 0``."""
    import numpy as np

    if figure.high <= 0:
        return np.zeros_like(top), np.full_like(top, -1)
    low = _ceil(top, 1 / figure.high)
    high = np.full_like(top, most) if figure.low <= 0 else _floor(top, 1 / figure.low)
    return low, high


def _floor(x: NDArray[np.int64], factor: Fraction) -> NDArray[np.int64]:
    """Exact ``floor(x * factor)``; 64 bits hold it for the sizes and digits that are read."""
    if x.size and max(abs(int(x.max())), 1) * abs(factor.numerator) >= 2**62:
        return _exact(x, factor, math.floor)
    return x * factor.numerator // factor.denominator


def _ceil(x: NDArray[np.int64], factor: Fraction) -> NDArray[np.int64]:
    if x.size and max(abs(int(x.max())), 1) * abs(factor.numerator) >= 2**62:
        return _exact(x, factor, math.ceil)
    return -(-x * factor.numerator // factor.denominator)


def _exact(x: NDArray[np.int64], factor: Fraction, to: object) -> NDArray[np.int64]:
    import numpy as np

    round_to = math.floor if to is math.floor else math.ceil
    limit = 2**62
    values = [max(-limit, min(limit, round_to(int(v) * factor))) for v in x]
    return np.array(values, dtype=np.int64)
