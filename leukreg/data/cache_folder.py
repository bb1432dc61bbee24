"""Where leukreg keeps what it can make again: list it, clear it.

Every area of the cache carries a ``CACHEDIR.TAG`` (bford.info/cachedir), and only tagged folders
are ever cleared, so a mistaken ``LEUKREG_CACHE`` costs nobody their files.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from leukreg.data.pixel_cache import TEMPORARY, Pack, is_left_behind
from leukreg.errors import DataError
from leukreg.paths import cache_root as cache_root

TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# Made by leukreg; safe to delete.\n"
COSTLY = "# It took hours to make.\n"
"""Second line in the tag of an area that is cleared only where that is asked for."""
STALE_SECONDS = 24 * 3600
"""Half-written packs older than this belong to a process that was killed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One part of the cache, such as the pixels of one size."""

    area: str
    name: str
    path: Path
    files: int
    bytes: int
    changed: float
    """Seconds since the epoch."""
    costly: bool = False
    """Whether it took hours to make."""


def cache_area(name: str, costly: bool = False) -> Path:
    """The folder ``name`` of the cache, made and tagged.

    Args:
        costly: What lies there takes hours to make: it is cleared only where that is asked for.

    Raises:
        DataError: It cannot be written.
    """
    area = cache_root() / name
    text = TAG + COSTLY * costly
    try:
        area.mkdir(parents=True, exist_ok=True)
        tag = area / "CACHEDIR.TAG"
        if not tag.exists() or (costly and not _costly(area)):
            tag.write_text(text, encoding="ascii")
    except OSError as error:
        raise DataError(not_writable(area, error)) from error
    return area


def not_writable(area: Path, error: OSError) -> str:
    """What to tell a reader whose cache cannot be written."""
    return (
        f"the cache {area} cannot be written: {error.strerror or error}; make room "
        "(`leukreg cache clear`) or point LEUKREG_CACHE at another folder"
    )


def entries() -> tuple[Entry, ...]:
    """Everything in the cache, largest first."""
    found = [
        _measure(area.name, part) for area in _areas() for part in area.iterdir() if part.is_dir()
    ]
    return tuple(sorted(found, key=lambda entry: (-entry.bytes, entry.area, entry.name)))


def named(name: str) -> tuple[Entry, ...]:
    """The entries whose name begins with ``name``; an empty one names nothing."""
    return tuple(entry for entry in entries() if name and entry.name.startswith(name))


def clear(name: str | None = None, costly: bool = False) -> tuple[Entry, ...]:
    """Delete the cache, or the entries that are :func:`named`; return what is gone.

    What took hours to make is kept unless it is named, or ``costly`` says that it goes too. A
    running process keeps reading what it has opened (on systems where files outlive their name).
    """
    if name is None:
        chosen = tuple(entry for entry in entries() if costly or not entry.costly)
    else:
        chosen = named(name)
    for entry in chosen:
        # Gone at once for those who look: a half-deleted entry would read as a damaged one.
        going = entry.path.with_name(f"{TEMPORARY}{entry.name}-{os.getpid()}")
        with suppress(OSError):
            shutil.rmtree(entry.path.rename(going), ignore_errors=True)
    return tuple(entry for entry in chosen if not entry.path.exists())


class PixelCache:
    """The packs of one size and one decoder."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        self.size = size
        self._packs: dict[str, Pack] = {}
        self._places: dict[str, tuple[Pack, int]] = {}
        self.damaged = 0
        """Packs that were not as they were written, and are gone."""
        self.look()

    def look(self) -> None:
        """Take in packs that have appeared since, also those of other processes."""
        for path in sorted(self.folder.glob("pack-*")):
            if path.name not in self._packs:
                pack = Pack.open(path, self.size)
                if pack is not None:
                    self.add(pack)
                else:
                    self._remove(path)

    def check(self, contents: Iterable[str], pool: Executor) -> None:
        """Hold the packs in which these lie against their checksums, and drop damaged ones."""
        packs = list(dict.fromkeys(self._places[c][0] for c in contents if c in self._places))
        for pack, sound in zip(packs, pool.map(Pack.is_sound, packs), strict=True):
            if not sound:
                self._drop(pack)

    def _drop(self, pack: Pack) -> None:
        self._remove(pack.folder)
        others = [one for one in self._packs.values() if one is not pack]
        self._packs, self._places = {}, {}
        for one in others:
            self.add(one)

    def _remove(self, folder: Path) -> None:
        self.damaged += folder.is_dir()  # and not cleared meanwhile
        shutil.rmtree(folder, ignore_errors=True)

    def add(self, pack: Pack) -> None:
        self._packs[pack.folder.name] = pack
        for position, fact in enumerate(pack.facts):
            self._places.setdefault(fact.content, (pack, position))

    def find(self, content: str) -> tuple[Pack, int] | None:
        """The pack and the position in it where this content lies."""
        return self._places.get(content)


def pixel_cache(size: int, decoder: str) -> PixelCache:
    """The pixel cache for square images of ``size``, leftovers of killed processes removed."""
    folder = cache_area("pixels") / f"{size}px-{decoder}"
    try:
        folder.mkdir(exist_ok=True)
        sweep(folder)
    except OSError as error:
        raise DataError(not_writable(folder, error)) from error
    return PixelCache(folder, size)


def sweep(folder: Path) -> None:
    """Remove what killed processes left half-written; those of other machines a day later."""
    for leftover in folder.glob(f"{TEMPORARY}*"):
        if is_left_behind(leftover):
            shutil.rmtree(leftover, ignore_errors=True)
            continue
        try:
            newest = max(path.stat().st_mtime for path in (leftover, *leftover.iterdir()))
        except OSError:
            continue
        if time.time() - newest > STALE_SECONDS:
            shutil.rmtree(leftover, ignore_errors=True)


def _areas() -> list[Path]:
    root = cache_root()
    if not root.is_dir():
        return []
    return [path for path in sorted(root.iterdir()) if (path / "CACHEDIR.TAG").is_file()]


def _measure(area: str, path: Path) -> Entry:
    stats = []
    for file in path.rglob("*"):
        try:
            if file.is_file():
                stats.append(file.stat())
        except OSError:
            continue
    return Entry(
        area=area,
        name=path.name,
        path=path,
        files=len(stats),
        bytes=sum(stat.st_size for stat in stats),
        changed=max((stat.st_mtime for stat in stats), default=path.stat().st_mtime),
        costly=_costly(path.parent),
    )


def _costly(area: Path) -> bool:
    return COSTLY in (area / "CACHEDIR.TAG").read_text(encoding="ascii", errors="replace")
