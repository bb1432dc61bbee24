"""Fakes that copy a training image.

The rule. Every fake is laid beside the training images as small pictures of 16 pixels a side, in
each of the eight ways it can be turned and flipped, since generators see flipped images. The
distance to its nearest training image is set against how near that image is to the others: to its
third nearest other training image, also in any of eight ways, exact doubles left out. A fake is a
copy

- when it is at most .6 times as far from its nearest training image as that one is from the others
  (a recompressed, blurred, recoloured or noisy copy), or
- when it is at most half as far from its nearest training image in the features of the extractor as
  that one is from the others, and no farther than these in pixels either (a copy that was moved).

The limits were set on real cells (Acevedo et al., 2020), where cells that were not among the
training images came to .64 and more, and copies saved as JPEG of quality 30 to .25 and less.
Setting a distance against its neighbour's own follows Lowe (IJCV 2004), and Meehan et al. (A three
sample hypothesis test for generative models, AISTATS 2020).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from leukreg.progress import SILENT, Advance, Progress
from leukreg.synthesis.turned import SIDE, WAYS, small, turned

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Ints = NDArray[np.int64]

NEAR = 0.6
"""In pixels, part of the distance to others at which a fake is a copy."""
NEAR_FEATURES = 0.5
"""The same in features."""
OTHERS = 3
"""The neighbour that stands for how near training images are to each other."""
BLOCK = 500
"""Fakes that are laid beside all training images at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Copies:
    """The nearest training image of every fake, and which fakes are copies."""

    positions: tuple[int, ...]
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
) -> Copies:
    """Look for fakes that copy training images, by the rule above.

    Args:
        training: The images that the generator saw, shape ``(n, size, size, 3)``.
        fake: What it made, shape ``(m, size, size, 3)``.
        training_features: Shape ``(n, d)``.
        fake_features: Shape ``(m, d)``.
    """
    if not len(training) or not len(fake):
        return Copies((), (), ())
    single = _without_doubles(training)
    known, features = small(training[single]), training_features[single].astype(np.float64)
    made = small(fake)
    with progress.task("Looking for copies", len(fake)) as advance:
        nearest, distance = _nearest(made, known, advance)
    scale = _to_others(known, np.unique(nearest))
    ratio = _ratio(distance, scale[nearest])
    moved, other, other_ratio = _moved(made, known, fake_features.astype(np.float64), features)
    copied = ratio <= NEAR
    late = moved & ~copied
    nearest = np.where(late, other, nearest)
    ratio = np.where(late, other_ratio, ratio)
    return Copies(
        positions=tuple(np.flatnonzero(copied | moved).tolist()),
        nearest=tuple(single[nearest].tolist()),
        closeness=tuple(ratio.tolist()),
    )


def _without_doubles(pixels: NDArray[np.uint8]) -> Ints:
    """Positions of the images, exact doubles left out."""
    from leukreg.synthesis.features import image_digests

    keys = [digest.tobytes() for digest in image_digests(pixels)]
    first = {key: place for place, key in reversed(list(enumerate(keys)))}
    return np.array(sorted(first.values()), dtype=np.int64)


def _nearest(made: Floats, known: Floats, advance: Advance) -> tuple[Ints, Floats]:
    """Position and distance of each picture's nearest known one, in any of eight ways."""
    position, distance = np.zeros(len(made), np.int64), np.zeros(len(made), np.float32)
    for start in range(0, len(made), BLOCK):
        rows = slice(start, start + BLOCK)
        position[rows] = _distances(made[rows], known).argmin(1)
        distance[rows] = _apart(made[rows], known[position[rows]])
        advance(len(made[rows]))
    return position, distance


def _to_others(known: Floats, rows: Ints) -> Floats:
    """For these known pictures, the distance to the third nearest other one; 0 for the rest."""
    scale = np.zeros(len(known), np.float32)
    if len(known) < 2:
        return scale
    place = min(OTHERS, len(known) - 1) - 1
    for start in range(0, len(rows), BLOCK):
        some = rows[start : start + BLOCK]
        distances = _distances(known[some], known)
        distances[np.arange(len(some)), some] = np.inf
        scale[some] = np.sqrt(np.partition(distances, place, axis=1)[:, place])
    return scale


def _moved(
    made: Floats, known: Floats, fake: NDArray[np.float64], features: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], Ints, Floats]:
    """Which fakes are near in features and not far in pixels, of which known picture, how near."""
    from sklearn.neighbors import NearestNeighbors

    if len(known) < 2:
        nothing = np.zeros(len(made), np.int64)
        return nothing.astype(bool), nothing, np.ones(len(made), np.float32)
    search = NearestNeighbors(algorithm="brute").fit(features)
    found = search.kneighbors(fake, 1)
    distance, position = found[0][:, 0], found[1][:, 0]
    others = search.kneighbors(n_neighbors=min(OTHERS, len(known) - 1))[0][:, -1]
    near = distance <= NEAR_FEATURES * others[position]
    rows = np.unique(position[near])
    ratio = np.ones(len(made), np.float32)
    scale = _to_others(known, rows)
    apart = _apart(made[near], known[position[near]])
    ratio[near] = _ratio(apart, scale[position[near]])
    return near & (ratio <= 1), position, ratio


def _distances(made: Floats, known: Floats) -> Floats:
    """Mean squared differences in the best of eight ways, shape ``(m, n)``, 0 to 255 squared."""
    flat = known.reshape(len(known), -1)
    best: Floats | None = None
    for way in range(WAYS):
        across = turned(made, way).reshape(len(made), -1) @ flat.T
        best = across if best is None else np.maximum(best, across)
    assert best is not None
    own, other = (made**2).sum((1, 2, 3))[:, None], (flat**2).sum(1)[None]
    squares: Floats = np.maximum(own + other - 2 * best, 0) / (3 * SIDE**2)
    return squares


def _apart(made: Floats, known: Floats) -> Floats:
    """The same pair by pair, exactly, and its root: levels of 0 to 255, shape ``(m,)``."""
    ways = [((turned(made, way) - known) ** 2).mean((1, 2, 3)) for way in range(WAYS)]
    nearest: Floats = np.sqrt(np.min(ways, axis=0))
    return nearest


def _ratio(distance: Floats, scale: Floats) -> Floats:
    """Distance over scale; where the scale is 0 (a single picture), 0 for the same picture."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(distance == 0, 0, distance / scale)
    return found.astype(np.float32)
