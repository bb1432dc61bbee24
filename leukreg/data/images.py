"""Open the images of a run: every file is read and hashed, every new content decoded once.

Hashing each file each time is what makes the cache never stale: a file that was changed in place,
with its size and time kept, has another digest, and so another place in the cache.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Literal

from leukreg.data.cache import PixelCache, not_writable, pixel_cache
from leukreg.data.decode import Unreadable, decoder_version, guarded
from leukreg.data.pack import write_pack
from leukreg.data.picture import Picture, digest, picture
from leukreg.data.store import ImageStore
from leukreg.data.walk import instead
from leukreg.errors import DataError, Problem, Problems
from leukreg.paths import read_regular, require_regular
from leukreg.progress import SILENT, Advance, Progress
from leukreg.types import BrokenImage, ImageSpec, Samples

MOST = 50
"""Unreadable files that are named one by one; more are counted."""
PACK_BYTES = 48 * 2**20
"""Pixels in one pack: what a kill can cost, and about what preparing holds in memory."""


def open_images(
    samples: Samples,
    image: ImageSpec,
    broken: Literal["stop", "skip"] = "stop",
    progress: Progress = SILENT,
) -> ImageStore:
    """Decode and resize every image once, into the memory-mapped cache, and open them.

    Safe against kills (finished packs are kept, the rest is done again) and against other
    processes doing the same. Broken rows are left out with ``broken="skip"``; ``samples.broken``
    of the result names them.

    Raises:
        Problems: Files that cannot be read, all of them, with ``broken="stop"`` or when none can.
        DataError: There are no samples, or the cache cannot be written.
    """
    cache = pixel_cache(image.size, decoder_version())
    faults: dict[str, str] = {}
    with ThreadPoolExecutor(_threads()) as pool, guarded():
        contents = _hash(samples, pool, faults, progress)
        cache.check(contents.values(), pool)
        _prepare(contents, cache, pool, faults, progress)
    if cache.damaged:
        progress.say(
            f"{cache.damaged:,} damaged pack{'s' * (cache.damaged != 1)} of decoded pixels in "
            f"{cache.folder} removed; their images were decoded again"
        )
    listed = _judge(samples, faults, broken)
    places, facts = [], {}
    for row in listed.rows:
        place = cache.find(contents[row.path])
        if place is None:
            raise DataError(f"{row.path} left the cache while it was opened; run again")
        places.append(place)
        facts[row.id] = place[0].facts[place[1]]
    opener = functools.partial(open_images, broken="stop")
    return ImageStore(listed, image, tuple(places), facts, opener)


def _hash(
    samples: Samples, pool: ThreadPoolExecutor, faults: dict[str, str], progress: Progress
) -> dict[str, str]:
    """Digest of the bytes of every file, by path; unreadable ones go to ``faults``."""
    paths = list(dict.fromkeys(row.path for row in samples.rows))
    contents = {}
    with progress.task("Reading files", len(paths)) as advance:
        for path, (content, fault) in zip(paths, pool.map(_hash_file, paths), strict=True):
            advance()
            contents[path] = content
            if fault:
                faults[path] = fault
    return contents


def _hash_file(path: str) -> tuple[str, str]:
    try:
        require_regular(Path(path))
        with Path(path).open("rb") as file:
            state = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16))
    except OSError as error:
        return "", _cannot_open(error)
    return state.hexdigest(), ""


def _prepare(
    contents: dict[str, str],
    cache: PixelCache,
    pool: ThreadPoolExecutor,
    faults: dict[str, str],
    progress: Progress,
) -> None:
    """Decode what the cache does not have, pack by pack."""
    paths: dict[str, list[str]] = {}
    for path, content in contents.items():
        if path not in faults:
            paths.setdefault(content, []).append(path)
    missing = [content for content in paths if cache.find(content) is None]
    if not missing:
        return
    with progress.task("Decoding images", len(missing)) as advance:
        for batch in _batches(missing, max(16, PACK_BYTES // (3 * cache.size**2))):
            cache.look()  # another run may have done it meanwhile
            cache.check(batch, pool)
            todo = [content for content in batch if cache.find(content) is None]
            advance(len(batch) - len(todo))
            made = _decode_all(todo, paths, cache.size, pool, faults, advance)
            _keep(made, cache)


def _keep(pictures: Iterable[Picture], cache: PixelCache) -> None:
    try:
        pack = write_pack(cache.folder, pictures, cache.size)
    except OSError as error:
        raise DataError(not_writable(cache.folder, error)) from error
    if pack is not None:
        cache.add(pack)


def _decode_all(
    contents: Sequence[str],
    paths: dict[str, list[str]],
    size: int,
    pool: ThreadPoolExecutor,
    faults: dict[str, str],
    advance: Advance,
) -> Iterator[Picture]:
    jobs = [(paths[content][0], content, size) for content in contents]
    for content, result in zip(contents, pool.map(_decode_file, jobs), strict=True):
        advance()
        if isinstance(result, Picture):
            yield result
        else:
            faults.update(dict.fromkeys(paths[content], result))


def _decode_file(job: tuple[str, str, int]) -> Picture | str:
    """The picture, or the reason why there is none."""
    path, content, size = job
    try:
        data = read_regular(Path(path))
        if digest(data) != content:
            return "changed while it was being read"
        return picture(data, size)
    except OSError as error:
        return _cannot_open(error)
    except Unreadable as error:
        return str(error)


def _judge(samples: Samples, faults: dict[str, str], broken: str) -> Samples:
    new = tuple(BrokenImage(path=path, reason=reason) for path, reason in sorted(faults.items()))
    known = (*samples.broken, *new)
    rows = tuple(row for row in samples.rows if row.path not in faults)
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


def _batches(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _threads() -> int:
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1
