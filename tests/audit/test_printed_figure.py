"""A printed figure stands for an interval."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from leukreg.audit.printed_figure import printed


@pytest.mark.parametrize(
    ("raw", "value", "half"),
    [
        ("0.1000", Fraction(1, 10), Fraction(1, 20_000)),
        ("84.00 %", Fraction(84, 100), Fraction(1, 20_000)),
        ("84%", Fraction(84, 100), Fraction(1, 200)),
        (0.84, Fraction(84, 100), Fraction(1, 200)),
        (Decimal("0.8400"), Fraction(84, 100), Fraction(1, 20_000)),
        (".5", Fraction(1, 2), Fraction(1, 20)),
        (1e-05, Fraction(1, 100_000), Fraction(1, 200_000)),
        ("0,94", Fraction(94, 100), Fraction(1, 200)),
    ],
)
def test_the_digits_say_how_exact_a_figure_is(raw: object, value: Fraction, half: Fraction) -> None:
    figure = printed(raw)
    assert (figure.value, figure.half) == (value, half)


@pytest.mark.parametrize(
    ("raw", "value", "spread", "ends"),
    [
        ("0.94 ± 0.02", "94/100", "2/100", None),
        ("94.2 +/- 0.3 %", "942/1000", "3/1000", None),
        ("0.94 (0.91-0.96)", "94/100", None, ("91/100", "96/100")),
        ("0.94 [0.91,0.96]", "94/100", None, ("91/100", "96/100")),
        ("0,94 (0,91; 0,96)", "94/100", None, ("91/100", "96/100")),
        ("0.94 (95 % CI .91 to .96)", "94/100", None, ("91/100", "96/100")),
        ("94 %, 95% CI: 91–96", "94/100", None, ("91/100", "96/100")),
        ("-0.1 (-0.2 to 0.1)", "-1/10", None, ("-1/5", "1/10")),
    ],
)
def test_spread_and_interval_belong_to_the_figure(
    raw: str, value: str, spread: str | None, ends: tuple[str, str] | None
) -> None:
    figure = printed(raw)
    assert figure.value == Fraction(value)
    assert figure.spread == (None if spread is None else Fraction(spread))
    assert figure.interval == (None if ends is None else (Fraction(ends[0]), Fraction(ends[1])))
    assert figure.text == raw


@pytest.mark.parametrize("raw", ["nan", "undefined", "n/a", "-", float("nan")])
def test_undefined_has_no_value(raw: object) -> None:
    figure = printed(raw)
    assert figure.undefined
    assert figure.holds(None)
    assert not figure.holds(Fraction(0))


@pytest.mark.parametrize(
    "raw",
    [
        True,
        None,
        [],
        "0,91,0,96",
        "0.94 (0.02)",
        "abc",
        "",
        ".",
        "%",
        "1e3",
        float("inf"),
        10**4000,
        "1" * 50,
    ],
)
def test_what_is_no_number_is_refused_in_words(raw: object) -> None:
    with pytest.raises(ValueError, match="is no number"):
        printed(raw)


@given(
    st.integers(0, 9999), st.integers(1, 9999), st.sampled_from([2, 3, 4]),
    st.sampled_from([ROUND_HALF_EVEN, ROUND_HALF_UP]),
)  # fmt: skip
@example(1, 8, 2, ROUND_HALF_EVEN)
@example(1, 8, 2, ROUND_HALF_UP)
def test_both_ways_to_round_a_half_are_held(a: int, b: int, digits: int, way: str) -> None:
    true = Fraction(min(a, b), b)
    scaled = Decimal(true.numerator * 10**digits) / Decimal(true.denominator)
    text = scaled.quantize(Decimal(1), way).scaleb(-digits)
    assert printed(f"{text:.{digits}f}").holds(true)
