"""Draw rows from pools by equal quotas."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def draw_equally(
    pools: Sequence[Sequence[int]], count: int, generator: torch.Generator
) -> list[int]:
    """``count`` rows, each pool giving the same number (or one more, by lot).

    Within a pool no row comes a second time before all have come.
    """
    drawn: list[int] = []
    for pool, quota in zip(pools, quotas(len(pools), count, generator), strict=True):
        drawn += draw(pool, quota, generator)
    return drawn


def draw(pool: Sequence[int], count: int, generator: torch.Generator) -> list[int]:
    """``count`` rows of a pool, none a second time before all have come."""
    whole, rest = divmod(count, len(pool))
    return [*pool] * whole + shuffled(pool, generator)[:rest]


def quotas(pools: int, count: int, generator: torch.Generator) -> list[int]:
    """``count`` split over ``pools``; who gets one more is drawn by lot."""
    if pools == 0:
        return []
    each, more = divmod(count, pools)
    lucky = set(shuffled(range(pools), generator)[:more])
    return [each + (pool in lucky) for pool in range(pools)]


def shuffled(rows: Sequence[int], generator: torch.Generator) -> list[int]:
    """``rows`` in random order."""
    return [rows[int(i)] for i in torch.randperm(len(rows), generator=generator)]
