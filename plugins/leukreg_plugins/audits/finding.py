"""A rule's docstring is its documentation, and what its findings say.

Its first line is the listing, the paragraphs up to ``Do:`` say why it matters, ``Do:`` what to do
and ``Reference:`` where it comes from.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from leukreg import Finding, Fold, Predictions, RunRecord, Sample, Severity, positive_in

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def found(rule: object, severity: Severity, message: str) -> Finding:
    """A finding of ``rule`` with what its docstring says of it."""
    why, advice, reference = sections(inspect.getdoc(rule) or "")
    name = str(getattr(type(rule), "leukreg_name", type(rule).__name__))
    return Finding(
        rule=name,
        severity=severity,
        message=message,
        why=why,
        advice=advice,
        reference=reference,
    )


@functools.cache
def sections(doc: str) -> tuple[str, str, str]:
    """Why, advice and reference from a rule's docstring."""
    paragraphs = [" ".join(p.split()) for p in doc.split("\n\n")]
    parts = {"": list[str](), "Do:": list[str](), "Reference:": list[str]()}
    for paragraph in paragraphs[1:]:
        head = next((h for h in ("Do:", "Reference:") if paragraph.startswith(h)), "")
        parts[head].append(paragraph.removeprefix(head).strip())
    why, advice, reference = (" ".join(texts) for texts in parts.values())
    return why, advice, reference


def some(names: Iterable[str], most: int = 3) -> str:
    """A few names for a message: "a, b, c and 4 more"."""
    listed = list(names)
    head = ", ".join(listed[:most])
    return f"{head} and {len(listed) - most:,} more" if len(listed) > most else head


def brief(reason: str) -> str:
    """The first clause of a reason that was said in full elsewhere."""
    return re.split(r"; | \(|[.:] ", reason, maxsplit=1)[0].rstrip(".")


def plural(count: int, noun: str, nouns: str = "") -> str:
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def is_real(row: Sample) -> bool:
    """Not made by a generator (rendered cells stand in for real ones)."""
    return row.origin != "synthetic"


def rows_of(evidence: RunRecord) -> tuple[Sample, ...]:
    return evidence.samples.rows


def sides(fold: Fold) -> dict[str, frozenset[int]]:
    return {
        "training": frozenset(fold.train),
        "validation": frozenset(fold.validation),
        "test": frozenset(fold.test),
    }


def pictures(evidence: RunRecord) -> dict[str, int]:
    """File id to the number of its picture: equal pixels and near duplicates share one number."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    first: dict[str, str] = {}
    for row in rows_of(evidence):
        digest = evidence.pixels.get(row.id)
        if digest is not None:
            parent[root(row.id)] = root(first.setdefault(digest, row.id))
    for one, other in evidence.near_duplicates:
        parent[root(one)] = root(other)
    numbers: dict[str, int] = {}
    return {row.id: numbers.setdefault(root(row.id), len(numbers)) for row in rows_of(evidence)}


def pictures_of(evidence: RunRecord, predictions: Predictions) -> NDArray[np.int64]:
    """The number of the picture of each row, ``(n,)``: copies share one."""
    import numpy as np

    known = pictures(evidence)
    numbers: dict[object, int] = {}
    keys = (known.get(name, name) for name in predictions.id)
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


def folder_of(row: Sample) -> str:
    return str(PurePosixPath(row.id).parent)


def by_label(rows: Iterable[Sample]) -> dict[str, list[Sample]]:
    grouped: dict[str, list[Sample]] = defaultdict(list)
    for row in rows:
        grouped[row.label].append(row)
    return grouped


def option(table: Any, *keys: str) -> Any:
    """A value deep in a recipe's plain data, or None where a table on the way is absent."""
    for key in keys:
        if not isinstance(table, Mapping):
            return None
        table = table.get(key)
    return table


def positive_index(evidence: RunRecord, predictions: Predictions) -> int | None:
    """The positive class of a binary task: the recipe's, or the second."""
    found = positive_in(evidence.recipe, predictions.classes)
    return None if found is None else predictions.classes.index(found.name)
