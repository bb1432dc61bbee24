"""The real images that the gate may look at: never a test row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from leukreg.contracts import Images
from leukreg.data.store import subset
from leukreg.types import Fold

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from leukreg.data.store import ImageStore

FEWEST = 20
"""Validation rows of a class below which its training rows help out."""
MOST = 1000
"""Real images of a class that are looked at."""


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """Real images of one class that synthetic ones are held against."""

    pixels: NDArray[np.uint8]
    """Shape ``(n, size, size, 3)``; ``n`` may be 0."""
    rows: str
    """Which they are: "validation rows", "validation and training rows", "training rows", ""."""


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Real images on both sides of a generator's fit."""

    fitted: Images
    """What the generator is fitted on, and all that it gets to see."""
    unseen: Images
    """Validation rows that are no test rows; may be empty."""
    digests: Mapping[str, str]
    """Of the pixels, by file id."""

    def held(self, label: str) -> Held:
        """Images that the generator was not fitted on; where they are few, training rows, too."""
        unseen, fitted = real_of(self.unseen, label), real_of(self.fitted, label)
        if unseen and not self._helped(label):
            return Held(self.unseen.pixels(spread(unseen, MOST)), "validation rows")
        if not unseen:
            name = "training rows" if fitted else ""
            return Held(self.fitted.pixels(spread(fitted, MOST)), name)
        more = self.fitted.pixels(spread(fitted, MOST))
        both = np.concatenate([self.unseen.pixels(unseen), more])
        return Held(both, "validation and training rows")

    def asked(self, label: str, most: int) -> NDArray[np.uint8]:
        """At most so many real images of a class that a pupil is asked about.

        Where training rows help out, every other one of them: the rest teach.
        """
        unseen, fitted = real_of(self.unseen, label), real_of(self.fitted, label)
        more = fitted[::2] if self._helped(label) else []
        parts = [self.unseen.pixels(spread(unseen, most)), self.fitted.pixels(more)]
        both = np.concatenate([part for part in parts if len(part)] or parts[:1])
        return both[spread(range(len(both)), most)]

    def taught(self, label: str, most: int, asked: bool = True) -> NDArray[np.uint8]:
        """At most so many real training images of a class that a pupil is not asked about.

        Args:
            asked: Whether a pupil is asked about the class at all; if not, all of them may teach.
        """
        fitted = real_of(self.fitted, label)
        rows = fitted[1::2] if asked and self._helped(label) else fitted
        return self.fitted.pixels(spread(rows, most))

    def _helped(self, label: str) -> bool:
        """Whether training rows of a class help out, since it has few validation rows."""
        few = len(real_of(self.unseen, label)) < FEWEST
        return few and bool(real_of(self.fitted, label))


def of_fold(images: ImageStore, fold: Fold) -> Reference:
    """The training rows of a fold, and its validation rows as far as they are not tested on."""
    tested = set(fold.test)
    unseen = [row for row in fold.validation if row not in tested]
    return Reference(subset(images, fold.train), subset(images, unseen), images.digests)


def of_everything(images: ImageStore) -> Reference:
    """All rows, before any split: none is unseen."""
    everything = range(len(images.samples))
    return Reference(subset(images, everything), subset(images, ()), images.digests)


def real_of(images: Images, label: str) -> list[int]:
    """Rows of a class that no generator made; a file that is listed twice counts once."""
    first: dict[str, int] = {}
    for number, row in enumerate(images.samples.rows):
        if row.label == label and row.origin != "synthetic":
            first.setdefault(row.id, number)
    return [*first.values()]


def spread(rows: Sequence[int], most: int) -> list[int]:
    """At most so many of the rows, evenly spread."""
    if len(rows) <= most:
        return list(rows)
    return [rows[int(place)] for place in np.linspace(0, len(rows) - 1, most)]
