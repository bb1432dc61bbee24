"""Find the ways in which classes add up to one test: exact, complete, within bounds.

Over the classes of a confusion matrix, supports and predicted rows both sum to ``n`` and true
positives to the correct rows. A matrix with given marginals exists exactly when, besides, no class
has more wrong rows and wrong predictions together than there are wrong rows in all (a cut in the
transport of wrong rows whose diagonal is closed).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from leukreg.audit.marginals import FULL, Effort, Items, TooMany

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


Marginals = tuple[tuple[int, int, int], ...]
"""Per class: support, true positives, predicted rows."""

MOST_HITS = 200
"""Numbers of correct rows that are gone through one by one."""
MOST_DEAD = 2_000
"""Sums without a matrix that are passed over before the search goes through the hits one by one."""


def search(
    n: int, hits: tuple[int, int], classes: Sequence[Items], effort: Effort = FULL
) -> Iterator[Marginals]:
    """All marginals of at least two classes, each once.

    Raises:
        TooMany: There is more to search than ``effort`` allows; what was found before holds.
    """
    if any(len(items) == 0 for items in classes):
        return iter(())
    hits = (
        max(hits[0], sum(int(items.t.min()) for items in classes)),
        min(hits[1], sum(int(items.t.max()) for items in classes)),
    )
    if len(classes) == 2:
        return _two(n, hits, classes[0], classes[1], effort)
    order = sorted(range(len(classes)), key=lambda c: -len(classes[c]))
    ordered = [classes[c] for c in order]
    back = [order.index(c) for c in range(len(classes))]
    found = _many(n, hits, ordered, effort, _suffixes(n, hits[1], ordered, effort))
    return (tuple(one[c] for c in back) for one in found)


def has_matrix(n: int, marginals: Marginals) -> bool:
    """Whether a confusion matrix with these marginals exists."""
    wrong = n - sum(t for _, t, _ in marginals)
    return all(s - t + p - t <= wrong for s, t, p in marginals)


def _two(
    n: int, hits: tuple[int, int], first: Items, second: Items, effort: Effort
) -> Iterator[Marginals]:
    """Of two classes the second follows from the first."""
    import numpy as np

    table = _Table(n, merged(n, second))
    # The correct rows are n - s - p + 2 t, so the hits confine p as well.
    correct = n - first.s + 2 * first.t
    low = np.maximum(first.low, correct - hits[1])
    high = np.minimum(first.high, correct - hits[0])
    first = Items(first.s, first.t, low, high).where(low <= high)
    width = first.high - first.low + 1
    if int(width.sum()) > effort.pairs:
        raise TooMany
    if len(first) == 0:
        return iter(())
    s, t = np.repeat(first.s, width), np.repeat(first.t, width)
    start = np.repeat(first.low - np.concatenate(([0], np.cumsum(width)[:-1])), width)
    p = np.arange(len(s), dtype=np.int64) + start
    other = n - s - p + t
    keep = (other >= 0) & (t + other >= hits[0]) & (t + other <= hits[1])
    s, t, p, other = s[keep], t[keep], p[keep], other[keep]
    fits = table.holds(n - s, other, n - p)
    rows = zip(*(a[fits].tolist() for a in (s, t, p, other)), strict=True)
    return (((s, t, p), (n - s, o, n - p)) for s, t, p, o in rows)


def _many(
    n: int,
    hits: tuple[int, int],
    classes: list[Items],
    effort: Effort,
    suffixes: list[_Table],
) -> Iterator[Marginals]:
    dead = 0
    seen: set[Marginals] = set()
    for found in _relaxed(n, hits, classes, effort, suffixes):
        if has_matrix(n, found):
            seen.add(found)
            yield found
        elif (dead := dead + 1) > MOST_DEAD:
            break
    else:
        return
    # With the hits fixed, the condition on wrong rows confines each class by itself.
    possible = _hits(n, hits, classes[0], effort, suffixes[1])
    if len(possible) > MOST_HITS:
        raise TooMany
    for hit in possible:
        strict = [_at_most_wrong(n - hit, items) for items in classes]
        if all(len(items) for items in strict):
            tables = _suffixes(n, hit, strict, effort)
            for found in _relaxed(n, (hit, hit), strict, effort, tables):
                if found not in seen:
                    yield found


def _hits(n: int, hits: tuple[int, int], first: Items, effort: Effort, rest: _Table) -> list[int]:
    """Numbers of correct rows with which the sums can be right."""
    found = rest.completions(first, n, hits, n, effort)
    return sorted({int(first.t[i]) + left for i, left, _, _ in found})


def _at_most_wrong(wrong: int, items: Items) -> Items:
    import numpy as np

    high = np.minimum(items.high, wrong + 2 * items.t - items.s)
    return Items(items.s, items.t, items.low, high).where(items.low <= high)


def _relaxed(
    n: int, hits: tuple[int, int], classes: list[Items], effort: Effort, suffixes: list[_Table]
) -> Iterator[Marginals]:
    """Marginals whose sums are right, whether or not a matrix has them."""
    return _walk(0, (n, hits, n), classes, effort, suffixes)


def _walk(
    c: int,
    rest: tuple[int, tuple[int, int], int],
    classes: list[Items],
    effort: Effort,
    suffixes: list[_Table],
) -> Iterator[Marginals]:
    """Depth first; a branch is entered only when the classes after it can be completed."""
    s, (t, most), p = rest
    items = classes[c]
    if c == len(classes) - 1:
        if suffixes[c].has(s, t, p):  # only the first class has a choice of hits
            yield ((s, t, p),)
        return
    for i, left_t, low, high in suffixes[c + 1].completions(items, s, (t, most), p, effort):
        here_s, here_t = int(items.s[i]), int(items.t[i])
        for here_p in range(low, high + 1):
            left = (s - here_s, (left_t, left_t), p - here_p)
            for tail in _walk(c + 1, left, classes, effort, suffixes):
                yield ((here_s, here_t, here_p), *tail)


def _suffixes(n: int, most_hits: int, classes: list[Items], effort: Effort) -> list[_Table]:
    """For each class but the first, every sum that it and the classes after it can have."""
    tables = [_Table(n, merged(n, classes[-1]))]
    for c in range(len(classes) - 2, 0, -1):
        before = classes[:c]
        summed = _joined(n, most_hits, classes[c], tables[0].items, before, effort)
        tables.insert(0, _Table(n, summed))
    return [tables[0], *tables]


def _joined(n: int, hits: int, a: Items, b: Items, before: list[Items], effort: Effort) -> Items:
    """Sums of one of ``a`` and one of ``b`` that the classes before them leave room for."""
    import numpy as np

    if len(a) * len(b) > effort.pairs:
        raise TooMany
    s_low, s_high = sum(int(x.s.min()) for x in before), sum(int(x.s.max()) for x in before)
    t_low = sum(int(x.t.min()) for x in before)
    p_low, p_high = sum(int(x.low.min()) for x in before), sum(int(x.high.max()) for x in before)
    parts: list[Items] = []
    step = max(1, 1_000_000 // max(1, len(b)))
    for at in range(0, len(a), step):
        x = a.where(np.arange(len(a)) // step == at // step)
        s, t = np.add.outer(x.s, b.s).ravel(), np.add.outer(x.t, b.t).ravel()
        low, high = np.add.outer(x.low, b.low).ravel(), np.add.outer(x.high, b.high).ravel()
        keep = (s <= n - s_low) & (s >= n - s_high) & (t <= hits - t_low)
        keep &= (low <= n - p_low) & (high >= n - p_high)
        parts.append(merged(n, Items(s, t, low, high).where(keep)))
    columns = ("s", "t", "low", "high")
    return merged(n, Items(*(np.concatenate([getattr(x, f) for x in parts]) for f in columns)))


def merged(n: int, items: Items) -> Items:
    """Sorted by support and hits; intervals that touch or overlap become one."""
    import numpy as np

    if len(items) == 0:
        return items
    key = items.s * (n + 1) + items.t
    order = np.lexsort((items.low, key))
    key, low, high = key[order], items.low[order], items.high[order]
    group = np.concatenate(([0], np.cumsum(np.diff(key) != 0)))
    span = int(high.max()) + 2 - min(0, int(low.min()))
    reach = np.maximum.accumulate(high + group * span)
    new = np.concatenate(([True], (low + group * span)[1:] > reach[:-1] + 1))
    new |= np.concatenate(([True], np.diff(group) != 0))
    starts = np.flatnonzero(new)
    ends = np.concatenate((starts[1:], [len(low)])) - 1
    return Items(
        items.s[order][starts],
        items.t[order][starts],
        low[starts],
        reach[ends] - group[ends] * span,
    )


class _Table:
    """Merged items, found by support and hits."""

    def __init__(self, n: int, items: Items) -> None:
        self.n = n
        self.items = items
        self.key: NDArray[np.int64] = items.s * (n + 1) + items.t

    def has(self, s: int, t: int, p: int) -> bool:
        import numpy as np

        if s < 0 or t < 0:
            return False
        key = s * (self.n + 1) + t
        a, b = np.searchsorted(self.key, key, "left"), np.searchsorted(self.key, key, "right")
        return bool(((self.items.low[a:b] <= p) & (p <= self.items.high[a:b])).any())

    def holds(
        self, s: NDArray[np.int64], t: NDArray[np.int64], p: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Like ``has`` for many; each (s, t) stands here at most once."""
        import numpy as np

        key = s * (self.n + 1) + t
        at = np.minimum(np.searchsorted(self.key, key), len(self.key) - 1)
        found = self.key[at] == key
        inside: NDArray[np.bool_] = (self.items.low[at] <= p) & (p <= self.items.high[at])
        both: NDArray[np.bool_] = found & inside
        return both

    def completions(
        self, items: Items, s: int, hits: tuple[int, int], p: int, effort: Effort
    ) -> Iterator[tuple[int, int, int, int]]:
        """Items that leave a rest to be completed from here: index, hits left, and the range of
        predicted rows. Raises TooMany."""
        import numpy as np

        left_s, least, most = s - items.s, hits[0] - items.t, hits[1] - items.t
        base = left_s * (self.n + 1)
        first = np.searchsorted(self.key, base + np.maximum(least, 0), "left")
        last = np.searchsorted(self.key, base + np.minimum(most, self.n), "right")
        count = np.where((left_s >= 0) & (most >= 0), np.maximum(last - first, 0), 0)
        if int(count.sum()) > 10 * effort.pairs:
            raise TooMany
        step = max(1, len(items) * 1_000_000 // max(1, int(count.sum())))
        for at in range(0, len(items), step):
            part = count[at : at + step]
            i = np.repeat(np.arange(at, at + len(part)), part)
            start = np.repeat(first[at : at + step] - np.cumsum(part) + part, part)
            j = np.arange(len(i)) + start
            low = np.maximum(items.low[i], p - self.items.high[j])
            high = np.minimum(items.high[i], p - self.items.low[j])
            fits = low <= high
            columns = (i[fits], self.items.t[j[fits]], low[fits], high[fits])
            yield from zip(*(column.tolist() for column in columns), strict=True)


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
