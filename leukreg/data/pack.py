"""A pack: some pictures in one folder, complete and never changed once it has its name.

``pixels.u8`` and ``thumbs.u8`` are bare arrays, ``index.json`` says what is where. A pack is
written under a temporary name and then renamed, so a killed writer leaves nothing that is read.
"""

from __future__ import annotations

import functools
import json
import mmap
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from leukreg.data.picture import THUMB, Facts, Picture, digest

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEMPORARY = "tmp-"


class Pack:
    """Pictures of one size, read through a memory map that is opened on first use."""

    def __init__(self, folder: Path, size: int, facts: tuple[Facts, ...]) -> None:
        self.folder = folder
        self.size = size
        self.facts = facts

    @classmethod
    def open(cls, folder: Path, size: int) -> Pack | None:
        """The pack in ``folder``, or None when it is damaged or was cleared meanwhile."""
        try:
            table = json.loads((folder / "index.json").read_bytes())
            facts = tuple(_facts(row) for row in table)
            whole = (folder / "pixels.u8").stat().st_size == len(facts) * 3 * size * size
            thumbs = (folder / "thumbs.u8").stat().st_size == len(facts) * THUMB * THUMB
        except (OSError, ValueError, TypeError):
            return None
        return cls(folder, size, facts) if whole and thumbs else None

    def __len__(self) -> int:
        return len(self.facts)

    def __reduce__(self) -> tuple[Any, ...]:
        return (Pack, (self.folder, self.size, self.facts))

    @functools.cached_property
    def _map(self) -> mmap.mmap:
        with (self.folder / "pixels.u8").open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    @functools.cached_property
    def pixels(self) -> NDArray[np.uint8]:
        """Shape ``(len(self), size, size, 3)``, RGB, read-only, memory-mapped."""
        return np.frombuffer(self._map, np.uint8).reshape(-1, self.size, self.size, 3)

    def thumbs(self) -> NDArray[np.uint8]:
        """Shape ``(len(self), THUMB, THUMB)``, grey."""
        return np.fromfile(self.folder / "thumbs.u8", np.uint8).reshape(-1, THUMB, THUMB)

    def release(self) -> None:
        """Give mapped pages back to the system (they are read again when needed)."""
        if "_map" in vars(self) and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)


def write_pack(parent: Path, pictures: Iterable[Picture], size: int) -> Pack | None:
    """Write the pictures as a new pack below ``parent``; None when there are none.

    Raises:
        OSError: The folder cannot be written, or the disk is full.
    """
    temporary = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=parent))
    try:
        facts = _fill(temporary, pictures)
        if not facts:
            return None
        name = f"pack-{digest(''.join(fact.content for fact in facts).encode())}"
        _settle(temporary, parent / name, size)
        return Pack.open(parent / name, size)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _fill(folder: Path, pictures: Iterable[Picture]) -> list[Facts]:
    facts = []
    with (folder / "pixels.u8").open("wb") as pixels, (folder / "thumbs.u8").open("wb") as thumbs:
        for picture in pictures:
            pixels.write(picture.pixels)
            thumbs.write(picture.thumb)
            facts.append(picture.facts)
        _sync(pixels)
        _sync(thumbs)
    rows = [[getattr(fact, name) for name in Facts.__slots__] for fact in facts]
    with (folder / "index.json").open("w", encoding="utf-8") as index:
        json.dump(rows, index)
        _sync(index)
    return facts


def _settle(temporary: Path, final: Path, size: int) -> None:
    """Give the pack its name; the same pack of another process is as good as ours."""
    if final.exists() and Pack.open(final, size) is None:
        shutil.rmtree(final, ignore_errors=True)
    try:
        temporary.rename(final)
    except OSError:
        if Pack.open(final, size) is None:
            raise


def _facts(row: list[Any]) -> Facts:
    named = dict(zip(Facts.__slots__, row, strict=True))
    return Facts(**{**named, "colour": tuple(named["colour"]), "notes": tuple(named["notes"])})


def _sync(file: IO[Any]) -> None:
    file.flush()
    os.fsync(file.fileno())
