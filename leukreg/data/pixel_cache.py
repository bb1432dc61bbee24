"""The pixel cache: images decoded once, at one size, in packs that are mapped into memory.

A pack is a folder of some pictures, complete and never changed once it has its name.
``pixels.u8`` and ``thumbs.u8`` are bare arrays, ``index.json`` says what is where, and which
checksums the arrays have. A pack is written under a temporary name and then renamed, so a killed
writer leaves nothing that is read. Its files are opened with it: whoever clears the cache meanwhile
takes nothing from those who read.
"""

from __future__ import annotations

import errno
import functools
import json
import mmap
import os
import shutil
import sys
import zlib
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from leukreg.data.cache_folder import cache_part, not_writable, temporary_folder
from leukreg.data.decode import THUMB, CachedImage, Facts, digest
from leukreg.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray


_ARRAYS = ("pixels.u8", "thumbs.u8")
_CHUNK = 2**22


class Pack:
    """Pictures of one size, read through memory maps."""

    def __init__(
        self, folder: Path, size: int, facts: tuple[Facts, ...], sums: tuple[int, ...] = ()
    ) -> None:
        self.folder = folder
        self.size = size
        self.facts = facts
        self._sums = sums
        """Checksums of the arrays; none where they need no look."""

    @classmethod
    def open(cls, folder: Path, size: int) -> Pack | None:
        """The pack in ``folder``, or None when it is damaged or was cleared meanwhile.

        Its pixels are looked at by :meth:`is_sound` alone.
        """
        try:
            index = json.loads((folder / "index.json").read_bytes())
            if index["digest"] != _digest(index["rows"], index["sums"]):
                return None
            pack = cls(folder, size, tuple(map(_facts, index["rows"])), tuple(index["sums"]))
            sizes = [(folder / name).stat().st_size for name in _ARRAYS]
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return pack if sizes == [len(pack) * 3 * size * size, len(pack) * THUMB * THUMB] else None

    def __len__(self) -> int:
        return len(self.facts)

    def __reduce__(self) -> tuple[Any, ...]:
        # Maps stay behind: a worker process opens its own. What was sound here is sound there.
        return (Pack, (self.folder, self.size, self.facts))

    @functools.cached_property
    def _maps(self) -> tuple[mmap.mmap, ...]:
        try:
            return tuple(_mapped(self.folder / name) for name in _ARRAYS)
        except (OSError, ValueError) as error:
            raise DataError(
                f"{self.folder} left the cache while it was in use; do the same again"
            ) from error

    @functools.cached_property
    def pixels(self) -> NDArray[np.uint8]:
        """Shape ``(len(self), size, size, 3)``, RGB, read-only, memory-mapped."""
        return np.frombuffer(self._maps[0], np.uint8).reshape(-1, self.size, self.size, 3)

    def thumbs(self) -> NDArray[np.uint8]:
        """Shape ``(len(self), THUMB, THUMB)``, grey."""
        return np.frombuffer(self._maps[1], np.uint8).reshape(-1, THUMB, THUMB)

    def is_sound(self) -> bool:
        """Whether pixels and thumbnails are there as they were written; they are read for it once.

        From then on they are open, and stay so.
        """
        if self._sums:
            try:
                if tuple(map(_checksum, self._maps)) != self._sums:
                    return False
            except DataError:
                return False
            self._sums = ()
            self.release()
        return True

    def release(self) -> None:
        """Give mapped pages back to the system (they are read again when needed)."""
        if "_maps" in vars(self) and hasattr(mmap, "MADV_DONTNEED"):
            for each in self._maps:
                each.madvise(mmap.MADV_DONTNEED)


class PixelCache:
    """The packs of one size and one decoder.

    Raises:
        DataError: The cache cannot be written.
    """

    def __init__(self, size: int, decoder: str) -> None:
        self.folder = cache_part("pixels", f"{size}px-{decoder}")
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
                    self._add(pack)
                else:
                    self._remove(path)

    def check(self, contents: Iterable[str], pool: Executor) -> None:
        """Hold the packs in which these lie against their checksums, and drop damaged ones."""
        packs = list(dict.fromkeys(self._places[c][0] for c in contents if c in self._places))
        for pack, sound in zip(packs, pool.map(Pack.is_sound, packs), strict=True):
            if not sound:
                self._remove(pack.folder)
                others = [one for one in self._packs.values() if one is not pack]
                self._packs, self._places = {}, {}
                for one in others:
                    self._add(one)

    def find(self, content: str) -> tuple[Pack, int] | None:
        """The pack and the position in it where this content lies."""
        return self._places.get(content)

    def take_in(self, name: str, files: Mapping[str, bytes]) -> None:
        """A pack of another machine's cache, by its name, unless it is here already.

        Raises:
            DataError: The cache cannot be written, or the disk is full.
        """
        if name in self._packs:
            return
        try:
            temporary = temporary_folder(self.folder)
            try:
                for file, data in files.items():
                    (temporary / file).write_bytes(data)
                _settle(temporary, self.folder / name, self.size)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
        except OSError as error:
            raise DataError(not_writable(self.folder, error)) from error
        self.look()

    def keep(self, pictures: Iterable[CachedImage]) -> None:
        """Write the pictures as a new pack, where there are any.

        Raises:
            DataError: The cache cannot be written, or the disk is full.
        """
        try:
            temporary = temporary_folder(self.folder)
            try:
                self._write(temporary, pictures)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
        except OSError as error:
            raise DataError(not_writable(self.folder, error)) from error

    def _write(self, temporary: Path, pictures: Iterable[CachedImage]) -> None:
        facts, sums, maps = _fill(temporary, pictures)
        if not facts:
            return
        final = self.folder / f"pack-{digest(''.join(fact.content for fact in facts).encode())}"
        rows = [[getattr(fact, name) for name in Facts.__slots__] for fact in facts]
        # Where the cache is cleared meanwhile, what was written lives on in its maps.
        with suppress(FileNotFoundError):
            with (temporary / "index.json").open("w", encoding="utf-8") as index:
                json.dump({"digest": _digest(rows, sums), "sums": sums, "rows": rows}, index)
                _sync(index)
            _settle(temporary, final, self.size)
        pack = Pack(final, self.size, facts)
        if maps:
            vars(pack)["_maps"] = maps
        self._add(pack)

    def _add(self, pack: Pack) -> None:
        self._packs[pack.folder.name] = pack
        for position, fact in enumerate(pack.facts):
            self._places.setdefault(fact.content, (pack, position))

    def _remove(self, folder: Path) -> None:
        self.damaged += folder.is_dir()  # and not cleared meanwhile
        shutil.rmtree(folder, ignore_errors=True)


def _fill(
    folder: Path, pictures: Iterable[CachedImage]
) -> tuple[tuple[Facts, ...], tuple[int, int], tuple[mmap.mmap, ...]]:
    """Write the arrays; what is known of the pictures, checksums, and maps of the arrays."""
    facts = []
    one = other = 0
    with (folder / _ARRAYS[0]).open("w+b") as pixels, (folder / _ARRAYS[1]).open("w+b") as thumbs:
        for picture in pictures:
            pixels.write(picture.pixels)
            thumbs.write(picture.thumb)
            one, other = zlib.crc32(picture.pixels, one), zlib.crc32(picture.thumb, other)
            facts.append(picture.facts)
        if not facts:
            return (), (0, 0), ()
        for file in (pixels, thumbs):
            _sync(file)
        files = (pixels, thumbs) if sys.platform != "win32" else ()  # nothing open is renamed there
        maps = tuple(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) for file in files)
    return tuple(facts), (one, other), maps


def _settle(temporary: Path, final: Path, size: int) -> None:
    """Give the pack its name; the same pack of another process is as good as ours."""
    there = Pack.open(final, size)
    if there is None or not there.is_sound():
        shutil.rmtree(final, ignore_errors=True)
    try:
        temporary.rename(final)
    except OSError:
        if temporary.exists() and Pack.open(final, size) is None:
            raise


def _mapped(path: Path) -> mmap.mmap:
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        if error.errno != errno.EMFILE or sys.platform == "win32":
            raise
        # Every map holds a file open: let this process open as many as it may.
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft == hard:
            raise
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return _mapped(path)


def _checksum(data: mmap.mmap) -> int:
    """CRC-32: it sees every damage of up to 32 bits in a row, at a third of BLAKE2b's time."""
    found = 0
    with memoryview(data) as view:
        for start in range(0, len(view), _CHUNK):
            found = zlib.crc32(view[start : start + _CHUNK], found)
    return found


def _digest(rows: Any, sums: Any) -> str:
    return digest(json.dumps([rows, sums]).encode())


def _facts(row: list[Any]) -> Facts:
    named = dict(zip(Facts.__slots__, row, strict=True))
    return Facts(**{**named, "colour": tuple(named["colour"]), "notes": tuple(named["notes"])})


def _sync(file: IO[Any]) -> None:
    file.flush()
    os.fsync(file.fileno())
