"""Put groups of rows on the sides of a split so that every side gets its share of every class.

scikit-learn has no stratified split by groups for a share such as 15 %, and its
StratifiedGroupKFold may leave a fold without a small class; one allocator serves holdout, k-fold
and validation alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

TRIALS = 12
"""Random orders tried for groups of several rows; the best proportions win."""
PLACED = 5000
"""About so many groups are placed in all trials: many groups even out with fewer trials."""


def allocate(groups: Ints, labels: Ints, shares: tuple[float, ...], seed: int) -> Ints:
    """The side (0 to ``len(shares) - 1``) of every row; rows of one group share a side.

    Args:
        groups: Group numbers, shape ``(n,)``.
        labels: Class numbers, shape ``(n,)``.
        shares: The share of each class that each side should get; they sum to 1.
        seed: Decides which rows go where; the same seed gives the same sides.

    Groups of several rows are placed one by one where the shares are then best kept (chi-square
    distance, the best of some random orders); single rows then fill the shares up, to the nearest
    whole row. A side that lacks a class altogether gets a group of it where one can be spared.
    """
    _, members = np.unique(groups, return_inverse=True)
    _, classes = np.unique(labels, return_inverse=True)
    counts = np.zeros((int(members.max()) + 1, int(classes.max()) + 1), np.int64)
    np.add.at(counts, (members, classes), 1)
    target = np.outer(shares, counts.sum(0))
    split = _Allocation(counts, target, np.random.default_rng(seed))
    side = split.best_trial()
    split.fill_up(side)
    split.lend(side)
    chosen: Ints = side[members]
    return chosen


@dataclass(frozen=True, slots=True)
class _Allocation:
    counts: Ints
    """Rows of each group and class."""
    target: Floats
    """Rows that each side should get of each class."""
    rng: np.random.Generator

    def have(self, side: Ints) -> Floats:
        """Rows that each side has of each class; groups of side -1 are on none."""
        have = np.zeros(self.target.shape)
        np.add.at(have, side[side >= 0], self.counts[side >= 0])
        return have

    def best_trial(self) -> Ints:
        """Sides of the groups of several rows, -1 for single rows."""
        large = np.flatnonzero(self.counts.sum(1) > 1)
        best, lowest = np.full(len(self.counts), -1), np.inf
        for _ in range(max(1, min(TRIALS, PLACED // len(large))) if len(large) else 0):
            order = self.rng.permutation(large)
            # Whatever fills much of a side goes first, or the sides could not be evened out.
            bulky = (self.counts[order] > 0.25 * self.target.min(0)).any(1)
            side, cost = self.placed(np.concatenate([order[bulky], order[~bulky]]))
            if cost < lowest:
                best, lowest = side, cost
        return best

    def placed(self, order: Ints) -> tuple[Ints, float]:
        """Sides of these groups, placed in this order, and how far they are off."""
        target, side, have = self.target, np.full(len(self.counts), -1), np.zeros(self.target.shape)
        turn = self.rng.permutation(len(target))  # ties are broken at random, not for the first
        for group in order:
            row = self.counts[group]
            # What the sum of (have - target)**2 / target grows by on each side.
            cost = (row * (row + 2 * (have - target)) / target).sum(1)
            chosen = turn[int(cost[turn].argmin())]
            side[group] = chosen
            have[chosen] += row
        # Too little is no fault yet: single rows fill it up, unless there are none of the class.
        lacking = (have == 0) & (self.counts[side < 0].sum(0) < len(have))
        over = np.maximum(have - target, 0) + 1e3 * lacking.astype(np.float64)
        return side, float((over**2 / target).sum())

    def fill_up(self, side: Ints) -> None:
        """Deal the single rows of each class to the sides that still want some."""
        total, have = self.counts.sum(0), self.have(side)
        for label in range(self.counts.shape[1]):
            single = np.flatnonzero((side < 0) & (self.counts[:, label] > 0))
            wanted = _whole(self.target[:, label] - have[:, label], len(single), self.rng)
            if total[label] >= len(self.target):
                _at_least_one(wanted, have[:, label])
            side[self.rng.permutation(single)] = np.repeat(np.arange(len(self.target)), wanted)

    def lend(self, side: Ints) -> None:
        """Move a group to each side that lacks a class, where the giver keeps all its classes."""
        for _ in range(self.target.size):
            have = self.have(side)
            for poor, label in np.argwhere(have == 0):
                owners = np.flatnonzero(self.counts[:, label])
                left, had = have[side[owners]] - self.counts[owners], have[side[owners]]
                spare = owners[((left > 0) | (had == 0)).all(1)]
                if len(spare):
                    side[min(spare, key=lambda group: (self.counts[group].sum(), group))] = poor
                    break
            else:
                return


def _whole(wanted: Floats, n: int, rng: np.random.Generator) -> Ints:
    """Whole numbers that sum to ``n``, nearest to what is wanted (largest remainders)."""
    wanted = np.maximum(wanted, 0)
    if wanted.sum() > 0:
        wanted = wanted * (n / wanted.sum())
    whole = np.floor(wanted + 1e-9).astype(np.int64)
    rest = np.lexsort((rng.random(len(wanted)), -(wanted - whole)))[: n - int(whole.sum())]
    whole[rest] += 1
    return whole


def _at_least_one(wanted: Ints, have: Floats) -> None:
    for poor in np.flatnonzero(wanted + have == 0):
        rich = int(np.where(wanted > 0, wanted + have, 0).argmax())
        if wanted[rich] > 0 and wanted[rich] + have[rich] > 1:
            wanted[rich] -= 1
            wanted[poor] += 1
