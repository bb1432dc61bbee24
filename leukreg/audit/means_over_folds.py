"""Means over folds or runs: what they can be, whatever the folds were.

The mean of a rate over k tests is no rate of any one confusion matrix. Where the counts of each
fold are not printed (as is usual), only what holds for every choice of folds can be said. Where
they are (``fold_sizes``), the means of accuracy, recall and specificity are sums of right answers,
each over its fold's count, and the solver decides them (as mlscorecheck does: Fazekas and Kovacs,
2023). Rates of all folds' rows together are those of one matrix, and are tried as such too.

What holds always, 0/0 counted as 0, as 1 or left out: in each fold F1 is the harmonic mean of
precision and recall, which is concave and at least their sum less 1; accuracy, and every average of
classes, lies between their sum and one less the sum of what they lack.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from leukreg.audit.cp_sat import Model
from leukreg.audit.figures import AVERAGES, parts_of, said
from leukreg.audit.printed_figure import Printed
from leukreg.audit.published_table import Reported
from leukreg.audit.readings import Figure, Way, harmonic, ways_of

EFFORT = 0.5
"""CP-SAT's deterministic time."""
LARGEST_PARTS = 10**11
"""Beyond this, 64 bits might not hold a mean over folds."""


def tests_of(reported: Reported) -> int | None:
    """How many tests the figures are means over: 1 where one is reported, None where it is not
    said (a spread stands beside them)."""
    folds = len(reported.fold_sizes) or reported.count("folds") or 1
    told = folds * (reported.count("runs") or 1)
    if told > 1:
        return told
    every = [value for _, _, value in reported.per_class] + [v for _, v in reported.figures]
    return None if any(value.spread is not None for value in every) else 1


def beyond_means(figures: Sequence[Figure], classes: Sequence[str]) -> Iterator[str]:
    """What no means over folds of any sizes can be, a sentence each."""
    loose = {(label, name): value.or_cut() for label, name, value in figures if not value.undefined}
    for label in (*classes, *AVERAGES):
        # An average's three are of one kind; a figure without a kind may be of any.
        of = label if label in classes else ""
        own = [loose.get((of, name if of else f"{label}_{name}"))
               for name in ("precision", "recall", "f1")]  # fmt: skip
        p, r, f = own
        if p is None or r is None or f is None:
            continue
        names = [said(name if of else f"{label}_{name}", of)
                 for name in ("f1", "precision", "recall")]  # fmt: skip
        beside = f"{names[0]} {f} lies {{}} what {names[1]} {p} and {names[2]} {r} allow"
        if f.low > harmonic(p.high, r.high):
            yield f"{beside.format('above')} in any folds"
        elif f.high < p.low + r.low - 1:
            yield f"{beside.format('under')} in any folds"
    yield from _of_rows(loose, classes)


def _of_rows(loose: Mapping[tuple[str, str], Printed], classes: Sequence[str]) -> Iterator[str]:
    for (label, name), value in loose.items():
        kind, base = parts_of(name)
        row = {"accuracy": "recall", "balanced_accuracy": "recall"}.get(name, base)
        if label or (kind is None and name == row):
            continue
        rows = [loose[c, row] for c in classes if (c, row) in loose]
        if len(rows) < len(classes) or not rows:
            continue
        least = 1 - sum((1 - one.low for one in rows), Fraction(0))
        if value.high < least or value.low > sum(one.high for one in rows):
            side = "under" if value.high < least else "above"
            listed = ", ".join(f"{c} {one}" for c, one in zip(classes, rows, strict=True))
            allow = f"what its {row}s allow in any folds ({listed})"
            yield f"{said(name)} {value.quoted(name)} lies {side} {allow}"


def mean_of_scores(
    reported: Reported, figures: Sequence[Figure]
) -> tuple[bool | None, tuple[Figure, ...]]:
    """Whether right answers in folds of the stated sizes give these means, rounded or cut off, in
    some honest reading of each; None where that is undecided. And the figures that this is of."""
    folds, times = [dict(fold) for fold in reported.fold_sizes], reported.count("runs") or 1
    model = Model()
    hits = [{label: model.number(0, times * n) for label, n in fold.items()} for fold in folds]
    used = []
    for figure in figures:
        ways = [
            [_weights(way, fold, reported.classes) for fold in folds]
            for way in ways_of(figure[0], figure[1], reported.classes, reported.positive)
        ]
        sums = [_summed(weights, hits) for weights in ways]
        if not sums or None in sums or figure[2].undefined:
            continue
        used.append(figure)
        chosen = [model.number(0, 1) for _ in sums]
        model.hold(sum(chosen) >= 1)
        low, high = figure[2].low, figure[2].or_cut().high
        if figure[1] in ("error_rate", "fnr", "fpr"):
            low, high = 1 - high, 1 - low
        for when, (total, parts) in zip(chosen, filter(None, sums), strict=True):
            over = parts * len(folds) * times
            model.hold(low.denominator * total >= low.numerator * over, when=when)
            model.hold(high.denominator * total <= high.numerator * over, when=when)
    wanted = [number for fold in hits for number in fold.values()]
    found, ended = model.solutions(wanted, 1, EFFORT) if used else ([], False)
    return (True if found else False if ended else None), tuple(used)


def _weights(
    way: Way, fold: Mapping[str, int], classes: Sequence[str]
) -> dict[str, Fraction] | None:
    """What a right answer of each class adds to the figure of a fold; None where that is no sum of
    right answers, or 0/0."""
    n, two = sum(fold.values()), len(classes) == 2
    name = {"fnr": "recall", "fpr": "specificity", "error_rate": "accuracy"}.get(way.name, way.name)
    if (name not in ("accuracy", "recall") and not (two and name == "specificity")) or not n:
        return None
    if way.kind in ("whole", "micro") or (way.kind == "weighted" and name == "recall"):
        return dict.fromkeys(fold, Fraction(1, n))
    if not all(fold.get(label) for label in classes) or way.kind in ("but", "harmonic"):
        return None
    if way.kind == "macro":
        return {label: Fraction(1, len(classes) * fold[label]) for label in classes}
    if way.kind == "weighted":
        one, other = classes
        return {a: Fraction(fold[b], n * fold[a]) for a, b in ((one, other), (other, one))}
    if name == "accuracy":  # of one class, against all others
        return None
    label = way.label if name == "recall" else classes[1 - classes.index(way.label)]
    return {label: Fraction(1, fold[label])}


def _summed(
    weights: Sequence[dict[str, Fraction] | None], hits: Sequence[Mapping[str, Any]]
) -> tuple[Any, int] | None:
    """The sum over folds in whole parts, and how many parts are 1."""
    if None in weights:
        return None
    known = [each or {} for each in weights]
    parts = math.lcm(*(w.denominator for each in known for w in each.values()))
    if parts > LARGEST_PARTS:
        return None
    total = sum(
        int(w * parts) * fold[label]
        for each, fold in zip(known, hits, strict=True)
        for label, w in each.items()
    )
    return total, parts
