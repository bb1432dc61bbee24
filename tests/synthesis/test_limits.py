"""The limits of the gate: each fails on its own side, and says with which figures."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from leukreg.gate_figures import GateFigures
from leukreg.recipe.model import GateSpec
from leukreg.synthesis import gate
from leukreg.synthesis.gate import in_words

GOOD: dict[str, Any] = {
    "copies": 4,
    "drawn": 400,
    "fake": 400,
    "real": 100,
    "unjudged": "",
    "kid_ratio": 10.0,
    "coverage": 0.4,
    "fakes_only": {"score": 0.6, "chance": 0.125, "real": 1.0, "low": 0.5, "high": 0.7},
}
"""Every figure at its limit."""
LESSON = GOOD["fakes_only"]


def figures(table: dict[str, Any]) -> GateFigures:
    return TypeAdapter(GateFigures).validate_python(table)


def failed(table: dict[str, Any], limits: GateSpec) -> list[str]:
    return [*gate.failed(figures(table), limits)]


shares = st.floats(0, 1)


def test_at_the_limits_everything_passes() -> None:
    assert failed(GOOD, GateSpec()) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"copies": 5}, "5 of 400 (1.2 %) copy training images (at most 1 %)"),
        ({"kid_ratio": 10.1}, "KID is 10.1 times the floor (at most 10)"),
        ({"kid_ratio": 1234.5}, "KID is 1,234 times the floor"),
        ({"kid_ratio": None}, "KID is an undefined multiple of the floor"),
        ({"coverage": 0.39}, "39.0 % of the real images are covered (at least 40 %)"),
        ({"fakes_only": {**LESSON, "score": 0.59}}, "they teach 0.590 where real images teach"),
        ({"fakes_only": {**LESSON, "score": 0.125, "real": None}}, "no more than chance (0.125"),
        ({"unjudged": "no real images"}, "no real images"),
    ],
)
def test_beyond_a_limit_one_reason_is_given(changes: dict[str, Any], words: str) -> None:
    (why,) = failed({**GOOD, **changes}, GateSpec())
    assert words in why


def test_what_cannot_be_judged_may_pass_unless_it_passes_for_another_class() -> None:
    lenient = GateSpec(unjudged="pass")
    bare = {"copies": 0, "drawn": 9, "fake": 9, "real": 0, "unjudged": "no real images"}
    assert failed(bare, lenient) == []
    (why,) = failed({**bare, "passes_for": {"class": "Benign", "kid_ratio": 0.4}}, lenient)
    assert why == "they pass for Benign (KID 0.4 times the floor of its real images)"
    assert len(failed({**bare, "copies": 9}, lenient)) == 1


@given(
    better=st.tuples(st.integers(0, 400), st.floats(0, 50), shares, shares),
    worse=st.tuples(st.integers(0, 400), st.floats(0, 50), shares, shares),
)
def test_worse_figures_never_pass_where_better_ones_fail(
    better: tuple[int, float, float, float], worse: tuple[int, float, float, float]
) -> None:
    pairs = list(zip(better, worse, strict=True))
    best = [min(pair) for pair in pairs[:2]] + [max(pair) for pair in pairs[2:]]
    worst = [max(pair) for pair in pairs[:2]] + [min(pair) for pair in pairs[2:]]

    def why(copies: float, ratio: float, coverage: float, score: float) -> int:
        lesson = {**LESSON, "score": score}
        own = {"copies": copies, "kid_ratio": ratio, "coverage": coverage}
        return len(failed({**GOOD, **own, "fakes_only": lesson}, GateSpec()))

    assert why(*best) <= why(*worst)


def test_a_passing_class_is_told_with_its_figures() -> None:
    assert in_words(figures(GOOD)) == (
        "KID 10.0 times the floor, 40.0 % of the real images covered, 4 copies among 400,"
        " teach 0.60 (real images: 1.00)"
    )
