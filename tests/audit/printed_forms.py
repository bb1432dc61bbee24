"""Confusion matrices drawn at random, printed in every form in which papers print their figures."""

from __future__ import annotations

import random
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from leukreg.audit.audit_table import understand
from tests.audit.printed_tables import FORMS as TEXT_FORMS

FORMS = (
    "of the positive class", "of the other class", "macro", "weighted", "micro", "per class",
    "per class and averages", "truncated", "percent", "transposed", "swapped", "means over folds",
    "means with spread", "without a size", "kappa and mcc", "pasted",
)  # fmt: skip
RATES = ("precision", "recall", "f1")
Matrix = list[list[int]]


@dataclass(frozen=True)
class Draw:
    """Of k folds, a matrix each, and how they are printed."""

    folds: tuple[Matrix, ...]
    digits: int
    rounding: str

    @property
    def whole(self) -> Matrix:
        size = range(len(self.folds[0]))
        return [[sum(one[i][j] for one in self.folds) for j in size] for i in size]


@st.composite
def drawn(draw: st.DrawFn, most: int = 400) -> Draw:
    return from_seed(draw(st.integers(0, 2**32)), most)


def from_seed(seed: int, most: int = 400) -> Draw:
    rng = random.Random(seed)
    k = rng.choice([2, 2, 2, 3, 4, 6])
    good, n = rng.choice([0.3, 0.7, 0.9, 0.98]), rng.randint(k, most)
    weights = [rng.random() ** 2 + 0.01 for _ in range(k)]
    folds = [[[0] * k for _ in range(k)] for _ in range(rng.choice([2, 3, 5, 10]))]
    for true in rng.choices(range(k), weights, k=n):
        fold = folds[min(int(rng.random() * len(folds)), len(folds) - 1)]
        fold[true][true if rng.random() < good else rng.randrange(k)] += 1
    held = tuple(one for one in folds if any(map(sum, one)))
    return Draw(held, rng.choice([2, 3, 4]), rng.choice([ROUND_HALF_UP, ROUND_HALF_EVEN]))


def figures(matrix: Matrix) -> dict[str, Any]:
    """Rates by definition: of classes as ``name[c]``, averages as ``macro_name``; 0/0 is 0."""
    k, n = len(matrix), sum(map(sum, matrix))
    s, p = [sum(row) for row in matrix], [sum(row[c] for row in matrix) for c in range(k)]
    t = [matrix[c][c] for c in range(k)]
    over = {
        "precision": [_over(t[c], p[c]) for c in range(k)],
        "recall": [_over(t[c], s[c]) for c in range(k)],
        "f1": [_over(2 * t[c], s[c] + p[c]) for c in range(k)],
        "specificity": [_over(n - s[c] - p[c] + t[c], n - s[c]) for c in range(k)],
    }
    found: dict[str, Any] = dict(over)
    for name, values in over.items():
        found[f"macro_{name}"] = sum(values, Fraction(0)) / k
        found[f"weighted_{name}"] = sum(map(Fraction.__mul__, values, map(Fraction, s))) / n
        found[f"micro_{name}"] = Fraction(sum(t), n)
    found["accuracy"] = Fraction(sum(t), n)
    chance = sum(a * b for a, b in zip(s, p, strict=True))
    found["kappa"] = _over(n * sum(t) - chance, n * n - chance)
    under = (n * n - sum(a * a for a in s)) * (n * n - sum(b * b for b in p))
    found["mcc"] = (n * sum(t) - chance) / under**0.5 if under else 0.0
    return found


def _over(a: int, b: int) -> Fraction:
    return Fraction(a, b) if b else Fraction(0)


def shown(value: Fraction | float, digits: int, rounding: str, percent: bool = False) -> str:
    exact = value if isinstance(value, Fraction) else Fraction(value)
    scaled = Decimal(exact.numerator) / Decimal(exact.denominator) * (100 if percent else 1)
    places = max(0, digits - 2) if percent else digits
    text = f"{scaled.quantize(Decimal(1).scaleb(-places), rounding):f}"
    return f"{text} %" if percent else text


def printed_as(form: str, draw: Draw) -> dict[str, Any]:
    """A ``[reported]`` table that prints the draw truly, in one form."""
    matrix, k = draw.whole, len(draw.whole)
    names = [f"c{i}" for i in range(k)]
    rounding = ROUND_DOWN if form == "truncated" else draw.rounding
    true = figures(matrix)

    def text(value: Any) -> str:
        return shown(value, draw.digits, rounding, form == "percent")

    table: dict[str, Any] = {"classes": names}
    if form != "without a size":
        table["test_counts"] = {c: sum(row) for c, row in zip(names, matrix, strict=True)}
    if form == "pasted":
        return _pasted(draw)
    averages = {"macro": "macro", "weighted": "weighted", "micro": "micro"}
    kind = averages.get(form, "macro" if k > 2 else "")
    if form.startswith("means"):
        return table | _means(draw, form)
    if form in ("per class", "per class and averages", "swapped"):
        turn = {"precision": "recall", "recall": "precision"} if form == "swapped" else {}
        table["per_class"] = {
            c: {turn.get(name, name): text(true[name][i]) for name in RATES}
            for i, c in enumerate(names)
        }
        kind = "weighted" if draw.digits == 3 else "macro"
    if form in ("per class", "swapped"):
        return table | {"accuracy": text(true["accuracy"])}
    if form == "transposed":
        del table["test_counts"]
        table["confusion"] = [list(row) for row in zip(*matrix, strict=True)]
    if form == "kappa and mcc":
        return table | {name: text(true[name]) for name in ("accuracy", "kappa", "mcc")}
    at = 0 if form == "of the other class" else 1
    whole = {name: true[f"{kind}_{name}"] if kind else true[name][at] for name in RATES}
    if k == 2 and not kind:
        whole["specificity"] = true["specificity"][at]
    return table | {
        name: text(one) for name, one in (whole | {"accuracy": true["accuracy"]}).items()
    }


def _pasted(draw: Draw) -> dict[str, Any]:
    """A report of the classes as text, in one form after the other, as it is read back."""
    true, matrix = figures(draw.whole), draw.whole
    rows = [["class", *RATES, "support"]]
    for c, row in enumerate(matrix):
        cells = [shown(true[name][c], draw.digits, draw.rounding) for name in RATES]
        rows.append([f"c{c}", *cells, str(sum(row))])
    texts = list(TEXT_FORMS.values())
    (table,) = understand(texts[sum(map(sum, matrix)) % len(texts)](rows)).tables
    return dict(table)


def _means(draw: Draw, form: str) -> dict[str, Any]:
    """Means of the folds' rates, with their number or with their spread."""
    each = [figures(fold) for fold in draw.folds]
    spread = " ± 0.02" if form == "means with spread" else ""

    def mean(values: list[Fraction]) -> str:
        whole = sum(values, Fraction(0)) / len(values)
        return shown(whole, draw.digits, draw.rounding) + spread

    per_class = {
        f"c{c}": {name: mean([one[name][c] for one in each]) for name in RATES}
        for c in range(len(draw.whole))
    }
    told = {} if spread or len(each) == 1 else {"folds": len(each)}
    macro = {f"macro_{name}": mean([one[f"macro_{name}"] for one in each]) for name in RATES}
    accuracy = {"accuracy": mean([one["accuracy"] for one in each])}
    return {"per_class": per_class} | told | macro | accuracy
