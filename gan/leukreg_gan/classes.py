"""Classes of the task, by name and by index."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from leukreg import Images, Labels

if TYPE_CHECKING:
    from numpy.typing import NDArray


def class_indices(images: Images, labels: Labels) -> NDArray[np.int64]:
    """The class of each row, an index into the task's classes."""
    position = {name: index for index, name in enumerate(labels.names)}
    return np.array([position[row.label] for row in images.samples.rows], np.int64)


def count(of: NDArray[np.int64], labels: Labels) -> dict[str, int]:
    """Rows per class, every class listed; ``of`` are class indices."""
    found = np.bincount(of, minlength=len(labels)).tolist()
    return dict(zip(labels.names, found, strict=True))


def unknown_classes(named: Iterable[str], known: Sequence[str], what: str) -> list[str]:
    """One sentence for each named class that the task does not have."""
    found = []
    for name in named:
        if name in known:
            continue
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
        found.append(f"there is no class {name!r}, which is {what}; {hint}")
    return found
