"""The figures of synthetic images, as a run keeps them in ``facts["fidelity"]``.

One table per class and fold (a list of them, or a mapping by name), all keys optional::

    class, fold                      what it is of
    extractor, size, real, fake      features, pixels a side and images that distances are of
    fid, kid, precision, recall, density, coverage
    compared_with                    extractor, size, real, fake of another distance set beside it
    copies                           fakes whose nearest training image is nearer than real ones are
    told_apart                       accuracy or AUC of telling real from fake, 0.5 is ideal
    fakes_only                       score, chance, low, high of training on fakes alone
    gain                             value, low, high of what the fakes add
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from leukreg import Evidence


def tables(evidence: Evidence) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each table with what it is of."""
    kept = evidence.facts.get("fidelity")
    if isinstance(kept, Mapping) and kept and all(isinstance(v, Mapping) for v in kept.values()):
        yield from ((str(name), table) for name, table in kept.items())
    elif isinstance(kept, Mapping) and kept:
        yield _name(kept), kept
    elif isinstance(kept, Sequence) and not isinstance(kept, str):
        yield from ((_name(table), table) for table in kept if isinstance(table, Mapping))


def number(table: Mapping[str, Any], key: str) -> float | None:
    """A figure, or None where it is absent or no number."""
    value = table.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    return float(value)


def _name(table: Mapping[str, Any]) -> str:
    fold = f" (fold {table['fold']})" if "fold" in table else ""
    return f"{table.get('class', 'synthetic images')}{fold}"
