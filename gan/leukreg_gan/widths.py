"""How wide the networks are at each size of their maps."""

from __future__ import annotations

FIRST = 4
"""Side of the smallest maps."""
NARROWEST = 16
"""Fewest channels at any size: processors work on so many at once, fewer cost the same."""
SIZES = (32, 64, 128, 256)
"""Image sides that the networks are made for."""


def widths(size: int, channels: int) -> tuple[int, ...]:
    """Channels of the maps of side 4, 8, ... ``size``: wide where maps are small.

    Raises:
        ValueError: ``size`` is none of :data:`SIZES`.
    """
    if size not in SIZES:
        raise ValueError(f"the networks are made for images of {SIZES} pixels, not {size}")
    large = [max(NARROWEST, channels // 2), channels * 2, channels * 4, channels * 4]
    doublings = (size // 32).bit_length() - 1
    more = [max(NARROWEST, channels // 2 ** (step + 2)) for step in range(doublings)]
    return (*reversed(large), *more)
