"""The images of a run: its samples, with pixels read from the cache on demand."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from leukreg.data.pack import Pack
from leukreg.data.picture import THUMB, Facts
from leukreg.progress import SILENT, Progress
from leukreg.types import ImageSpec, Sample, Samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leukreg.contracts import Images

MAPPED_BYTES = 128 * 2**20
"""Mapped pages are given back after so much was read, which keeps a process small."""

Opener = Callable[[Samples, ImageSpec], "ImageStore"]


class _Reader:
    """Copies pixels out of packs, and keeps count of what the process holds mapped."""

    def __init__(self) -> None:
        self._read = 0
        self._touched: set[Pack] = set()

    def copy(self, places: Sequence[tuple[Pack, int]], out: NDArray[np.uint8]) -> None:
        for target, (pack, position) in zip(out, places, strict=True):
            target[...] = pack.pixels[position]
            self._touched.add(pack)
        self._read += out.nbytes
        if self._read > MAPPED_BYTES:
            touched, self._touched, self._read = self._touched, set(), 0
            for pack in touched:
                pack.release()


@dataclass(frozen=True, eq=False)
class ImageStore:
    """Samples with their pixels; satisfies :class:`leukreg.contracts.Images`.

    Nothing is held in memory but the table: pixels are copied from memory-mapped packs.
    """

    samples: Samples
    image: ImageSpec
    places: tuple[tuple[Pack, int], ...]
    """Where each row's pixels lie; copies share a place."""
    facts: Mapping[str, Facts]
    """By file id."""
    opener: Opener
    """Opens further samples the way these were opened."""

    def __len__(self) -> int:
        return len(self.samples)

    @functools.cached_property
    def _reader(self) -> _Reader:
        return _Reader()

    def pixels(self, rows: Sequence[int]) -> NDArray[np.uint8]:
        """A copy of the images of these rows, shape ``(len(rows), size, size, 3)``, RGB."""
        size = self.image.size
        out = np.empty((len(rows), size, size, 3), np.uint8)
        self._reader.copy([self.places[row] for row in rows], out)
        return out

    @functools.cached_property
    def digests(self) -> dict[str, str]:
        """Digest of the decoded pixels at native size, by file id."""
        return {name: fact.pixels for name, fact in self.facts.items()}

    @functools.cached_property
    def statistics(self) -> dict[str, tuple[float, ...]]:
        """Colour, size and bytes by file id (see :attr:`leukreg.types.Evidence.statistics`)."""
        return {name: fact.statistics for name, fact in self.facts.items()}

    def thumbs(self, rows: Sequence[int]) -> NDArray[np.uint8]:
        """Grey thumbnails of these rows, shape ``(len(rows), 64, 64)``."""
        out = np.empty((len(rows), THUMB, THUMB), np.uint8)
        by_pack: dict[Pack, list[int]] = {}
        for index, row in enumerate(rows):
            by_pack.setdefault(self.places[row][0], []).append(index)
        for pack, indices in by_pack.items():
            out[indices] = pack.thumbs()[[self.places[rows[index]][1] for index in indices]]
        return out

    def twins(self, progress: Progress = SILENT) -> tuple[tuple[str, str], ...]:
        """Pairs of file ids whose pictures are near copies; exact copies are not among them."""
        if "_twins" not in vars(self):
            from leukreg.data.twins import find_twins

            vars(self)["_twins"] = find_twins(self, progress)
        found: tuple[tuple[str, str], ...] = vars(self)["_twins"]
        return found

    def only(self, rows: Sequence[int]) -> ImageStore:
        """A store of these rows alone, numbered anew from 0 in this order."""
        chosen = tuple(self.samples.rows[row] for row in rows)
        facts = {row.id: self.facts[row.id] for row in chosen}
        left = replace(
            self,
            samples=replace(self.samples, rows=chosen),
            places=tuple(self.places[row] for row in rows),
            facts=facts,
        )
        pairs = vars(self).get("_twins")
        if pairs is not None:  # looked for already
            vars(left)["_twins"] = tuple(pair for pair in pairs if facts.keys() >= {*pair})
        return left

    def extended(self, rows: tuple[Sample, ...]) -> ImageStore:
        """The same store with ``rows`` appended (synthetic images, say); old row numbers hold.

        Raises:
            Problems: A new file cannot be read.
        """
        more = self.opener(Samples(rows=rows, classes=self.samples.classes), self.image)
        return replace(
            self,
            samples=replace(self.samples.extended(more.samples.rows)),
            places=self.places + more.places,
            facts={**self.facts, **more.facts},
        )


@dataclass(frozen=True, eq=False)
class Subset:
    """Some rows of a store, numbered anew from 0: all that a generator gets to see."""

    whole: Images
    rows: tuple[int, ...]
    samples: Samples

    def __len__(self) -> int:
        return len(self.rows)

    def pixels(self, rows: Sequence[int]) -> NDArray[np.uint8]:
        """A copy of the images of these rows of the subset."""
        return self.whole.pixels([self.rows[row] for row in rows])


def subset(images: Images, rows: Sequence[int]) -> Subset:
    """``images`` restricted to these row numbers, in this order."""
    chosen = tuple(images.samples.rows[row] for row in rows)
    return Subset(images, tuple(rows), replace(images.samples, rows=chosen, broken=()))
