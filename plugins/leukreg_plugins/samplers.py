"""Samplers: the order in which one epoch sees the training rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

from annotated_types import Gt, Lt

from leukreg import plugin

if TYPE_CHECKING:
    import torch


@plugin("shuffle")
class Shuffle:
    """Every training row once, in random order."""

    def build(
        self, targets: Sequence[int], groups: Sequence[str], generator: torch.Generator
    ) -> Iterable[int]:
        """A permutation of the positions."""
        return _shuffled(range(len(targets)), generator)


@plugin("class-balanced")
class ClassBalancedSampler:
    """Every class equally often, small classes repeated, large ones thinned.

    An epoch has as many rows as there are training rows. Within a class no row is seen for a second
    time before all have been seen; where ``synthetic`` is stated, that holds of its real rows and
    of its synthetic ones, each by themselves.
    """

    synthetic: Annotated[float, Gt(0), Lt(1)] | None = None
    """Share of synthetic rows in a class that has both, so that many synthetic images do not drown
    few real ones; by default they count as the others do."""

    def build(
        self,
        targets: Sequence[int],
        groups: Sequence[str],
        generator: torch.Generator,
        origins: Sequence[str] | None = None,
    ) -> Iterable[int]:
        """Positions; the numbers per class differ by one at most."""
        kinds = origins or ["real"] * len(targets)
        pools = _pools(range(len(targets)), targets)
        drawn: list[int] = []
        for pool, count in zip(pools, _quotas(len(pools), len(targets), generator), strict=True):
            made = [row for row in pool if kinds[row] == "synthetic"]
            if self.synthetic is None or len(made) in (0, len(pool)):
                drawn += _draw(pool, count, generator)
                continue
            own = [row for row in pool if kinds[row] != "synthetic"]
            some = round(count * self.synthetic)
            drawn += _draw(made, some, generator) + _draw(own, count - some, generator)
        return _shuffled(drawn, generator)


@plugin("patient-balanced")
class PatientBalanced:
    """Every patient equally often, so that no patient's slide dominates.

    An epoch has as many rows as there are training rows. Within a patient no row is seen for a
    second time before all have been seen. Where patients are unknown, every field of several
    cells, or every row, is its own.
    """

    within_class: bool = False
    """Every class equally often, and every patient equally often within each class."""

    def build(
        self, targets: Sequence[int], groups: Sequence[str], generator: torch.Generator
    ) -> Iterable[int]:
        """Positions; the numbers per patient (within a class, on request) differ by one at most."""
        rows = range(len(targets))
        pools = _pools(rows, targets) if self.within_class else [[*rows]]
        drawn: list[int] = []
        for pool, count in zip(pools, _quotas(len(pools), len(rows), generator), strict=True):
            patients = _pools(pool, [groups[row] for row in pool])
            each = _quotas(len(patients), count, generator)
            for patient, quota in zip(patients, each, strict=True):
                drawn += _draw(patient, quota, generator)
        return _shuffled(drawn, generator)


def _pools(rows: Iterable[int], keys: Sequence[int | str]) -> list[list[int]]:
    """Rows by key, keys in order of appearance."""
    pools: dict[int | str, list[int]] = {}
    for row, key in zip(rows, keys, strict=True):
        pools.setdefault(key, []).append(row)
    return [*pools.values()]


def _draw(pool: Sequence[int], count: int, generator: torch.Generator) -> list[int]:
    """``count`` rows of a pool, none a second time before all have come."""
    whole, rest = divmod(count, len(pool))
    return [*pool] * whole + _shuffled(pool, generator)[:rest]


def _quotas(pools: int, count: int, generator: torch.Generator) -> list[int]:
    """``count`` split over ``pools``; who gets one more is drawn by lot."""
    if pools == 0:
        return []
    each, more = divmod(count, pools)
    lucky = set(_shuffled(range(pools), generator)[:more])
    return [each + (pool in lucky) for pool in range(pools)]


def _shuffled(rows: Sequence[int], generator: torch.Generator) -> list[int]:
    """``rows`` in random order."""
    import torch

    return [rows[i] for i in torch.randperm(len(rows), generator=generator).tolist()]
