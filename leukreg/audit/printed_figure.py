"""A figure as it was printed: its digits say how far the true value may lie from it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

_DIGITS = r"(?:\d{1,12}(?:[.,]\d{0,12})?|[.,]\d{1,12})"
_SIGNED = rf"[+-]?\s?{_DIGITS}"
_LEVEL = r"(?:\d\d(?:[.,]\d)?\s*%\s*)?(?:CI|confidence interval)\s*[:=]?\s*"
_ENDS = rf"({_SIGNED})\s*%?\s*(?:-|–|—|to|\.\.+|[,;]\s)\s*({_SIGNED})\s*%?"
_FIGURE = re.compile(
    rf"({_SIGNED})\s*(%?)"
    rf"(?:\s*(?:±|\+/-|\+-|\\pm)\s*({_DIGITS})\s*(%?))?"
    rf"(?:[,;]?\s*(?:[(\[]\s*(?:{_LEVEL})?{_ENDS}\s*[)\]]|{_LEVEL}{_ENDS}))?",
    re.IGNORECASE,
)
_UNDEFINED = {"nan", "undefined", "n/a", "na", "-", "--", "–", "—", "none"}


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
    spread: Fraction | None = None
    """What stands after ±: over folds or runs, where it does not say otherwise."""
    interval: tuple[Fraction, Fraction] | None = None
    """The interval printed beside it, as "(0.91-0.96)"."""
    cut: bool = False
    """Whether its further digits may also have been cut off, not rounded."""

    @property
    def low(self) -> Fraction:
        if self.value is None:
            return Fraction(0)
        return self.value - self.half * (2 if self.cut and self.value < 0 else 1)

    @property
    def high(self) -> Fraction:
        if self.value is None:
            return Fraction(0)
        return self.value + self.half * (2 if self.cut and self.value >= 0 else 1)

    @property
    def undefined(self) -> bool:
        return self.value is None

    @property
    def digits(self) -> int:
        """Decimals, on the scale 0 to 1."""
        return 0 if not self.half else len(str(self.half.denominator // 2)) - 1

    def holds(self, true: Fraction | None) -> bool:
        """Whether ``true`` would be printed so. None is 0/0, printed as 0, 1 or nan."""
        if true is None:
            return self.undefined or any(self.low <= end <= self.high for end in (0, 1))
        return self.value is not None and self.low <= true <= self.high

    def hundredth(self) -> Printed:
        """The same, where it is in per cent."""
        ends = self.interval and (self.interval[0] / 100, self.interval[1] / 100)
        return replace(
            self,
            text=f"{self.text} %",
            value=None if self.value is None else self.value / 100,
            half=self.half / 100,
            spread=None if self.spread is None else self.spread / 100,
            interval=ends or None,
        )

    def or_cut(self) -> Printed:
        """The same, for a table whose further digits may have been cut off."""
        return replace(self, cut=True)

    def quoted(self, name: str) -> str:
        """As people quote a figure of this name: accuracies in per cent."""
        whole = re.fullmatch(r"[\d.]+", self.text)
        if name != "accuracy" or self.value is None or not whole:
            return self.text
        return f"{float(self.value) * 100:.{max(0, self.digits - 2)}f} %"

    def __str__(self) -> str:
        return self.text

    def __float__(self) -> float:
        return math.nan if self.value is None else float(self.value)


def printed(raw: object) -> Printed:
    """Read a figure as written: a number, or a string such as ``"0.1000"``, ``"84,00 %"``,
    ``"0.94 ± 0.02"``, ``"0.94 (0.91-0.96)"`` or ``"0.94 (95 % CI .91 to .96)"``.

    A float's digits are those of its shortest decimal form; a Decimal or string keeps its zeros. A
    % sign anywhere but before "CI" holds for all of them.

    Raises:
        ValueError: It is no finite number; the message says what it is.
    """
    if isinstance(raw, bool) or not isinstance(raw, str | int | float | Decimal):
        raise ValueError(f"{_shown(raw)} is no number")
    if isinstance(raw, float | Decimal) and math.isnan(raw):
        return Printed("nan", None)
    if isinstance(raw, str) and raw.strip().lower() in _UNDEFINED:
        return Printed(raw.strip(), None)
    text = " ".join(raw.split()) if isinstance(raw, str) else _plain(raw)
    plain = text.replace("−", "-").replace("$", "")
    if re.search(r"\.\d", plain):  # its commas are none of decimals
        plain = plain.replace(",", ", ").replace("  ", " ")
    match = _FIGURE.fullmatch(plain)
    if match is None:
        raise ValueError(f"{_shown(raw)} is no number")
    number, spread = match[1], match[3]
    ends = [end for end in match.groups()[4:] if end is not None]
    per_cent = "%" in re.sub(_LEVEL, "", text, flags=re.IGNORECASE)
    value, half = _exact(number, per_cent)
    return Printed(
        text,
        value,
        half,
        spread=None if spread is None else _exact(spread, per_cent)[0],
        interval=(_exact(ends[0], per_cent)[0], _exact(ends[1], per_cent)[0]) if ends else None,
    )


def _exact(text: str, per_cent: bool) -> tuple[Fraction, Fraction]:
    """A number and half a unit of its last digit."""
    whole, _, part = text.replace(",", ".").replace(" ", "").partition(".")
    scale = 10 ** (len(part) + (2 if per_cent else 0))
    value = Fraction(int(whole.lstrip("+-") + part), scale)
    return (-value if whole.startswith("-") else value), Fraction(1, 2 * scale)


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
