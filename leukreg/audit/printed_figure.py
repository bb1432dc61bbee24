"""A figure as it was printed: its digits say how far the true value may lie from it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

_NUMBER = re.compile(r"([+-]?)(\d{0,12})(?:\.(\d{0,12}))?\s*(%?)")
_UNDEFINED = {"nan", "undefined", "n/a", "na", "-", "--", "none"}


@dataclass(frozen=True, slots=True)
class Printed:
    """A printed figure and the closed interval of values that print like it.

    The interval is half a unit of the last printed digit to either side, ends included, so that
    round-half-even and round-half-up are both accepted. ``low > high`` never holds.
    """

    text: str
    value: Fraction | None
    """None: printed as undefined."""
    half: Fraction = Fraction(0)
    """Half a unit of the last printed digit."""

    @property
    def low(self) -> Fraction:
        return Fraction(0) if self.value is None else self.value - self.half

    @property
    def high(self) -> Fraction:
        return Fraction(0) if self.value is None else self.value + self.half

    @property
    def undefined(self) -> bool:
        return self.value is None

    def holds(self, true: Fraction | None) -> bool:
        """Whether ``true`` would be printed so. None is 0/0, printed as 0, 1 or nan."""
        if true is None:
            return self.undefined or any(self.low <= end <= self.high for end in (0, 1))
        return self.value is not None and self.low <= true <= self.high

    def quoted(self, name: str) -> str:
        """As people quote a figure of this name: accuracies in per cent."""
        if name != "accuracy" or self.value is None or self.text.endswith("%"):
            return self.text
        digits = max(0, len(self.text.partition(".")[2]) - 2)
        return f"{float(self.value) * 100:.{digits}f} %"

    def __str__(self) -> str:
        return self.text

    def __float__(self) -> float:
        return math.nan if self.value is None else float(self.value)


def printed(raw: object) -> Printed:
    """Read a figure as written: a string such as ``"0.1000"`` or ``"84.00 %"``, or a number.

    A float's digits are those of its shortest decimal form; a Decimal or string keeps its zeros.

    Raises:
        ValueError: It is no finite number; the message says what it is.
    """
    if isinstance(raw, bool) or not isinstance(raw, str | int | float | Decimal):
        raise ValueError(f"{_shown(raw)} is no number")
    if isinstance(raw, float | Decimal) and math.isnan(raw):
        return Printed("nan", None)
    if isinstance(raw, str) and raw.strip().lower() in _UNDEFINED:
        return Printed(raw.strip(), None)
    text = raw.strip() if isinstance(raw, str) else _plain(raw)
    match = _NUMBER.fullmatch(text)
    if match is None or not (match[2] or match[3]):
        raise ValueError(f"{_shown(raw)} is no number")
    digits = len(match[3] or "") + (2 if match[4] else 0)
    scale = 10**digits
    value = Fraction(int((match[2] + (match[3] or "")) or "0"), scale)
    return Printed(text, -value if match[1] == "-" else value, Fraction(1, 2 * scale))


def _plain(raw: float | Decimal) -> str:
    """Digits without an exponent; the reader refuses what is longer than a printed figure."""
    if isinstance(raw, int) and abs(raw) >= 10**12:
        return "too large"
    exact = raw if isinstance(raw, Decimal) else Decimal(repr(raw))
    if not exact.is_finite() or (exact and not -12 < exact.adjusted() < 12):
        return "too large"
    return format(exact, "f")


def _shown(raw: object) -> str:
    try:
        text = repr(raw) if not isinstance(raw, Decimal) else str(raw)
    except ValueError:  # an integer too long to be printed
        return "this"
    return text if len(text) <= 40 else text[:37] + "..."
