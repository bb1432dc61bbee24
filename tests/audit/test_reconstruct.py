"""Reconstruction gets the matrix back, and proves that there is none."""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from leukreg.audit.printed_figure import Printed, printed
from leukreg.audit.published_table import Reported
from leukreg.audit.readings import Marginals
from leukreg.audit.reconstruct import Reconstruction, matrices_of, reconstruct, solve
from leukreg.audit.system import Puzzle

Matrix = tuple[tuple[int, ...], ...]
NAMES = "abcdef"  # of the classes, in order


def marginals_of(matrix: Matrix) -> Marginals:
    columns = [sum(row[c] for row in matrix) for c in range(len(matrix))]
    return tuple((sum(row), row[c], columns[c]) for c, row in enumerate(matrix))


@functools.cache
def rates(marginals: Marginals) -> dict[tuple[str, str], Fraction | None]:
    n = sum(s for s, _, _ in marginals)
    found: dict[tuple[str, str], Fraction | None] = {}
    for name, (s, t, p) in zip(NAMES, marginals, strict=False):
        for key, top, bottom in (
            ("recall", t, s),
            ("precision", t, p),
            ("f1", 2 * t, s + p),
            ("specificity", n - s - p + t, n - s),
        ):
            found[name, key] = Fraction(top, bottom) if bottom else None
    found["", "accuracy"] = Fraction(sum(t for _, t, _ in marginals), n)
    return found


def text_of(value: Fraction | None, digits: int) -> str:
    return f"{float(value or 0):.{digits}f}"


def table_of(matrix: Matrix, digits: int, supports: bool) -> dict[str, Any]:
    marginals = marginals_of(matrix)
    per_class: dict[str, dict[str, Any]] = {name: {} for name in NAMES[: len(matrix)]}
    for (label, name), value in rates(marginals).items():
        if label:
            per_class[label][name] = text_of(value, digits)
    table: dict[str, Any] = {
        "classes": list(per_class),
        "per_class": per_class,
        "accuracy": text_of(rates(marginals)["", "accuracy"], digits),
        "test_images": sum(s for s, _, _ in marginals),
    }
    if supports:
        counts = zip(per_class, marginals, strict=True)
        table["test_counts"] = {name: s for name, (s, _, _) in counts}
    return table


@st.composite
def matrices(draw: st.DrawFn, classes: tuple[int, int] = (2, 6), most: int = 4000) -> Matrix:
    """Diagonal-heavy or wild, some cells empty, up to ``most`` rows."""
    k = draw(st.integers(*classes))
    n = draw(st.integers(k, most))
    rng = random.Random(draw(st.integers(0, 2**32)))
    good = draw(st.sampled_from([0.0, 0.5, 0.95]))
    weights = [rng.random() ** 2 + 1e-3 for _ in range(k)]
    cells = [[0] * k for _ in range(k)]
    for true in rng.choices(range(k), weights, k=n):
        cells[true][true if rng.random() < good else rng.randrange(k)] += 1
    return tuple(tuple(row) for row in cells)


def holds(answer: Reconstruction, matrix: Matrix) -> bool:
    """The matrix's marginals are among the answers, or the answers are said not to be all."""
    assert answer.status == "fits"
    return marginals_of(matrix) in answer.answers or not answer.complete


def prints_the_same(answer: Reconstruction, table: dict[str, Any]) -> bool:
    figures = Reported.read(table)
    for found in answer.answers[:20]:
        true = rates(found)
        shown = [("", "accuracy", figures.figure("accuracy"))]
        shown += [(c, n, v) for c in figures.classes for n, v in figures.of(c).items()]
        if not all(v is not None and v.holds(true[c, n]) for c, n, v in shown):
            return False
    return True


@settings(max_examples=60, deadline=None)
@given(matrices(), st.sampled_from([2, 3, 4]))
def test_the_matrix_comes_back_from_supports_and_rates(matrix: Matrix, digits: int) -> None:
    table = table_of(matrix, digits, supports=True)
    answer = reconstruct(Reported.read(table))
    assert holds(answer, matrix)
    assert prints_the_same(answer, table)


@settings(max_examples=15, deadline=None)
@given(matrices(classes=(2, 4), most=250), st.sampled_from([2, 3, 4]))
def test_without_supports_it_is_found_or_left_open(matrix: Matrix, digits: int) -> None:
    table = table_of(matrix, digits, supports=False)
    answer = reconstruct(Reported.read(table))
    assert answer.status != "impossible"
    if answer.status == "fits":
        assert holds(answer, matrix)
        assert prints_the_same(answer, table)


@settings(max_examples=60, deadline=None)
@given(matrices(classes=(2, 2)), st.sampled_from([3, 4]))
def test_two_classes_by_their_positive_one(matrix: Matrix, digits: int) -> None:
    true = rates(marginals_of(matrix))
    table: dict[str, Any] = {"classes": ["a", "b"], "test_images": sum(map(sum, matrix))}
    for name in ("precision", "recall", "f1", "specificity"):
        table[name] = text_of(true["b", name], digits)
    table["accuracy"] = text_of(true["", "accuracy"], digits)
    answer = reconstruct(Reported.read(table))
    assert answer.status != "impossible"
    if answer.status == "fits" and answer.complete:
        assert marginals_of(matrix) in answer.answers


def every_marginals(k: int, supports: tuple[int, ...] | None, n: int) -> set[Marginals]:
    """By brute force: the marginals of every matrix of ``n`` rows."""
    return {
        marginals_of(m)
        for m in _every_matrix(k, n)
        if supports is None or tuple(map(sum, m)) == supports
    }


def _every_matrix(k: int, n: int) -> Iterator[Matrix]:
    for bars in itertools.combinations(range(n + k * k - 1), k * k - 1):
        edges = [-1, *bars, n + k * k - 1]
        cells = [b - a - 1 for a, b in itertools.pairwise(edges)]
        yield tuple(tuple(cells[i * k : (i + 1) * k]) for i in range(k))


SMALL = {(k, n): every_marginals(k, None, n) for k, n in ((2, 7), (2, 12), (3, 5))}


def by_force(puzzle: Puzzle) -> set[Marginals]:
    known = dict(puzzle.supports)
    found = set()
    for one in SMALL[len(puzzle.classes), puzzle.rows]:
        true = rates(one)
        fits = all(v.holds(true[c, name]) for c, name, v in puzzle.figures)
        named = zip(puzzle.classes, one, strict=True)
        if fits and all(known.get(c, m[0]) == m[0] for c, m in named):
            found.add(one)
    return found


@settings(max_examples=120, deadline=None)
@given(st.data(), st.sampled_from(sorted(SMALL)), st.sampled_from([1, 2, 3]))
def test_it_agrees_with_brute_force_whatever_is_printed(
    data: st.DataObject, size: tuple[int, int], digits: int
) -> None:
    """True tables, tables with a digit changed, and tables with figures left out."""
    k, n = size
    true = data.draw(st.sampled_from(sorted(SMALL[size])))
    figures: list[tuple[str, str, Printed]] = []
    for (label, name), value in rates(true).items():
        if data.draw(st.booleans()):
            figures.append((label, name, printed(text_of(value, digits))))
    if figures and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(figures) - 1))
        label, name, _ = figures[at]
        wrong = data.draw(st.integers(0, 10**digits))
        figures[at] = (label, name, printed(f"{wrong / 10**digits:.{digits}f}"))
    supports: tuple[tuple[str, int], ...] = ()
    if data.draw(st.booleans()):
        supports = tuple((c, s) for c, (s, _, _) in zip(NAMES, true, strict=False))
    puzzle = Puzzle(tuple(NAMES[:k]), n, supports, tuple(figures))
    answer = solve(puzzle, limit=10**6)
    expected = by_force(puzzle)
    assert answer.status == ("fits" if expected else "impossible")
    assert answer.complete == bool(expected)
    assert set(answer.answers) == expected
    assert len(answer.answers) == len(expected)


@settings(max_examples=40, deadline=None)
@given(matrices(classes=(2, 4), most=400), st.data())
def test_a_changed_digit_is_caught_where_nothing_fits(matrix: Matrix, data: st.DataObject) -> None:
    """With all supports given, what fits is either shown, and prints so, or proven not to be."""
    table = table_of(matrix, 4, supports=True)
    label = data.draw(st.sampled_from(table["classes"]))
    name = data.draw(st.sampled_from(["recall", "precision", "f1", "specificity"]))
    digits = list(table["per_class"][label][name])
    place = data.draw(st.integers(2, 5))
    digits[place] = data.draw(st.sampled_from([d for d in "0123456789" if d != digits[place]]))
    changed = "".join(digits)
    if float(changed) > 1:  # refused when the table is read
        return
    table["per_class"][label][name] = changed
    answer = reconstruct(Reported.read(table))
    true = rates(marginals_of(matrix))[label, name]
    if printed(changed).holds(true):
        assert holds(answer, matrix)
    elif answer.status == "fits":
        assert marginals_of(matrix) not in answer.answers
        assert prints_the_same(answer, table)
    else:
        assert answer.status == "impossible"


@settings(max_examples=100, deadline=None)
@given(matrices(classes=(2, 5), most=60))
def test_an_example_has_the_marginals_and_uniqueness_is_true(matrix: Matrix) -> None:
    marginals = marginals_of(matrix)
    shown = matrices_of(marginals)
    assert [marginals_of(one) for one in shown] == [marginals] * len(shown)
    assert len(set(shown)) == len(shown)
    if len(shown) == 1:
        assert shown == [matrix]


def test_uniqueness_agrees_with_brute_force() -> None:
    by_marginals: dict[Marginals, set[Matrix]] = {}
    for matrix in _every_matrix(3, 4):
        by_marginals.setdefault(marginals_of(matrix), set()).add(matrix)
    for marginals, same in by_marginals.items():
        assert set(matrices_of(marginals, 100)) == same


def test_marginals_without_a_matrix_are_seen() -> None:
    assert matrices_of(((2, 0, 2), (1, 1, 1))) == []


def test_undefined_may_be_printed_as_nothing_zero_or_one() -> None:
    for text in ("nan", "0.00", "1.00"):
        table = {
            "classes": ["a", "b"],
            "test_counts": {"a": 3, "b": 0},
            "per_class": {"a": {"recall": "1.00"}, "b": {"recall": text, "precision": text}},
        }
        answer = reconstruct(Reported.read(table))
        assert answer.answers == (((3, 3, 3), (0, 0, 0)),)
        assert answer.unique


def test_large_tests_and_missing_sizes_are_left_undecided() -> None:
    table: dict[str, Any] = {"classes": ["a", "b"], "accuracy": "0.9"}
    assert "not stated" in reconstruct(Reported.read(table)).why
    table["test_images"] = 5_000_000
    assert "not searched" in reconstruct(Reported.read(table)).why


def test_two_digits_and_no_supports_are_decided_by_an_example() -> None:
    """V1's table: far too many answers to list, so one is shown and said not to be all."""
    table = {
        "classes": list("abcd"),
        "test_images": 649,
        "accuracy": "0.5393",
        "per_class": {
            "a": {"precision": "0.28", "recall": "0.17", "f1": "0.21"},
            "b": {"precision": "0.47", "recall": "0.82", "f1": "0.60"},
            "c": {"precision": "0.78", "recall": "0.87", "f1": "0.82"},
            "d": {"precision": "0.47", "recall": "0.19", "f1": "0.27"},
        },
    }
    answer = reconstruct(Reported.read(table))
    assert (answer.status, answer.complete) == ("fits", False)
    assert prints_the_same(answer, table)
    table["accuracy"] = "0.9012"  # above every recall: proven by weights, not by search
    assert reconstruct(Reported.read(table)).status == "impossible"
