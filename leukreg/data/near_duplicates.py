"""Near duplicates: the same picture shifted, compressed again, brightened or stained otherwise.

Every image proposes its nearest neighbours in a description that a shift hardly changes (the
magnitude of its spectrum); each proposal is then judged by laying one thumbnail over the other at
the best shift and correlating gradients, which neither light nor stain changes much. Of 17,075
single-cell images (Acevedo et al., 2020), centred and much alike, 28 pairs score .92 and more, and
show the same cells to the eye; the most alike of different cells reach .81. Of 240 planted copies,
shifted by up to 11 %, compressed and stained otherwise, all score .87 and more.

Mirrored, turned (by more than about 2 degrees) or rescaled copies are not found.

Up to ``MANY`` pictures every image's neighbours are exactly its nearest. Of more, they are the
nearest among those that share a leaf of some random projection trees (Dasgupta and Freund, 2008),
in time n log n: of 3,200 planted copies as above (whose descriptions correlate by .76 and more) a
share of .998 is proposed where the trees are nine levels deep, as with 130,000 pictures. Copies
that were changed at 28 pixels a side correlate by .2 to .7 only: among more than ``MANY`` pictures
few of these are found.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from scipy import fft
from threadpoolctl import threadpool_limits

from leukreg.data.decode import THUMB
from leukreg.data.image_store import threads
from leukreg.data.pair_cache import keep_pairs, known_pairs
from leukreg.progress import SILENT, Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leukreg.data.image_store import ImageStore


ALIKE = 0.84
"""Gradient correlation from which two thumbnails show one picture."""
PROMISING = 0.65
"""Correlation at half resolution below which a proposal is not looked at closely; copies have .74
and more."""
REACH = 10
"""Largest shift considered, in thumbnail pixels (16 % of the side)."""
NEIGHBOURS = 5
"""Proposals per image; up to ``MOST`` where the description is nearly the same."""
MOST = 16
SAME_DESCRIPTION = 0.8
BLOCK = 512
MANY = 20_000
"""Up to so many pictures all are compared with all."""
SIMILAR = 0.6
"""Correlation of descriptions below which more than ``MANY`` pictures propose no pair."""
TREES = 40
LEAF = 256
"""Pictures in a leaf of a tree, at most; all of a leaf are compared."""
RANKED = 32
"""Rows whose neighbours are ranked at once: their places take twice what the correlations take."""


class Thumbs(Protocol):
    """Grey thumbnails of shape ``(n, 64, 64)``: an array, or what reads them when asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, at: Any, /) -> NDArray[np.uint8]: ...


@dataclass(frozen=True, slots=True, eq=False)
class ReadThumbs:
    """Thumbnails that are read by their row whenever they are asked for, and not held."""

    read: Callable[[NDArray[np.int64]], NDArray[np.uint8]]
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, at: Any, /) -> NDArray[np.uint8]:
        rows = self.rows[at]
        found = self.read(np.atleast_1d(rows))
        return found if np.ndim(rows) else found[0]


def searched(images: ImageStore, progress: Progress = SILENT) -> ImageStore:
    """The images, with their near duplicates found (see :attr:`ImageStore.near_duplicates`)."""
    return replace(images, pairs=find_near_duplicates(images, progress))


def find_near_duplicates(
    images: ImageStore, progress: Progress = SILENT
) -> tuple[tuple[str, str], ...]:
    """Pairs of file ids that are near duplicates, sorted; exact copies (equal pixels) left out.

    Where a file with a near duplicate has exact copies too, every combination is a pair.
    """
    ids: dict[str, dict[str, None]] = {}
    rows: dict[str, int] = {}
    for row, sample in enumerate(images.samples.rows):
        pixels = images.facts[sample.id].pixels
        rows.setdefault(pixels, row)
        ids.setdefault(pixels, {})[sample.id] = None
    distinct = list(rows)
    known = known_pairs(distinct)
    if known is None:
        own = np.array([rows[pixels] for pixels in distinct], dtype=np.int64)
        pairs = near_duplicate_pairs(ReadThumbs(images.thumbs, own), progress)
        keep_pairs(distinct, pairs)
    else:
        pairs = [(a, b) for a, b in known.tolist()]
    return tuple(
        sorted(
            (min(one, other), max(one, other))
            for a, b in pairs
            for one, other in itertools.product(ids[distinct[a]], ids[distinct[b]])
        )
    )


def assumed_of_search(pictures: int) -> tuple[str, ...]:
    """What is to be said where not all of so many different pictures are compared with all."""
    if pictures <= MANY:
        return ()
    trees = f"only those that {TREES} random trees put together are compared"
    return (f"near duplicates among {pictures:,} pictures: {trees} (up to {MANY:,} all are)",)


def near_duplicate_pairs(thumbs: Thumbs, progress: Progress = SILENT) -> list[tuple[int, int]]:
    """Index pairs of near duplicates among grey thumbnails of shape ``(n, 64, 64)``."""
    total = len(thumbs)
    if total < 2:
        return []
    described = _describe(thumbs)
    if total > MANY:
        progress.say(f"{total:,} pictures: too many to compare each with all, trees propose pairs")
        pairs = _in_forest(described, progress)
        total = len(pairs)
        proposed: Iterable[NDArray[np.int64]] = (pairs[part] for part in _chunks(total))
    else:
        proposed = (_proposals(described, start) for start in range(0, total, BLOCK))
    found = _alike(thumbs, proposed, total, progress)
    return sorted({(a, b) for a, b, _ in found})


def near_duplicates_between(
    new: Thumbs, known: Thumbs, progress: Progress = SILENT
) -> list[tuple[int, int, float]]:
    """Near duplicates of new pictures among known ones: index of each and their likeness.

    Args:
        new: Grey thumbnails, shape ``(n, 64, 64)``.
        known: The same of the pictures that are searched, shape ``(m, 64, 64)``.
        progress: Told of new pictures that are done.
    """
    if not len(new) or not len(known):
        return []
    first = len(known)

    def either(rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        out = np.empty((len(rows), THUMB, THUMB), np.uint8)
        old = rows < first
        if old.any():
            out[old] = known[rows[old]]
        if not old.all():
            out[~old] = new[rows[~old] - first]
        return out

    thumbs = ReadThumbs(either, np.arange(first + len(new)))
    described, most = _describe(thumbs), min(NEIGHBOURS, first)

    def nearest(start: int) -> NDArray[np.int64]:
        rows = np.arange(first + start, first + min(start + BLOCK, len(new)))
        others = _highest(described[rows] @ described[:first].T, most)
        return np.stack([np.repeat(rows, most), others.ravel()], axis=1)

    found = _alike(thumbs, map(nearest, range(0, len(new), BLOCK)), len(new), progress)
    return [(row - first, other, score) for row, other, score in found]


def _alike(
    thumbs: Thumbs,
    proposed: Iterable[NDArray[np.int64]],
    total: int,
    progress: Progress,
) -> list[tuple[int, int, float]]:
    """Of the pairs that each block proposes those that show one picture, and their likeness."""
    found: list[tuple[int, int, float]] = []
    with progress.task("Looking for near duplicates", total) as advance:
        for start, pairs in zip(range(0, total, BLOCK), proposed, strict=True):
            scores = likeness(thumbs, pairs)
            chosen = zip(pairs.tolist(), scores.tolist(), strict=True)
            found += [(a, b, score) for (a, b), score in chosen if score >= ALIKE]
            advance(min(BLOCK, total - start))
    return found


def likeness(thumbs: Thumbs, pairs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Gradient correlation (-1 to 1) at the best shift, for index pairs of shape ``(m, 2)``.

    Pairs that are not promising at half resolution get that coarser figure; images without any
    structure score 0.
    """
    scores = np.zeros(len(pairs))
    for part in _chunks(len(pairs)):
        scores[part] = _coarse(thumbs, pairs[part])
    for index in np.flatnonzero(scores >= PROMISING):
        a, b = pairs[index]
        scores[index] = _overlaid(thumbs[a], thumbs[b])
    return scores


def _describe(thumbs: Thumbs) -> NDArray[np.float32]:
    """Unit vectors ``(n, d)``: log magnitudes of mid frequencies, standardised over the images."""
    window = np.hanning(34)[1:-1].astype(np.float32)
    across, along = np.arange(17), np.abs(fft.fftfreq(32, 1 / 32))[:, None]
    radius = np.hypot(across, along)
    # Below lie light and stain, which differ between copies; above, noise and compression.
    band = (radius > 1.5) & (radius < 11)
    out = np.empty((len(thumbs), int(band.sum())), np.float32)
    for part in _chunks(len(thumbs)):
        small = _halved(thumbs[part])
        small -= small.mean((1, 2), keepdims=True)
        magnitude = np.abs(fft.rfft2(small * np.outer(window, window), axes=(1, 2)))[:, band]
        out[part] = np.log(magnitude + 1 + 0.1 * magnitude.mean(1, keepdims=True))
    out -= out.mean(0)
    out /= np.maximum(out.std(0), 1e-6)
    out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-6)
    return out


def _proposals(described: NDArray[np.float32], start: int) -> NDArray[np.int64]:
    """Pairs ``(m, 2)`` of the images of one block with their nearest neighbours, each once."""
    block = described[start : start + BLOCK]
    alike = block @ described.T
    own = np.arange(len(block))
    alike[own, start + own] = -2  # below any correlation: not its own neighbour
    most = min(MOST, len(described) - 1)
    nearest = _highest(alike, most)
    values = np.take_along_axis(alike, nearest, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    keep = (np.arange(most) < NEIGHBOURS) | (
        np.take_along_axis(values, order, axis=1) > SAME_DESCRIPTION
    )
    first = np.repeat(start + own, keep.sum(1))
    second = np.take_along_axis(nearest, order, axis=1)[keep]
    pairs = np.stack([np.minimum(first, second), np.maximum(first, second)], axis=1)
    unique: NDArray[np.int64] = np.unique(pairs, axis=0).astype(np.int64)
    return unique


def _highest(alike: NDArray[np.float32], most: int) -> NDArray[np.int64]:
    """The places of the highest of each row, in no order, ``(len(alike), most)``."""
    parts = (alike[start : start + RANKED] for start in range(0, len(alike), RANKED))
    return np.concatenate([np.argpartition(part, -most, axis=1)[:, -most:] for part in parts])


def _in_forest(described: NDArray[np.float32], progress: Progress) -> NDArray[np.int64]:
    """Pairs ``(m, 2)`` of images with their nearest neighbours in leaves of trees, each once."""
    n = len(described)
    rng = np.random.default_rng(0)
    edges, alike = np.empty(0, np.int64), np.empty(0, np.float32)
    task = progress.task("Comparing descriptions of pictures", TREES)
    # Products of small matrices: threads of leukreg's own serve them better than those of BLAS.
    with task as advance, threadpool_limits(1, "blas"), ThreadPoolExecutor(threads()) as pool:
        for _ in range(TREES):
            leaves = _leaves(described, rng)
            found = [*pool.map(_neighbours, itertools.repeat(described), leaves)]
            edges = np.concatenate([edges, *(edge for edge, _ in found)])
            alike = np.concatenate([alike, *(values for _, values in found)])
            edges, alike = _nearest(edges, alike, n)
            advance()
    first, second = edges // n, edges % n
    each = np.unique(np.minimum(first, second) * n + np.maximum(first, second))
    return np.stack([each // n, each % n], axis=1)


def _leaves(described: NDArray[np.float32], rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """The images, halved by their projection on random lines until few are together."""
    levels = max(0, math.ceil(math.log2(len(described) / LEAF)))
    along = described @ rng.standard_normal((described.shape[1], levels), np.float32)
    leaves = [np.arange(len(described))]
    for level in range(levels):
        ordered = (leaf[np.argsort(along[leaf, level], kind="stable")] for leaf in leaves)
        leaves = [half for leaf in ordered for half in np.array_split(leaf, 2)]
    return leaves


def _neighbours(
    described: NDArray[np.float32], leaf: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Pairs of similar images of a leaf as ``first * n + second``, and how similar they are."""
    own = described[leaf]
    alike = own @ own.T
    np.fill_diagonal(alike, -2)  # below any correlation: not its own neighbour
    similar = alike > SIMILAR
    if len(crowded := np.flatnonzero(np.count_nonzero(similar, axis=1) > MOST)):
        least = np.partition(alike[crowded], -MOST, axis=1)[:, -MOST, None]
        similar[crowded] &= alike[crowded] >= least
    first, second = np.nonzero(similar)
    return leaf[first] * len(described) + leaf[second], alike[first, second]


def _nearest(
    edges: NDArray[np.int64], alike: NDArray[np.float32], n: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """What :func:`_proposals` would keep of the proposals of each image."""
    edges, index = np.unique(edges, return_index=True)
    alike = alike[index]
    order = np.lexsort((-alike, edges // n))
    edges, alike = edges[order], alike[order]
    first = edges // n
    rank = np.arange(len(edges)) - np.searchsorted(first, first)
    keep = (rank < NEIGHBOURS) | ((rank < MOST) & (alike > SAME_DESCRIPTION))
    return edges[keep], alike[keep]


def _coarse(thumbs: Thumbs, pairs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Peak of the circular cross-correlation of gradients at half resolution, within reach."""
    members, inverse = np.unique(pairs, return_inverse=True)
    gradient = _gradient(_halved(thumbs[members]))
    norm = np.sqrt((np.abs(gradient) ** 2).sum((1, 2)))
    spectrum = fft.fft2(gradient, axes=(1, 2))
    first, second = inverse.reshape(-1, 2).T
    cross = fft.ifft2(spectrum[first] * spectrum[second].conj(), axes=(1, 2)).real
    # A shift to the left stands at the end: the correlation is circular.
    reach = np.r_[0 : REACH // 2 + 1, -(REACH // 2) : 0]
    peak = cross[:, reach][:, :, reach].max((1, 2))
    scale = norm[first] * norm[second]
    return np.where(scale > 0, peak / np.maximum(scale, 1e-6), 0.0).astype(np.float64)


def _overlaid(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Correlation of the gradients where the two overlap, at the best shift within reach."""
    a, b = _gradient(_smooth(np.stack([one, other]).astype(np.float32)))
    cross = fft.ifft2(fft.fft2(a) * fft.fft2(b).conj()).real
    reach = np.r_[0 : REACH + 1, -REACH:0]
    within = cross[np.ix_(reach, reach)]
    down, right = (int(reach[i]) for i in np.unravel_index(within.argmax(), within.shape))
    a = a[_cut(down), _cut(right)]
    b = b[_cut(-down), _cut(-right)]
    scale = float(np.sqrt((np.abs(a) ** 2).sum() * (np.abs(b) ** 2).sum()))
    return float((a * b.conj()).real.sum() / scale) if scale > 0 else 0.0


def _cut(shift: int) -> slice:
    return slice(max(0, shift), THUMB + min(0, shift))


def _gradient(images: NDArray[np.float32]) -> NDArray[np.complex64]:
    """Central differences, across as the real and down as the imaginary part; 0 at the edges."""
    out = np.zeros(images.shape, np.complex64)
    out.real[:, :, 1:-1] = images[:, :, 2:] - images[:, :, :-2]
    out.imag[:, 1:-1] = images[:, 2:] - images[:, :-2]
    return out


def _smooth(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of 2x2 pixels at full resolution, so that a shift by half a pixel matters less."""
    rows = images + np.roll(images, 1, axis=1)
    smooth: NDArray[np.float32] = (rows + np.roll(rows, 1, axis=2)) * np.float32(0.25)
    smooth[:, 0], smooth[:, :, 0] = smooth[:, 1], smooth[:, :, 1]
    return smooth


def _halved(thumbs: NDArray[np.uint8]) -> NDArray[np.float32]:
    wide = thumbs.astype(np.float32)
    rows = wide[:, ::2] + wide[:, 1::2]
    pooled: NDArray[np.float32] = (rows[:, :, ::2] + rows[:, :, 1::2]) * np.float32(0.25)
    return pooled


def _chunks(n: int) -> Iterator[slice]:
    return (slice(start, start + BLOCK) for start in range(0, n, BLOCK))
