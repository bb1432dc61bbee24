"""One way to print a figure, so that 84.3 % and 0.843 are the same 337 of 400.

Formatting a float rounds its binary value: of 337/400 that gives 0.843, but 84.2 for a hundred
times as much. Here the shortest decimal that stands for the float is rounded, halves away from 0.
"""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal


def rounded(value: float, digits: int = 3, signed: bool = False) -> str:
    """A figure with this many decimals: ``0.843``, or ``+0.843`` where it is ``signed``."""
    return _printed(value, 0, digits, signed)


def percent(value: float, digits: int = 1) -> str:
    """A share: ``84.3 %``."""
    return f"{percents(value, digits)} %"


def percents(value: float, digits: int = 1, signed: bool = False) -> str:
    """A share, or a difference of shares in points, without its sign: ``84.3``."""
    return _printed(value, 2, digits, signed)


def _printed(value: float, shift: int, digits: int, signed: bool) -> str:
    if not math.isfinite(value):
        return str(value)
    exact = Decimal(repr(float(value))).scaleb(shift)
    shown = exact.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    return f"{shown:{'+' if signed else ''},f}"
