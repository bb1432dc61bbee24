"""What rules share: findings, their words, and views of a run's rows.

A rule's docstring is its documentation, and what its findings say: its first line is the listing,
the paragraphs up to ``Do:`` say why it matters, ``Do:`` what to do and ``Reference:`` where it
comes from.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from leukreg import Finding, Predictions, RunRecord, Sample, Severity

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def found(rule: object, severity: Severity, message: str) -> Finding:
    """A finding of ``rule`` with what its docstring says of it."""
    parts = {"why": list[str](), "advice": list[str](), "reference": list[str]()}
    for paragraph in (inspect.getdoc(rule) or "").split("\n\n")[1:]:
        text = " ".join(paragraph.split())
        head = {"Do:": "advice", "Reference:": "reference"}.get(text.split(" ")[0], "why")
        parts[head].append(text.removeprefix("Do: ").removeprefix("Reference: "))
    name = str(getattr(type(rule), "leukreg_name", type(rule).__name__))
    said = {head: " ".join(texts) for head, texts in parts.items()}
    return Finding(rule=name, severity=severity, message=message, **said)


def error(rule: object, message: str) -> Finding:
    return found(rule, "error", message)


def warning(rule: object, message: str) -> Finding:
    return found(rule, "warning", message)


def note(rule: object, message: str) -> Finding:
    return found(rule, "note", message)


def some(names: Iterable[str], most: int = 3) -> str:
    """A few names for a message: "a, b, c and 4 more"."""
    listed = list(names)
    head = ", ".join(listed[:most])
    return f"{head} and {len(listed) - most:,} more" if len(listed) > most else head


def brief(reason: str) -> str:
    """The first clause of a reason that was said in full elsewhere."""
    return re.split(r"; | \(|[.:] ", reason, maxsplit=1)[0].rstrip(".")


def counted(count: int, noun: str, nouns: str = "") -> str:
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def is_real(row: Sample) -> bool:
    """Not made by a generator (rendered cells stand in for real ones)."""
    return row.origin != "synthetic"


def pictures(run: RunRecord) -> dict[str, int]:
    """File id to the number of its picture: equal pixels and near duplicates share one number."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    first: dict[str, str] = {}
    for row in run.samples.rows:
        if (digest := run.pixels.get(row.id)) is not None:
            parent[root(row.id)] = root(first.setdefault(digest, row.id))
    for one, other in run.near_duplicates:
        parent[root(one)] = root(other)
    numbers: dict[str, int] = {}
    return {row.id: numbers.setdefault(root(row.id), len(numbers)) for row in run.samples.rows}


def pictures_of(run: RunRecord, predictions: Predictions) -> NDArray[np.int64]:
    """The number of the picture of each row, ``(n,)``: copies share one."""
    import numpy as np

    known = pictures(run)
    numbers: dict[object, int] = {}
    keys = (known.get(name, name) for name in predictions.id)
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


def option(table: Any, *keys: str) -> Any:
    """A value deep in a recipe's plain data, or None where a table on the way is absent."""
    for key in keys:
        if not isinstance(table, Mapping):
            return None
        table = table.get(key)
    return table


def positive_index(run: RunRecord) -> int | None:
    """The positive class of a binary task: the recipe's, or the second."""
    found = run.positive
    return None if found is None else run.predictions.classes.index(found.name)


def rows_trained_on(run: RunRecord) -> int:
    """How many scored rows were training rows of the model that scored them."""
    trained = {fold.index: set(fold.train) for fold in run.folds}
    scored = zip(run.predictions.row.tolist(), run.predictions.fold.tolist(), strict=True)
    return sum(row in trained.get(fold, ()) for row, fold in scored)
