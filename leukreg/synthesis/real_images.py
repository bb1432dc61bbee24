"""The real images that the gate may look at: never a test row."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from leukreg.data.groups import by_picture, joined
from leukreg.data.image_store import subset
from leukreg.registry.kinds import Images
from leukreg.types import Fold

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from leukreg.data.groups import Pairs
    from leukreg.data.image_store import ImageStore


FEWEST = 20
"""Validation rows of a class below which its training rows help out."""
MOST_REAL = 1000
"""Real images of a class that are looked at."""


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """Real images of one class that synthetic ones are held against."""

    pixels: NDArray[np.uint8]
    """Shape ``(n, size, size, 3)``; ``n`` may be 0."""
    rows: str
    """Which they are: "validation rows", "validation and training rows", "training rows", ""."""


@dataclass(frozen=True, eq=False)
class RealImages:
    """Real images on both sides of a generator's fit, one of each picture.

    Copies lie nearer to each other than any other image can: with them even ideal synthetic images
    have a high KID and a low precision. They would also stand in both halves of the real images,
    which floors come from, and among what a classifier is taught and asked about.
    """

    fitted: Images
    """What the generator is fitted on, and all that it gets to see."""
    unseen: Images
    """Validation rows that are no test rows; may be empty."""
    digests: Mapping[str, str]
    """Of the pixels, by file id."""
    near_duplicates: Pairs = ()
    """Pairs of file ids."""

    @classmethod
    def of(cls, images: ImageStore, fold: Fold | None) -> RealImages:
        """The training rows of a fold, and its validation rows as far as they are not tested on.

        Before any split (None) all rows are fitted on, and none is unseen.
        """
        if fold is None:
            fitted, unseen = subset(images, range(len(images.samples))), subset(images, ())
        else:
            tested = set(fold.test)
            rows = [row for row in fold.validation if row not in tested]
            fitted, unseen = subset(images, fold.train), subset(images, rows)
        return cls(fitted, unseen, images.digests, images.near_duplicates)

    @functools.cached_property
    def _pictures(self) -> dict[str, int]:
        """File id to the number of its picture."""
        rows = (*self.unseen.samples.rows, *self.fitted.samples.rows)
        numbers = joined(len(rows), by_picture(rows, self.digests, self.near_duplicates)).tolist()
        return dict(zip((row.id for row in rows), numbers, strict=True))

    def unseen_of(self, label: str) -> list[int]:
        """Real unseen rows of a class, one of each picture."""
        return [*self._first(self.unseen, label).values()]

    def fitted_of(self, label: str) -> list[int]:
        """Real fitted rows of a class, one of each picture that is not unseen, too."""
        unseen = self._first(self.unseen, label)
        fitted = self._first(self.fitted, label)
        return [row for picture, row in fitted.items() if picture not in unseen]

    def copies_of(self, label: str) -> int:
        """Real files of a class that are left out, where it is looked at, as copies of others."""
        sides = (self.unseen, self.fitted) if self._helped(label) else (self.unseen,)
        files = {side.samples.rows[row].id for side in sides for row in _real_of(side, label)}
        return len(files) - len({self._pictures[name] for name in files})

    def held(self, label: str) -> Held:
        """Images that the generator was not fitted on; where they are few, training rows, too."""
        unseen = self.unseen_of(label)
        fitted = self.fitted_of(label) if self._helped(label) else []
        names = [name for name, rows in (("validation", unseen), ("training", fitted)) if rows]
        sides = ((self.unseen, unseen), (self.fitted, fitted))
        pixels = [side.pixels(spread(rows, MOST_REAL)) for side, rows in sides]
        return Held(np.concatenate(pixels), f"{' and '.join(names)} rows" if names else "")

    def asked(self, label: str, most: int) -> NDArray[np.uint8]:
        """At most so many real images of a class that a classifier is asked about.

        Where training rows help out, every other one of them: the rest teach.
        """
        more = self.fitted_of(label)[::2] if self._helped(label) else []
        unseen = spread(self.unseen_of(label), most)
        both = np.concatenate([self.unseen.pixels(unseen), self.fitted.pixels(more)])
        return both[spread(range(len(both)), most)]

    def taught(self, label: str, most: int, asked: bool = True) -> NDArray[np.uint8]:
        """At most so many real training images of a class that a classifier is not asked about.

        Args:
            asked: Whether anybody is asked about the class at all; if not, all of them may teach.
        """
        fitted = self.fitted_of(label)
        rows = fitted[1::2] if asked and self._helped(label) else fitted
        return self.fitted.pixels(spread(rows, most))

    def _helped(self, label: str) -> bool:
        """Whether training rows of a class help out, since it has few validation pictures."""
        return len(self.unseen_of(label)) < FEWEST and bool(self.fitted_of(label))

    def _first(self, images: Images, label: str) -> dict[int, int]:
        """Of each picture among the real images of a class the first row."""
        rows = images.samples.rows
        first: dict[int, int] = {}
        for row in _real_of(images, label):
            first.setdefault(self._pictures[rows[row].id], row)
        return first


def _real_of(images: Images, label: str) -> list[int]:
    """Rows of a class that no generator made."""
    rows = enumerate(images.samples.rows)
    return [number for number, row in rows if row.label == label and row.origin != "synthetic"]


def spread(rows: Sequence[int], most: int) -> list[int]:
    """At most so many of the rows, evenly spread."""
    if len(rows) <= most:
        return list(rows)
    return [rows[int(place)] for place in np.linspace(0, len(rows) - 1, most)]
