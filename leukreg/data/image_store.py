"""The images of a run: every file read and hashed, every new content decoded once, into the cache.

Hashing each file each time is what makes the cache never stale: a file that was changed in place,
with its size and time kept, has another digest, and so another place in the cache.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from leukreg.data.cache_folder import alone
from leukreg.data.decode import (
    THUMB,
    CachedImage,
    Facts,
    cached_images,
    content_of,
    decoder_version,
    digest,
    guarded,
)
from leukreg.data.groups import Pairs
from leukreg.data.pixel_cache import Pack, PixelCache
from leukreg.data.raster import Unreadable
from leukreg.data.walk import instead
from leukreg.errors import DataError, Problem, Problems
from leukreg.paths import read_regular, require_regular
from leukreg.progress import SILENT, Progress
from leukreg.types import Box, BrokenImage, ImageSpec, Sample, Samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leukreg.registry.kinds import Images


MOST = 50
"""Unreadable files that are named one by one; more are counted."""
PACK_BYTES = 48 * 2**20
"""Pixels in one pack: what a kill can cost, and about what preparing holds in memory."""
MAPPED_BYTES = 128 * 2**20
"""Mapped pages are given back after so much was read, which keeps a process small."""


class _ImageReader:
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
    """Samples with their pixels; satisfies :class:`leukreg.registry.kinds.Images`.

    Nothing is held in memory but the table: pixels are copied from memory-mapped packs.
    """

    samples: Samples
    image: ImageSpec
    places: tuple[tuple[Pack, int], ...]
    """Where each row's pixels lie; copies share a place."""
    facts: Mapping[str, Facts]
    """By file id."""
    pairs: Pairs | None = None
    """See :attr:`near_duplicates`; None where nobody looked for them."""

    def __len__(self) -> int:
        return len(self.samples)

    @functools.cached_property
    def _reader(self) -> _ImageReader:
        return _ImageReader()

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
        """Colour, size and bytes by file id (see :attr:`leukreg.types.RunRecord.statistics`)."""
        return {name: fact.statistics for name, fact in self.facts.items()}

    def thumbs(self, rows: Sequence[int] | NDArray[np.int64]) -> NDArray[np.uint8]:
        """Grey thumbnails of these rows, shape ``(len(rows), 64, 64)``."""
        out = np.empty((len(rows), THUMB, THUMB), np.uint8)
        by_pack: dict[Pack, list[int]] = {}
        for index, row in enumerate(rows):
            by_pack.setdefault(self.places[row][0], []).append(index)
        for pack, indices in by_pack.items():
            out[indices] = pack.thumbs()[[self.places[rows[index]][1] for index in indices]]
            pack.release()
        return out

    @property
    def near_duplicates(self) -> Pairs:
        """Pairs of file ids whose pictures are nearly equal (equal pixels are not among them).

        They come from :func:`leukreg.data.near_duplicates.searched`. A split that was made without
        a search would part copies in silence, so that asking before one is an error of the caller.
        """
        if self.pairs is None:
            raise ValueError("nobody has looked for near duplicates among these images")
        return self.pairs

    def only(self, rows: Sequence[int]) -> ImageStore:
        """A store of these rows alone, numbered anew from 0 in this order."""
        chosen = tuple(self.samples.rows[row] for row in rows)
        facts = {row.id: self.facts[row.id] for row in chosen}
        pairs = self.pairs
        return replace(
            self,
            samples=replace(self.samples, rows=chosen),
            places=tuple(self.places[row] for row in rows),
            facts=facts,
            pairs=pairs and tuple(pair for pair in pairs if facts.keys() >= {*pair}),
        )

    def extended(self, rows: tuple[Sample, ...]) -> ImageStore:
        """The same store with ``rows`` appended (synthetic images, say); old row numbers hold.

        Near duplicates among the new rows are not looked for.

        Raises:
            Problems: A new file cannot be read.
        """
        more = open_images(Samples(rows=rows, classes=self.samples.classes), self.image)
        return replace(
            self,
            samples=self.samples.extended(more.samples.rows),
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


def open_images(
    samples: Samples,
    image: ImageSpec,
    broken: Literal["stop", "skip"] = "stop",
    progress: Progress = SILENT,
) -> ImageStore:
    """Decode and resize every image once, into the memory-mapped cache, and open them.

    Safe against kills (finished packs are kept, the rest is done again) and against other
    processes doing the same. Broken rows are left out with ``broken="skip"``; ``samples.broken``
    of the result names them. Fields of equal bytes are one field, whatever their names: their boxes
    all have the path of the first.

    Raises:
        Problems: Files that cannot be read, all of them, with ``broken="stop"`` or when none can.
        DataError: There are no samples, or the cache cannot be written.
    """
    cache = PixelCache(image.size, decoder_version())
    with ThreadPoolExecutor(threads()) as pool, guarded():
        files = _hash(samples, pool, progress)
        contents, faults = _contents(samples, files)
        cache.check(contents.values(), pool)
        faults |= _prepare(contents, cache, pool, progress)
    if cache.damaged:
        progress.say(
            f"{cache.damaged:,} damaged pack{'s' * (cache.damaged != 1)} of decoded pixels in "
            f"{cache.folder} removed; their images were decoded again"
        )
    readable = _readable(samples, faults, broken)
    places, facts = [], {}
    for row in readable.rows:
        place = cache.find(contents[row.path, row.box])
        if place is None:
            raise DataError(f"{row.path} left the cache while it was opened; run again")
        places.append(place)
        facts[row.id] = place[0].facts[place[1]]
    return ImageStore(_one_field_each(readable, files), image, tuple(places), facts)


Shown: TypeAlias = tuple[str, Box | None]
"""A file, and which part of it is an image."""


def _hash(samples: Samples, pool: Executor, progress: Progress) -> dict[str, str | OSError]:
    """The digest of every file's bytes, or why it cannot be read, by its path."""
    paths = dict.fromkeys(row.path for row in samples.rows)
    files: dict[str, str | OSError] = {}
    with progress.task("Reading files", len(paths)) as advance:
        for path, found in zip(paths, pool.map(_hash_file, paths), strict=True):
            advance()
            files[path] = found
    return files


def _contents(
    samples: Samples, files: Mapping[str, str | OSError]
) -> tuple[dict[Shown, str], dict[Shown, str]]:
    """The digest of every image, from its file's, and why others cannot be read."""
    boxes: dict[str, dict[Box | None, None]] = {}
    for row in samples.rows:
        boxes.setdefault(row.path, {})[row.box] = None
    contents, faults = {}, {}
    for path, own in boxes.items():
        found = files[path]
        for box in own:
            if isinstance(found, OSError):
                faults[path, box] = _cannot_open(found)
            else:
                contents[path, box] = content_of(found, box)
    return contents, faults


def _one_field_each(samples: Samples, files: Mapping[str, str | OSError]) -> Samples:
    """The samples with one path for all fields of the same bytes: a split keeps their cells
    together where patients are unknown, whichever of its names a cell was listed under."""
    first: dict[str | OSError, str] = {}
    copies: dict[str, str] = {}
    rows = []
    for row in samples.rows:
        path = row.path if row.box is None else first.setdefault(files[row.path], row.path)
        if path != row.path:
            copies.setdefault(row.path, row.id)
        rows.append(row if path == row.path else replace(row, path=path))
    if not copies:
        return samples
    example = next(iter(copies.values()))
    one = len(copies) == 1
    said = (
        f"{len(copies):,} {'field is a copy' if one else 'fields are copies'} of others, byte by "
        f"byte, and count{'s' * one} as one with them, such as that of {example}"
    )
    return replace(samples, rows=tuple(rows), assumed=(*samples.assumed, said))


def _hash_file(path: str) -> str | OSError:
    try:
        require_regular(Path(path))
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        return error


def _prepare(
    contents: dict[Shown, str], cache: PixelCache, pool: Executor, progress: Progress
) -> dict[Shown, str]:
    """Decode what the cache does not have, pack by pack; why others cannot be decoded."""
    where: dict[str, list[Shown]] = {}
    for shown, content in contents.items():
        where.setdefault(content, []).append(shown)
    missing = [content for content in where if cache.find(content) is None]
    faults: dict[Shown, str] = {}
    if not missing:
        return faults

    def decoded(todo: Sequence[str]) -> Iterator[CachedImage]:
        # The boxes of a field follow each other, and it is decoded once for all of them.
        files = [[*own] for _, own in itertools.groupby(todo, lambda one: where[one][0][0])]
        shown = [[where[content][0] for content in own] for own in files]
        found = pool.map(_decode_file, shown, files, itertools.repeat(cache.size))
        for content, result in zip(todo, itertools.chain.from_iterable(found), strict=True):
            advance()
            if isinstance(result, CachedImage):
                yield result
            else:
                faults.update(dict.fromkeys(where[content], result))

    with progress.task("Decoding images", len(missing)) as advance:
        size = max(16, PACK_BYTES // (3 * cache.size**2))
        for start in range(0, len(missing), size):
            batch = missing[start : start + size]
            with alone(cache.folder):
                cache.look()  # another run may have done it meanwhile
                cache.check(batch, pool)
                todo = [content for content in batch if cache.find(content) is None]
                advance(len(batch) - len(todo))
                cache.keep(decoded(todo))
    return faults


def _decode_file(
    shown: Sequence[Shown], contents: Sequence[str], size: int
) -> list[CachedImage | str]:
    """The images in a file, or the reason why there is none."""
    path, boxes = shown[0][0], [box for _, box in shown]
    try:
        data = read_regular(Path(path))
        file = digest(data)
        if [content_of(file, box) for box in boxes] != [*contents]:
            return ["changed while it was being read"] * len(boxes)
        found = cached_images(data, boxes, size)
        return [one if isinstance(one, CachedImage) else str(one) for one in found]
    except OSError as error:
        return [_cannot_open(error)] * len(boxes)
    except Unreadable as error:
        return [str(error)] * len(boxes)


def _readable(samples: Samples, faults: dict[Shown, str], broken: str) -> Samples:
    """The samples without those whose file cannot be read."""
    found = sorted({(path, reason) for (path, _), reason in faults.items()})
    new = tuple(BrokenImage(path=path, reason=reason) for path, reason in found)
    known = (*samples.broken, *new)
    rows = tuple(row for row in samples.rows if (row.path, row.box) not in faults)
    if known and (broken == "stop" or not rows):
        closing = "nothing was run. Mend or remove these files"
        closing += ', or set data.broken = "skip".' if rows else "; none is readable."
        problems = [Problem(bad.reason, bad.path) for bad in known]
        if rows and len(known) > MOST:
            problems[MOST:] = [Problem(f"and {len(known) - MOST:,} more such files")]
        raise Problems(problems, closing)
    if not rows:
        there = instead(samples.passed)
        raise DataError(f"there are no images to open{there}; look at the options of [data]")
    return replace(samples, rows=rows, broken=known)


def _cannot_open(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "the file does not exist"
    return f"cannot be opened: {error.strerror or error}"


def threads() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1
