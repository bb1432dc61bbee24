"""Put groups of rows on the sides of a split so that every side gets its share of every class.

scikit-learn has no stratified split by groups for a share such as 15 %, and its
StratifiedGroupKFold may leave a fold without a small class; one allocator serves holdout, k-fold
and validation alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


TRIALS = 12
"""Random orders tried for groups of several rows; the best proportions win."""
PLACED = 5000
"""About so many groups are placed in all trials: many groups even out with fewer trials."""


def allocate(
    groups: NDArray[np.int64], labels: NDArray[np.int64], shares: tuple[float, ...], seed: int
) -> NDArray[np.int64]:
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
    rng = np.random.default_rng(seed)
    _, members = np.unique(groups, return_inverse=True)
    _, classes = np.unique(labels, return_inverse=True)
    counts = np.zeros((int(members.max()) + 1, int(classes.max()) + 1), np.int64)
    np.add.at(counts, (members, classes), 1)
    target = np.outer(shares, counts.sum(0))
    side = _best_trial(counts, target, rng)
    _fill_up(side, counts, target, rng)
    _lend(side, counts, target)
    chosen: NDArray[np.int64] = side[members]
    return chosen


def _best_trial(
    counts: NDArray[np.int64], target: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Sides of the groups of several rows, -1 for single rows."""
    large = np.flatnonzero(counts.sum(1) > 1)
    best, lowest = np.full(len(counts), -1), np.inf
    for _ in range(max(1, min(TRIALS, PLACED // len(large))) if len(large) else 0):
        order = rng.permutation(large)
        # Whatever fills much of a side goes first, or the sides could not be evened out.
        bulky = (counts[order] > 0.25 * target.min(0)).any(1)
        side, cost = _place(np.concatenate([order[bulky], order[~bulky]]), counts, target, rng)
        if cost < lowest:
            best, lowest = side, cost
    return best


def _place(
    order: NDArray[np.int64],
    counts: NDArray[np.int64],
    target: NDArray[np.float64],
    rng: np.random.Generator,
) -> tuple[NDArray[np.int64], float]:
    side = np.full(len(counts), -1)
    have = np.zeros(target.shape)
    turn = rng.permutation(len(target))  # ties are broken at random, not for the first side
    for group in order:
        row = counts[group]
        # What the sum of (have - target)**2 / target grows by on each side.
        cost = (row * (row + 2 * (have - target)) / target).sum(1)
        chosen = turn[int(cost[turn].argmin())]
        side[group] = chosen
        have[chosen] += row
    # Too little is no fault yet: single rows fill it up, unless there are none of the class.
    over = np.maximum(have - target, 0) + 1e3 * _lacking(have, counts, side)
    return side, float((over**2 / target).sum())


def _lacking(
    have: NDArray[np.float64], counts: NDArray[np.int64], side: NDArray[np.int64]
) -> NDArray[np.float64]:
    """1 where a side has nothing of a class that no single row is left to fill up."""
    open_rows = counts[side < 0].sum(0)
    lacking: NDArray[np.float64] = ((have == 0) & (open_rows < len(have))).astype(np.float64)
    return lacking


def _fill_up(
    side: NDArray[np.int64],
    counts: NDArray[np.int64],
    target: NDArray[np.float64],
    rng: np.random.Generator,
) -> None:
    """Deal the single rows of each class to the sides that still want some."""
    total = counts.sum(0)
    have = np.zeros(target.shape)
    np.add.at(have, side[side >= 0], counts[side >= 0])
    for label in range(counts.shape[1]):
        single = np.flatnonzero((side < 0) & (counts[:, label] > 0))
        wanted = _whole(target[:, label] - have[:, label], len(single), rng)
        if total[label] >= len(target):
            _at_least_one(wanted, have[:, label])
        side[rng.permutation(single)] = np.repeat(np.arange(len(target)), wanted)


def _whole(wanted: NDArray[np.float64], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Whole numbers that sum to ``n``, nearest to what is wanted (largest remainders)."""
    wanted = np.maximum(wanted, 0)
    if wanted.sum() > 0:
        wanted = wanted * (n / wanted.sum())
    whole = np.floor(wanted + 1e-9).astype(np.int64)
    rest = np.lexsort((rng.random(len(wanted)), -(wanted - whole)))[: n - int(whole.sum())]
    whole[rest] += 1
    return whole


def _at_least_one(wanted: NDArray[np.int64], have: NDArray[np.float64]) -> None:
    for poor in np.flatnonzero(wanted + have == 0):
        rich = int(np.where(wanted > 0, wanted + have, 0).argmax())
        if wanted[rich] > 0 and wanted[rich] + have[rich] > 1:
            wanted[rich] -= 1
            wanted[poor] += 1


def _lend(side: NDArray[np.int64], counts: NDArray[np.int64], target: NDArray[np.float64]) -> None:
    """Move a group to each side that lacks a class, where the giver keeps all its classes."""
    for _ in range(target.size):
        have = np.zeros(target.shape)
        np.add.at(have, side, counts)
        for poor, label in np.argwhere(have == 0):
            spare = [
                group
                for group in np.flatnonzero(counts[:, label])
                if ((have[side[group]] - counts[group] > 0) | (have[side[group]] == 0)).all()
            ]
            if spare:
                side[min(spare, key=lambda group: (counts[group].sum(), group))] = poor
                break
        else:
            return
