"""By brute force: whether any matrix of a small test prints a table, in any reading there is.

Independent of the package: plain loops over all matrices with the stated supports, and Fractions.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from decimal import ROUND_DOWN, ROUND_HALF_EVEN
from fractions import Fraction
from random import Random
from typing import Any

from tests.audit.printed_forms import RATES, Matrix, figures, shown

SWAPPED = ("precision", "recall", "f1", "specificity")


def matrices(supports: Sequence[int]) -> Iterator[Matrix]:
    """All that have these rows."""

    def rows(total: int, cells: int) -> Iterator[list[int]]:
        if cells == 1:
            yield [total]
            return
        for first in range(total + 1):
            for rest in rows(total - first, cells - 1):
                yield [first, *rest]

    for one in itertools.product(*(list(rows(s, len(supports))) for s in supports)):
        yield list(one)


def of_class(matrix: Matrix, c: int, name: str) -> tuple[int, int]:
    """Numerator and denominator of a figure of one class."""
    size = range(len(matrix))
    tp = matrix[c][c]
    fn = sum(matrix[c][j] for j in size if j != c)
    fp = sum(matrix[i][c] for i in size if i != c)
    tn = sum(matrix[i][j] for i in size for j in size if i != c and j != c)
    return {
        "precision": (tp, tp + fp),
        "recall": (tp, tp + fn),
        "f1": (2 * tp, 2 * tp + fp + fn),
        "specificity": (tn, tn + fp),
        "accuracy": (tp + tn, tp + tn + fp + fn),
    }[name]


def mean(values: Sequence[Fraction], weights: Sequence[int]) -> Fraction | None:
    total = sum(weights)
    if not total:
        return None
    return sum((v * w for v, w in zip(values, weights, strict=True)), Fraction(0)) / total


def averages(matrix: Matrix, kind: str, name: str) -> set[Fraction | None]:
    """What an average may be: 0/0 as 0, as 1 or left out; classes without rows left out."""
    size = range(len(matrix))
    pairs = [of_class(matrix, c, name) for c in size]
    rows = [sum(row) for row in matrix]
    if kind == "micro":
        top, bottom = sum(a for a, _ in pairs), sum(b for _, b in pairs)
        return {Fraction(top, bottom) if bottom else None}
    weights = rows if kind == "weighted" else [1] * len(rows)
    found: set[Fraction | None] = set()
    for default in (Fraction(0), Fraction(1), None):
        values = [Fraction(a, b) if b else default for a, b in pairs]
        kept = [(v, weights[c]) for c, v in enumerate(values) if v is not None]
        found.add(mean([v for v, _ in kept], [w for _, w in kept]))
    tested = [c for c in size if rows[c]]
    if name != "specificity":
        values = [Fraction(*pairs[c]) if pairs[c][1] else Fraction(0) for c in tested]
        found.add(mean(values, [weights[c] for c in tested]))
    return found


def can_be(matrix: Matrix, label: int | None, name: str) -> set[Fraction | None]:
    """All values that a figure can have in a matrix, in any reading; None is 0/0."""
    if label is not None:
        names = ("accuracy", "recall") if name == "accuracy" else (name,)
        pairs = [of_class(matrix, label, one) for one in names]
        return {Fraction(a, b) if b else None for a, b in pairs}
    if name == "accuracy":
        return {Fraction(sum(matrix[c][c] for c in range(len(matrix))), sum(map(sum, matrix)))}
    found: set[Fraction | None] = set()
    for kind in ("macro", "weighted", "micro"):
        found |= averages(matrix, kind, name)
    if len(matrix) == 2:
        for c in (0, 1):
            found |= can_be(matrix, c, name)
    if name == "f1":
        for kind in ("macro", "weighted"):
            for p in averages(matrix, kind, "precision"):
                for r in averages(matrix, kind, "recall"):
                    if p is not None and r is not None:
                        found.add(2 * p * r / (p + r) if p + r else Fraction(0))
    return found


def prints(text: str, true: Fraction | None) -> bool:
    """Whether a value is printed so, rounded either way at half or cut off."""
    unit = Fraction(1, 10 ** len(text.partition(".")[2]))
    low, high = Fraction(text) - unit / 2, Fraction(text) + unit
    if true is None:
        return any(low <= end <= high for end in (0, 1))
    return low <= true <= high


def anything_fits(table: dict[str, Any]) -> bool:
    """Whether some matrix prints every figure of a table in some reading."""
    names = table["classes"]
    printed = [(None, n, v) for n, v in table.items() if n in (*SWAPPED, "accuracy")]
    for label, row in table.get("per_class", {}).items():
        printed += [(names.index(label), n, v) for n, v in row.items()]
    there = [n for n in SWAPPED if any(n == one for _, one, _ in printed)]
    turns = [{}, *({a: b, b: a} for a, b in itertools.combinations(there, 2))]
    for matrix in matrices([table["test_counts"][c] for c in names]):
        for turn in turns:
            if all(
                any(prints(text, true) for true in can_be(matrix, label, turn.get(name, name)))
                for label, name, text in printed
            ):
                return True
    return False


def small_table(seed: int) -> dict[str, Any]:
    """A true table of a small test, printed in some form, or one with a digit changed."""
    rng = Random(seed)
    k = rng.choice([2, 2, 3])
    most = 8 if k == 2 else 4
    matrix = [[0] * k for _ in range(k)]
    supports = [rng.randint(1, most) for _ in range(k)]
    good = rng.choice([0.4, 0.8])
    for c, n in enumerate(supports):
        for _ in range(n):
            matrix[c][c if rng.random() < good else rng.randrange(k)] += 1
    true, names = figures(matrix), [f"c{c}" for c in range(k)]
    digits, cut = rng.choice([2, 3, 4]), rng.random() < 0.2
    turn = {"precision": "recall", "recall": "precision"} if rng.random() < 0.15 else {}

    def text(value: Fraction) -> str:
        return shown(value, digits, ROUND_DOWN if cut else ROUND_HALF_EVEN)

    table: dict[str, Any] = {"classes": names}
    table["test_counts"] = dict(zip(names, supports, strict=True))
    kind = rng.choice(["macro", "weighted", "micro", *(["0", "1"] if k == 2 else [])])
    for name in (*RATES, "accuracy", *(["specificity"] if k == 2 else [])):
        if rng.random() < 0.7:
            value = true[name] if name == "accuracy" else None
            if value is None:
                own = kind in ("0", "1")
                value = true[name][int(kind)] if own else true[f"{kind}_{name}"]
            table[turn.get(name, name)] = text(value)
    rows = {
        c: {turn.get(n, n): text(true[n][i]) for n in RATES if rng.random() < 0.6}
        for i, c in enumerate(names)
    }
    if rng.random() < 0.5:
        table["per_class"] = {c: row for c, row in rows.items() if row}
    places = [table, *table.get("per_class", {}).values()]
    at = [(row, n) for row in places for n, v in row.items() if isinstance(v, str)]
    if at and rng.random() < 0.7:
        row, name = rng.choice(at)
        place = rng.randrange(2, len(row[name]))
        changed = f"{row[name][:place]}{rng.randrange(10)}{row[name][place + 1 :]}"
        row[name] = changed if float(changed) <= 1 else row[name]
    return table
