"""Features of images, kept from run to run: a part of the cache for what one network makes of them.

A pack is one file: rows of a key and its features, and behind them a digest of all. It is written
whole, under a name that its keys give, and never changed, so that processes need no lock.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from leukreg.data.cache_folder import alone, cache_area, make_room, not_writable
from leukreg.errors import DataError, WriteError
from leukreg.files import clear_leftovers, write_file
from leukreg.progress import SILENT, Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIGEST = 16
"""Bytes of a key, and of the digest behind a pack."""


def key(*parts: bytes | memoryview) -> bytes:
    """The key of features that were computed from these bytes."""
    state = hashlib.blake2b(digest_size=DIGEST)
    for part in parts:
        state.update(part)
    return state.digest()


def write_digested(path: Path, data: bytes) -> None:
    """Write a file of the cache with its digest behind it.

    Raises:
        DataError: The cache cannot be written, or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)  # it may have been cleared meanwhile
        write_file(path, data + key(data))
    except (OSError, WriteError) as error:
        reason = error if isinstance(error, OSError) else error.__cause__
        if not isinstance(reason, FileNotFoundError):  # cleared at this very moment
            assert isinstance(reason, OSError)
            raise DataError(not_writable(path.parent, reason)) from error


def read_digested(path: Path) -> bytes | None:
    """The bytes of such a file; None where it is damaged or gone."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    return data[:-DIGEST] if key(data[:-DIGEST]) == data[-DIGEST:] else None


class FeaturePacks:
    """The packs of one network: features of one shape and type.

    Raises:
        DataError: The cache cannot be written.
    """

    def __init__(
        self,
        area: str,
        name: str,
        shape: Sequence[int],
        dtype: str = "f4",
        limit: int | None = None,
        progress: Progress = SILENT,
    ) -> None:
        """Open a part of the cache.

        Args:
            area, name: Of the part; ``name`` tells networks of other weights, and machines that
                compute other bits, apart.
            shape, dtype: Of the features of one image.
            limit: Bytes that the area may hold; parts that were not used for longest go for others.
            progress: Told of packs that are damaged, and where no more can be kept.
        """
        self.folder = cache_area(area) / name
        self.limit, self.progress = limit, progress
        self._row = np.dtype([("key", f"S{DIGEST}"), ("features", dtype, tuple(shape))])
        self._packs: dict[Path, NDArray[np.void]] = {}
        self._places: dict[bytes, tuple[Path, int]] = {}
        self._full = False
        clear_leftovers(self.folder)
        with suppress(OSError):
            os.utime(self.folder)  # it is in use: others go first

    def find(self, keys: Sequence[bytes], out: NDArray[Any]) -> NDArray[np.int64]:
        """Copy the features of these keys to the rows of ``out``; the positions of those not there.

        Packs that other processes wrote meanwhile are taken in.
        """
        self._look()
        missing = []
        for position, one in enumerate(keys):
            # numpy takes zeros at the end of a text for padding
            place = self._places.get(one.rstrip(b"\0"))
            if place is None:
                missing.append(position)
            else:
                out[position] = self._packs[place[0]]["features"][place[1]]
        return np.array(missing, dtype=np.int64)

    def alone(self) -> AbstractContextManager[None]:
        """For who computes features that are missing, and looks for them once more first: no two
        processes compute the same, as long as they can be kept."""
        return nullcontext() if self._full else alone(self.folder)

    def keep(self, keys: Iterable[bytes], features: NDArray[Any]) -> None:
        """Write a pack of these, each key once; where none can be written, that is told."""
        first = {one: position for position, one in reversed([*enumerate(keys)])}
        pack = np.empty(len(first), self._row)
        pack["key"] = [*first]
        pack["features"] = features[[*first.values()]]
        data = pack.tobytes()
        if self._full:
            return
        if self.limit is not None and not make_room(self.folder, len(data), self.limit):
            self._stop(f"{self.folder.parent} holds {self.limit / 2**30:.3g} GiB at most")
            return
        try:
            write_digested(self.folder / f"pack-{key(*first).hex()}", data)
        except DataError as error:
            self._stop(str(error))

    def _stop(self, why: str) -> None:
        """Keep no more: what could be kept can be computed again, and no run ends for it."""
        self._full = True
        self.progress.say(
            f"{why}: more features are not kept, and the next run computes them again"
        )

    def _look(self) -> None:
        """Take in the packs that have appeared since."""
        for path in sorted(self.folder.glob("pack-*")):
            if path in self._packs:
                continue
            pack = self._open(path)
            if pack is not None:
                self._packs[path] = pack
                for position, one in enumerate(pack["key"].tolist()):
                    self._places.setdefault(one, (path, position))

    def _open(self, path: Path) -> NDArray[np.void] | None:
        """A pack, mapped; None where it is damaged, and goes, or was cleared meanwhile."""
        data: NDArray[np.uint8]
        try:
            data = np.memmap(path, np.uint8, "r")
        except FileNotFoundError:
            return None
        except (OSError, ValueError):  # no file has no bytes to map
            data = np.zeros(0, np.uint8)
        rows, end = data[:-DIGEST], data[-DIGEST:].tobytes()
        if len(rows) % self._row.itemsize == 0 and key(rows.data) == end:
            return rows.view(self._row)
        with suppress(OSError):
            path.unlink(missing_ok=True)
        self.progress.say(f"{path}: features were damaged, and are computed again")
        return None
