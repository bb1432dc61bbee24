"""Find the ways in which classes add up to one test: exact, complete, within bounds.

Over the classes of a confusion matrix, supports and predicted rows both sum to ``n`` and true
positives to the correct rows. A matrix with given marginals exists exactly when, besides, no class
has more wrong rows and wrong predictions together than there are wrong rows in all (a cut in the
transport of wrong rows whose diagonal is closed).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from leukreg.audit.marginals import Items, TooMany

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Marginals = tuple[tuple[int, int, int], ...]
"""Per class: support, true positives, predicted rows."""

MOST_PAIRS = 6_000_000
"""Two lists whose product is longer are not joined."""
MOST_DEAD = 2_000
"""Sums without a matrix that are passed over before the search goes through the hits one by one."""


def search(n: int, hits: tuple[int, int], classes: Sequence[Items]) -> Iterator[Marginals]:
    """All marginals of at least two classes, each once. Raises TooMany before the first one."""
    if any(len(items) == 0 for items in classes):
        return iter(())
    if len(classes) == 2:
        return _two(n, hits, classes[0], classes[1])
    order = sorted(range(len(classes)), key=lambda c: -len(classes[c]))
    ordered = [classes[c] for c in order]
    back = [order.index(c) for c in range(len(classes))]
    found = _many(n, hits, ordered, _suffixes(n, hits[1], ordered))
    return (tuple(one[c] for c in back) for one in found)


def has_matrix(n: int, marginals: Marginals) -> bool:
    """Whether a confusion matrix with these marginals exists."""
    wrong = n - sum(t for _, t, _ in marginals)
    return all(s - t + p - t <= wrong for s, t, p in marginals)


def _two(n: int, hits: tuple[int, int], first: Items, second: Items) -> Iterator[Marginals]:
    """Of two classes the second follows from the first."""
    import numpy as np

    table = _Table(n, merged(n, second))
    # The correct rows are n - s - p + 2 t, so the hits confine p as well.
    correct = n - first.s + 2 * first.t
    low = np.maximum(first.low, correct - hits[1])
    high = np.minimum(first.high, correct - hits[0])
    first = Items(first.s, first.t, low, high).where(low <= high)
    width = first.high - first.low + 1
    if int(width.sum()) > MOST_PAIRS:
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
    n: int, hits: tuple[int, int], classes: list[Items], suffixes: list[_Table]
) -> Iterator[Marginals]:
    dead = 0
    seen: set[Marginals] = set()
    for found in _relaxed(n, hits, classes, suffixes):
        if has_matrix(n, found):
            seen.add(found)
            yield found
        elif (dead := dead + 1) > MOST_DEAD:
            break
    else:
        return
    # With the hits fixed, the condition on wrong rows confines each class by itself.
    for hit in range(hits[0], hits[1] + 1):
        strict = [_at_most_wrong(n - hit, items) for items in classes]
        if all(len(items) for items in strict):
            tables = _suffixes(n, hit, strict)
            for found in _relaxed(n, (hit, hit), strict, tables):
                if found not in seen:
                    yield found


def _at_most_wrong(wrong: int, items: Items) -> Items:
    import numpy as np

    high = np.minimum(items.high, wrong + 2 * items.t - items.s)
    return Items(items.s, items.t, items.low, high).where(items.low <= high)


def _relaxed(
    n: int, hits: tuple[int, int], classes: list[Items], suffixes: list[_Table]
) -> Iterator[Marginals]:
    """Marginals whose sums are right, whether or not a matrix has them."""
    for hit in range(hits[0], hits[1] + 1):
        yield from _walk(0, (n, hit, n), classes, suffixes)


def _walk(
    c: int, rest: tuple[int, int, int], classes: list[Items], suffixes: list[_Table]
) -> Iterator[Marginals]:
    """Depth first; a branch is entered only when the classes after it can be completed."""
    s, t, p = rest
    items = classes[c]
    if c == len(classes) - 1:
        if suffixes[c].has(s, t, p):
            yield ((s, t, p),)
        return
    for i, low, high in suffixes[c + 1].completions(items, rest):
        here_s, here_t = int(items.s[i]), int(items.t[i])
        for here_p in range(low, high + 1):
            left = (s - here_s, t - here_t, p - here_p)
            for tail in _walk(c + 1, left, classes, suffixes):
                yield ((here_s, here_t, here_p), *tail)


def _suffixes(n: int, most_hits: int, classes: list[Items]) -> list[_Table]:
    """For each class but the first, every sum that it and the classes after it can have."""
    tables = [_Table(n, merged(n, classes[-1]))]
    for c in range(len(classes) - 2, 0, -1):
        before = classes[:c]
        summed = _joined(n, most_hits, classes[c], tables[0].items, before)
        tables.insert(0, _Table(n, summed))
    return [tables[0], *tables]


def _joined(n: int, hits: int, a: Items, b: Items, before: list[Items]) -> Items:
    """Sums of one of ``a`` and one of ``b`` that the classes before them leave room for."""
    import numpy as np

    if len(a) * len(b) > MOST_PAIRS:
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
        self, items: Items, rest: tuple[int, int, int]
    ) -> Iterator[tuple[int, int, int]]:
        """Items that leave ``rest`` to be completed here: index, range of predicted rows."""
        import numpy as np

        s, t, p = rest
        left_s, left_t = s - items.s, t - items.t
        key = np.where((left_s >= 0) & (left_t >= 0), left_s * (self.n + 1) + left_t, -1)
        first, last = (
            np.searchsorted(self.key, key, "left"),
            np.searchsorted(self.key, key, "right"),
        )
        for i in np.flatnonzero(last > first).tolist():
            for j in range(int(first[i]), int(last[i])):
                low = max(int(items.low[i]), p - int(self.items.high[j]))
                high = min(int(items.high[i]), p - int(self.items.low[j]))
                if low <= high:
                    yield i, low, high
