"""Means over folds or runs: what they can be, whatever the folds were.

The mean of a rate over k tests is no rate of any one confusion matrix. Where the counts of each
fold are not printed (as is usual), only what holds for every choice of folds can be said;
mlscorecheck (Fazekas and Kovacs, 2023) decides tables whose folds are known. Rates of all folds'
rows together are those of one matrix, and are tried as such too.

What holds always, 0/0 counted as 0, as 1 or left out: in each fold F1 is the harmonic mean of
precision and recall, which is concave and at least their sum less 1; accuracy, and every average of
classes, lies between their sum and one less the sum of what they lack.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from leukreg.audit.figures import AVERAGES, parts_of, said
from leukreg.audit.printed_figure import Printed
from leukreg.audit.published_table import Reported
from leukreg.audit.readings import Figure, harmonic


def tests_of(reported: Reported) -> int | None:
    """How many tests the figures are means over: 1 where one is reported, None where it is not
    said (a spread stands beside them)."""
    told = (reported.count("folds") or 1) * (reported.count("runs") or 1)
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
