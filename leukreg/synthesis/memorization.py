"""Fakes that copy a training image.

The rule. Every fake is laid beside the training images in each of the eight ways it can be turned
and flipped, since generators see flipped images: the nearest is searched among pictures of 8 pixels
a side, and its distance measured at 16. That distance is set against how near the found image is to
other training images: to the third nearest of them, also in any of eight ways, doubles left out. A
fake is a copy

- when it is at most .6 times as far from its nearest training image as that one is from the others
  (a recompressed, blurred, recoloured or noisy copy), or
- when it is at most half as far from its nearest training image in the features of the extractor as
  that one is from the others, and at most .8 times in pixels (a copy that was moved a little).

The limits were set on real cells (Acevedo et al., 2020). Of 3,400 cells that were not among 12,300
training images, three came to .47 and less in pixels, each the very cell photographed twice, and
all others to .68 and more; copies saved as JPEG of quality 30 came to .25 and less. Setting a
distance against its neighbour's own follows Lowe (IJCV 2004), and Meehan et al. (A three sample
hypothesis test for generative models, AISTATS 2020).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from leukreg.progress import SILENT, Progress
from leukreg.synthesis.extractor import averaged

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Ints = NDArray[np.int64]

NEAR = 0.6
"""In pixels, part of the distance to others at which a fake is a copy."""
NEAR_FEATURES = 0.5
"""The same in features, together with ``NOT_FAR`` in pixels."""
NOT_FAR = 0.8
OTHERS = 3
"""The neighbour that stands for how near training images are to each other."""
BLOCK = 500
"""Pictures that are laid beside all others at once."""
SIDE = 16
"""Pixels a side at which distances are measured."""
COARSE = 8
"""Pixels a side at which the nearest are searched, which is four times as fast."""
WAYS = 8
"""Four turns by 90 degrees, each flipped or not."""


@dataclass(frozen=True, slots=True)
class Memorized:
    """The nearest training image of every fake, and which fakes are copies."""

    copies: tuple[int, ...]
    """Fakes that are copies, by their position."""
    nearest: tuple[int, ...]
    """For every fake the position of its nearest training image (of the one it copies)."""
    closeness: tuple[float, ...]
    """For every fake its distance in pixels to the nearest over the latter's to others: 0 for an
    exact copy, about 1 for a new picture."""


def find_copies(
    training: NDArray[np.uint8],
    fake: NDArray[np.uint8],
    training_features: Floats,
    fake_features: Floats,
    progress: Progress = SILENT,
) -> Memorized:
    """Look for fakes that copy training images, by the rule above.

    Args:
        training: The images that the generator saw, shape ``(n, size, size, 3)``.
        fake: What it made, shape ``(m, size, size, 3)``.
        training_features: Shape ``(n, d)``.
        fake_features: Shape ``(m, d)``.
    """
    if not len(training) or not len(fake):
        return Memorized((), (), ())
    made, whole = SmallPictures.of(fake), SmallPictures.of(training)
    single = whole.first_of_doubles()
    known, features = whole.only(single), training_features[single].astype(np.float64)
    nearest, distance = np.zeros(len(fake), np.int64), np.zeros(len(fake), np.float32)
    with progress.task("Looking for copies", len(fake)) as advance:
        for start in range(0, len(fake), BLOCK):
            rows = np.arange(start, min(start + BLOCK, len(fake)))
            found, apart = made.only(rows).nearest(known)
            nearest[rows], distance[rows] = found[:, 0], apart[:, 0]
            advance(len(rows))
    ratio = _ratio(distance, _to_others(known, nearest))
    moved, other, other_ratio = _moved(made, known, fake_features.astype(np.float64), features)
    late = moved & (ratio > NEAR)
    nearest = np.where(late, other, nearest)
    return Memorized(
        copies=tuple(np.flatnonzero((ratio <= NEAR) | moved).tolist()),
        nearest=tuple(single[nearest].tolist()),
        closeness=tuple(np.where(late, other_ratio, ratio).tolist()),
    )


def _to_others(known: SmallPictures, rows: Ints) -> Floats:
    """Of these known pictures, the distance to the third nearest other one; 0 without others."""
    scale = np.zeros(len(known), np.float32)
    place = min(OTHERS, len(known) - 1)
    needed = np.unique(rows) if place else rows[:0]
    for start in range(0, len(needed), BLOCK):
        some = needed[start : start + BLOCK]
        scale[some] = known.only(some).nearest(known, place, itself=some)[1].max(1)
    return scale[rows]


def _moved(
    made: SmallPictures,
    known: SmallPictures,
    fake: NDArray[np.float64],
    features: NDArray[np.float64],
) -> tuple[NDArray[np.bool_], Ints, Floats]:
    """Which fakes are near in features and not far in pixels, of which known picture, how near."""
    from sklearn.neighbors import NearestNeighbors

    position, ratio = np.zeros(len(made), np.int64), np.ones(len(made), np.float32)
    if len(known) < 2:
        return position.astype(bool), position, ratio
    search = NearestNeighbors(algorithm="brute").fit(features)
    found = search.kneighbors(fake, 1)
    distance, position = found[0][:, 0], found[1][:, 0]
    others = search.kneighbors(n_neighbors=min(OTHERS, len(known) - 1))[0][:, -1]
    near = distance <= NEAR_FEATURES * others[position]
    apart = made.only(np.flatnonzero(near)).apart(known.only(position[near]))
    ratio[near] = _ratio(apart, _to_others(known, position[near]))
    return near & (ratio <= NOT_FAR), position, ratio


def _ratio(distance: Floats, scale: Floats) -> Floats:
    """Distance over scale; where the scale is 0 (a single picture), 0 for the same picture."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(distance == 0, 0, distance / scale)
    return found.astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class SmallPictures:
    """Images as small pictures."""

    fine: Floats
    """Shape ``(n, 16, 16, 3)``, 0 to 255."""
    coarse: Floats
    """Shape ``(n, 8, 8, 3)``."""

    @classmethod
    def of(cls, pixels: NDArray[np.uint8]) -> SmallPictures:
        """Images of shape ``(n, size, size, 3)``."""
        fine = averaged(pixels, SIDE)
        return cls(fine, averaged(fine, COARSE))

    def __len__(self) -> int:
        return len(self.fine)

    def only(self, rows: Ints) -> SmallPictures:
        return SmallPictures(self.fine[rows], self.coarse[rows])

    def first_of_doubles(self) -> Ints:
        """Positions of the pictures, each one that stands here again left out."""
        first: dict[bytes, int] = {}
        for place, picture in enumerate(self.fine):
            first.setdefault(picture.tobytes(), place)
        return np.array(list(first.values()), dtype=np.int64)

    def nearest(
        self, others: SmallPictures, count: int = 1, itself: Ints | None = None
    ) -> tuple[Ints, Floats]:
        """The nearest of the others in any of eight ways, and their distances.

        Args:
            count: How many, at most as many as there are others.
            itself: Where each picture stands among the others: it is not counted.

        Returns:
            Positions and distances (root of the mean squared difference, 0 to 255) of shape
            ``(n, count)``, in no order.
        """
        # What falls as the coarse distance in the best way rises, ``(n, m)``.
        flat = others.coarse.reshape(len(others), -1)
        likeness = np.full((len(self), len(others)), -np.inf, np.float32)
        for way in range(WAYS):
            across = turned(self.coarse, way).reshape(len(self), -1) @ flat.T
            np.maximum(likeness, across, out=likeness)
        likeness -= (flat**2).sum(1) / 2
        if itself is not None:
            likeness[np.arange(len(self)), itself] = -np.inf
        found = np.argpartition(likeness, -count, axis=1)[:, -count:]
        apart = [self.apart(others.only(found[:, k])) for k in range(count)]
        return found, np.stack(apart, axis=1)

    def apart(self, others: SmallPictures) -> Floats:
        """Distances pair by pair, in the best of eight ways, shape ``(n,)``."""
        ways = (turned(self.fine, way) - others.fine for way in range(WAYS))
        apart = [np.sqrt((way**2).mean((1, 2, 3), dtype=np.float32)) for way in ways]
        nearest: Floats = np.min(apart, axis=0)
        return nearest


def turned(small: Floats, way: int) -> Floats:
    """Pictures of shape ``(n, side, side, 3)`` laid down in one of eight ways (0: as they are)."""
    flipped = small[:, :, ::-1] if way >= 4 else small
    return np.ascontiguousarray(np.rot90(flipped, way % 4, axes=(1, 2)))
