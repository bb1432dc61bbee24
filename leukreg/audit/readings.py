"""What a printed figure can be of: one class, all but one, or an average over the classes.

A class is three counts of a test of ``n`` rows: its support ``s``, how many of these were found
(``t``), how many rows were predicted as it (``p``). Every figure here is a ratio of them, an
average of such ratios, or (MCC, kappa, G-mean) a formula in them.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from leukreg.audit.figures import AVERAGED, AVERAGES, parts_of
from leukreg.audit.printed_figure import Printed

Triple = tuple[int, int, int]
"""Of a class: support, true positives, predicted rows."""
Marginals = tuple[Triple, ...]
Figure = tuple[str, str, Printed]
"""Class ("" for the whole), name, value."""
RATIOS = ("recall", "precision", "f1", "specificity", "npv", "fpr", "fnr", "fdr", "jaccard")
"""Figures of a class that are ratios of sums of its counts."""
ROOTS = ("mcc", "g_mean")
TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Way:
    """One thing that a figure can be."""

    kind: str
    """ "of" a class, of all "but" a class, the "whole", an average, or "harmonic": the harmonic
    mean of the mean precision and the mean recall, as some compute F1."""
    name: str
    """The figure of each class, or of the whole."""
    label: str = ""

    def said(self) -> str:
        if self.kind == "of":
            return f"of {self.label}"
        if self.kind == "but":
            return f"of all but {self.label}"
        if self.kind == "harmonic":
            return "of the mean precision and recall"
        return "accuracy" if self.kind == "whole" else f"{self.kind} average"


def ratio(name: str, triple: tuple[Any, Any, Any], n: Any) -> tuple[Any, Any]:
    """Numerator and denominator of a figure of one class, unreduced; 0/0 stays 0/0.

    Counts, or the solver's variables for them.
    """
    s, t, p = triple
    right = n - s - p + t
    return {
        "recall": (t, s),
        "precision": (t, p),
        "f1": (2 * t, s + p),
        "specificity": (right, n - s),
        "npv": (right, n - p),
        "fpr": (p - t, n - s),
        "fnr": (s - t, s),
        "fdr": (p - t, p),
        "jaccard": (t, s + p - t),
        "accuracy": (right + t, n),
    }[name]


def complement(triple: tuple[Any, Any, Any], n: Any) -> tuple[Any, Any, Any]:
    """All other classes as one."""
    s, t, p = triple
    return n - s, n - s - p + t, n - p


def ways_of(label: str, name: str, classes: Sequence[str], positive: str | None) -> tuple[Way, ...]:
    """Everything that a figure can be, the plainest first; none where no matrix tells."""
    kind, base = parts_of(name)
    if label:
        if name == "accuracy":
            return Way("of", name, label), Way("of", "recall", label)
        return (Way("of", name, label),) if name in RATIOS else ()
    if name in ("accuracy", "error_rate", "kappa", "mcc"):
        return (Way("whole", name),)
    if name == "g_mean":
        return (Way("whole", name),) if len(classes) == 2 else ()
    if name == "balanced_accuracy":
        return (Way("macro", "recall"),)
    if base not in RATIOS:
        return ()
    if kind is not None:
        mean_of_means = base == "f1" and kind != "micro"
        return (Way(kind, base), *((Way("harmonic", kind),) if mean_of_means else ()))
    own: tuple[str, ...] = () if positive is None else (positive,)
    if len(classes) == 2:
        own = (*own, *(c for c in classes if c != positive))
    averages = tuple(Way(kind, base) for kind in AVERAGES)
    beside = (Way("but", base, positive),) if positive is not None and len(classes) > 2 else ()
    harmonic = (Way("harmonic", "macro"), Way("harmonic", "weighted")) if base == "f1" else ()
    return (*(Way("of", base, c) for c in own), *averages, *beside, *harmonic)


def unlabelled(label: str, name: str) -> bool:
    """Whether the figure may be of a class or an average of any kind."""
    return not label and name in AVERAGED and name in RATIOS


def found_way(
    figure: Figure, ways: Sequence[Way], classes: Sequence[str], found: Marginals
) -> Way | None:
    """The first of the ways in which these counts print the figure."""
    n, printed = sum(s for s, _, _ in found), figure[2]
    for way in ways:
        if way.kind == "whole" and way.name in ROOTS:
            if _root_prints(printed, *squared(way.name, found, n)):
                return way
            continue
        near = _nearly(printed, values(way, classes, found, n, operator.truediv))
        if near or (near is None and any(printed.holds(v) for v in values(way, classes, found, n))):
            return way
    return None


def _nearly(printed: Printed, rough: Iterable[float | None]) -> bool | None:
    """Whether a value surely prints so, surely not, or (None) lies too near to an end: floats are
    ten times as fast as fractions."""
    if printed.undefined:
        return None
    low, high = _ends(printed.value, printed.low, printed.high)
    near = False
    for value in rough:
        if value is None:
            near = True
        elif low + TINY < value < high - TINY:
            return True
        else:
            near = near or low - TINY <= value <= high + TINY
    return None if near else False


@functools.lru_cache(maxsize=1024)
def _ends(value: Fraction | None, low: Fraction, high: Fraction) -> tuple[float, float]:
    return float(low), float(high)


def values(
    way: Way,
    classes: Sequence[str],
    found: Marginals,
    n: int,
    number: Callable[[int, int], Any] = Fraction,
) -> Iterator[Any]:
    """The values a figure has in this way: several where 0/0 may be taken in several. None is 0/0.

    Args:
        number: Makes a number of two whole ones: a Fraction, or (``operator.truediv``) a float.
    """
    if way.kind in ("of", "but"):
        triple = found[classes.index(way.label)]
        triple = complement(triple, n) if way.kind == "but" else triple
        yield quotient(ratio(way.name, triple, n), number)
    elif way.kind == "whole" and way.name in ROOTS:
        sign, top, bottom = squared(way.name, found, n)
        yield sign * math.sqrt(top / bottom) if bottom else None
    elif way.kind == "whole":
        yield quotient(whole(way.name, found, n), number)
    elif way.kind == "harmonic":
        pairs = (means(way.name, one, found, n, number) for one in ("precision", "recall"))
        for p, r in zip(*pairs, strict=False):
            if p is not None and r is not None:
                yield 2 * p * r / (p + r) if p + r else number(0, 1)
    else:
        yield from means(way.kind, way.name, found, n, number)


def whole(name: str, found: Sequence[tuple[Any, Any, Any]], n: int) -> tuple[Any, Any]:
    """Numerator and denominator of a figure of the whole."""
    hits = sum(t for _, t, _ in found)
    if name == "kappa":
        chance = sum(s * p for s, _, p in found)
        return n * hits - chance, n * n - chance
    return (hits, n) if name == "accuracy" else (n - hits, n)


def squared(name: str, found: Marginals, n: int) -> tuple[int, int, int]:
    """Sign, and numerator and denominator of the square, of a figure that is a root."""
    if name == "g_mean":
        (s, t, _), (o, u, _) = found
        return 1, t * u, s * o
    over = n * sum(t for _, t, _ in found) - sum(s * p for s, _, p in found)
    under = (n * n - sum(s * s for s, _, _ in found)) * (n * n - sum(p * p for _, _, p in found))
    return (1 if over >= 0 else -1), over * over, under


def _root_prints(printed: Printed, sign: int, top: int, bottom: int) -> bool:
    if bottom == 0:  # scikit-learn and others print 0
        return printed.holds(None)
    square = sign * Fraction(top, bottom)
    low, high = printed.low, printed.high
    return printed.value is not None and low * abs(low) <= square <= high * abs(high)


def means(
    kind: str, name: str, found: Marginals, n: int, number: Callable[[int, int], Any] = Fraction
) -> Iterator[Any]:
    """An average over the classes. 0/0 counts as 0 or 1 or is left out, and so may be classes
    without rows: whichever is meant."""
    pairs = [ratio(name, triple, n) for triple in found]
    if kind == "micro":
        yield quotient((sum(a for a, _ in pairs), sum(b for _, b in pairs)), number)
        return
    shares = [s if kind == "weighted" else 1 for s, _, _ in found]
    each = [quotient(pair, number) for pair in pairs]
    defined = [(v, w) for v, w in zip(each, shares, strict=True) if v is not None]
    yield _mean(defined)
    if len(defined) < len(each):
        for default in (0, 1):
            yield _mean([(default if v is None else v, w)
                         for v, w in zip(each, shares, strict=True)])  # fmt: skip
    # Specificity and its like are defined, and high, where a class has no rows.
    if name not in ("specificity", "npv", "fpr") and not all(s for s, _, _ in found):
        yield _mean([(v or 0, w) for v, w, (s, _, _) in zip(each, shares, found, strict=True) if s])


def _mean(weighted: Sequence[tuple[Any, int]]) -> Any:
    total = sum(w for _, w in weighted)
    return sum(v * w for v, w in weighted) / total if total else None


def quotient(pair: tuple[int, int], number: Callable[[int, int], Any] = Fraction) -> Any:
    return number(pair[0], pair[1]) if pair[1] else None


Bounds = tuple[Fraction, Fraction]
ANY: Bounds = (Fraction(0), Fraction(1))


def row_bounds(
    figures: Sequence[Figure], label: str, name: str, tested: Collection[str] = ()
) -> Bounds:
    """What a figure of a class can be by the printed figures of that class alone; anything where it
    may be 0/0, which is taken for 0 or 1 or left out.

    Args:
        tested: Classes that are known to have rows.
    """
    row = [(n, value) for owner, n, value in figures if owner == label]
    own = {n: value for n, value in row if not value.undefined}
    hit = any(
        n in ("recall", "precision", "f1", "jaccard")
        and value.low > 0
        and (not value.holds(None) or (n == "recall" and label in tested))
        for n, value in own.items()
    )
    negative = name in ("specificity", "npv", "fpr")
    divided = (name in ("recall", "fnr") and label in tested) or (hit and not negative)
    whole_row = len(own) == len(row)
    if not divided and not (whole_row and name in own and not own[name].holds(None)):
        return ANY
    if name in own:
        return max(own[name].low, Fraction(0)), min(own[name].high, Fraction(1))
    p, r, f = (own.get(one) for one in ("precision", "recall", "f1"))
    if name == "f1" and p and r:
        return harmonic(p.low, r.low), harmonic(p.high, r.high)
    if name in ("precision", "recall") and f:  # the other is at most 1
        return f.low / (2 - f.low), Fraction(1)
    return ANY


def harmonic(p: Fraction, r: Fraction) -> Fraction:
    return 2 * p * r / (p + r) if p + r else Fraction(0)


def average_bounds(
    way: Way, figures: Sequence[Figure], classes: Sequence[str], tested: Collection[str] = ()
) -> Bounds | None:
    """Between what an average lies whatever the supports, by the rows that are printed."""
    if way.kind == "harmonic":
        p, r = (average_bounds(Way(way.name, one), figures, classes, tested)
                for one in ("precision", "recall"))  # fmt: skip
        return None if p is None or r is None else (harmonic(p[0], r[0]), harmonic(p[1], r[1]))
    if way.kind not in AVERAGES:
        return None
    rows = [row_bounds(figures, label, way.name, tested) for label in classes]
    if way.kind == "macro":
        k = len(rows)
        least, most = sum(low for low, _ in rows), sum(high for _, high in rows)
        return Fraction(least) / k, Fraction(most) / k
    return min(low for low, _ in rows), max(high for _, high in rows)
