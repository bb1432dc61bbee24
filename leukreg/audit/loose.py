"""When there is too much to list: prove that nothing fits, or show one thing that does.

Impossible is claimed only with a certificate checked in whole numbers: weights for supports, hits
and predicted rows under which the classes together stay below what the test needs (Farkas). A fit
is claimed only by an example. Otherwise neither is claimed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from leukreg.audit.effort import FULL, Effort
from leukreg.audit.marginals import Items
from leukreg.audit.search import Marginals, has_matrix

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STEPS, TRIALS = 300, 400


def loosely(
    n: int, hits: tuple[int, int], classes: Sequence[Items], effort: Effort = FULL
) -> Marginals | bool | None:
    """An example, False (nothing fits, proven) or None (not decided)."""
    centre = _approach(n, hits, classes, effort)
    if centre is None:
        return False
    return _guided(n, hits, classes, centre, effort)


def _approach(
    n: int, hits: tuple[int, int], classes: Sequence[Items], effort: Effort
) -> NDArray[np.float64] | None:
    """Frank-Wolfe steps towards the needed sums; None when they are proven out of reach."""
    import numpy as np

    point = np.array([[x.s.mean(), x.t.mean(), (x.low + x.high).mean() / 2] for x in classes])
    for _ in range(_times(STEPS, classes, effort)):
        total = point.sum(axis=0)
        need = np.array([n, min(max(total[1], hits[0]), hits[1]), n])
        gap = need - total
        if float(np.abs(gap).max()) < 0.05:
            return point
        if _out_of_reach(n, hits, classes, gap):
            return None
        corner = np.array([_corner(x, gap) for x in classes])
        move = corner.sum(axis=0) - total
        share = float(gap @ move) / max(float(move @ move), 1e-9)
        point = point + min(max(share, 0.0), 1.0) * (corner - point)
    return point


def _times(most: int, classes: Sequence[Items], effort: Effort) -> int:
    return min(most, max(10, effort.work // sum(len(items) for items in classes)))


def _corner(items: Items, weight: NDArray[np.float64]) -> tuple[int, int, int]:
    p = items.high if weight[2] > 0 else items.low
    at = int((weight[0] * items.s + weight[1] * items.t + weight[2] * p).argmax())
    return int(items.s[at]), int(items.t[at]), int(p[at])


def _out_of_reach(
    n: int, hits: tuple[int, int], classes: Sequence[Items], gap: NDArray[np.float64]
) -> bool:
    """Exact: with whole weights, the most that the classes reach lies below the least needed."""
    scale = 10_000 / float(abs(gap).max())
    a, b, c = (round(float(g) * scale) for g in gap)
    least = (a + c) * n + min(b * hits[0], b * hits[1])
    most = sum(int((a * x.s + b * x.t + c * (x.high if c > 0 else x.low)).max()) for x in classes)
    return most < least


def _guided(
    n: int,
    hits: tuple[int, int],
    classes: Sequence[Items],
    centre: NDArray[np.float64],
    effort: Effort,
) -> Marginals | None:
    """Draw all classes but two near the centre and complete the last two exactly."""
    import numpy as np

    rng = np.random.default_rng(0)
    order = sorted(range(len(classes)), key=lambda c: len(classes[c]))
    drawn, pair = order[2:], order[:2]
    last = classes[pair[0]]
    keys = last.s * (n + 1) + last.t
    by_key = np.argsort(keys)
    middle = min(max(round(float(centre[:, 1].sum())), hits[0]), hits[1])
    for trial in range(_times(TRIALS, classes, effort)):
        hit = middle if trial % 2 == 0 else int(rng.integers(hits[0], hits[1] + 1))
        picks = [_near(classes[c], centre[c], 0.5 + trial / 10, rng) for c in drawn]
        rows = [tuple(int(getattr(classes[c], f)[i]) for f in ("s", "t", "low", "high"))
                for c, i in zip(drawn, picks, strict=True)]  # fmt: skip
        other = classes[pair[1]]
        left_s = n - sum(r[0] for r in rows) - other.s
        left_t = hit - sum(r[1] for r in rows) - other.t
        want = np.where((left_s >= 0) & (left_t >= 0), left_s * (n + 1) + left_t, -1)
        at = np.minimum(np.searchsorted(keys, want, sorter=by_key), len(keys) - 1)
        j = by_key[at]
        fits = keys[j] == want
        fits &= other.low + last.low[j] + sum(r[2] for r in rows) <= n
        fits &= other.high + last.high[j] + sum(r[3] for r in rows) >= n
        for i in np.flatnonzero(fits)[:50].tolist():
            tail = [(int(x.s[q]), int(x.t[q]), int(x.low[q]), int(x.high[q]))
                    for x, q in ((last, int(j[i])), (other, i))]  # fmt: skip
            chosen = dict(zip([*drawn, *pair], [*rows, *tail], strict=True))
            found = _spread(n, hit, [chosen[c] for c in range(len(classes))])
            if found is not None:
                return found
    return None


def _near(items: Items, centre: NDArray[np.float64], width: float, rng: np.random.Generator) -> int:
    goal = centre + rng.normal(0, width, 3)
    p = (items.low + items.high) / 2
    distance = (items.s - goal[0]) ** 2 + (items.t - goal[1]) ** 2 + (p - goal[2]) ** 2
    return int(distance.argmin())


def _spread(n: int, hit: int, rows: Sequence[tuple[int, ...]]) -> Marginals | None:
    """Predicted rows within their intervals that sum to ``n`` and have a matrix."""
    wrong = n - hit
    tops = [min(high, wrong + 2 * t - s) for s, t, _, high in rows]
    spare = n - sum(low for _, _, low, _ in rows)
    marginals = []
    for (s, t, low, _), top in zip(rows, tops, strict=True):
        extra = min(spare, top - low)
        if extra < 0:
            return None
        spare -= extra
        marginals.append((s, t, low + extra))
    found = tuple(marginals)
    return found if spare == 0 and has_matrix(n, found) else None
