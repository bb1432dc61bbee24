"""Ratios of times, measured so that a machine whose speed drifts does not decide them.

The two sides run in turn (A B A B ...), the ratio is taken pair by pair, and the median is quoted.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ratio:
    """Paired times of two sides, in seconds."""

    ours: tuple[float, ...]
    theirs: tuple[float, ...]

    @property
    def median(self) -> float:
        """Median of the paired ratios, ours / theirs."""
        return statistics.median(a / b for a, b in zip(self.ours, self.theirs, strict=True))

    def __str__(self) -> str:
        pairs = sorted(a / b for a, b in zip(self.ours, self.theirs, strict=True))
        return (
            f"{self.median:.2f} ({pairs[0]:.2f} to {pairs[-1]:.2f} over {len(pairs)} pairs; "
            f"{statistics.median(self.ours):.3g} s against {statistics.median(self.theirs):.3g} s)"
        )


def paired(
    ours: Callable[[], object], theirs: Callable[[], object], pairs: int = 7, warmup: int = 1
) -> Ratio:
    """Time two functions in turn, ``pairs`` times, after ``warmup`` rounds that do not count."""
    times: list[tuple[float, float]] = []
    for number in range(warmup + pairs):
        times.append((_seconds(ours), _seconds(theirs)))
        if number < warmup:
            times.clear()
    return Ratio(tuple(a for a, _ in times), tuple(b for _, b in times))


def commands(ours: Sequence[str], theirs: Sequence[str], pairs: int = 15) -> Ratio:
    """Time two programs in turn, from start to exit."""
    # Byte code is kept, as after any ordinary installation.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

    def call(command: Sequence[str]) -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)

    return paired(lambda: call(ours), lambda: call(theirs), pairs, warmup=2)


def report(name: str, ratio: Ratio, limit: float, at_least: bool = False) -> bool:
    """Print a measured ratio beside its limit; True if it keeps it."""
    good = ratio.median >= limit if at_least else ratio.median <= limit
    bound = "at least" if at_least else "at most"
    print(f"{'good' if good else 'BAD '}  {name}: {ratio}, {bound} {limit}")
    return good


def _seconds(function: Callable[[], object]) -> float:
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin
