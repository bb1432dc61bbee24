"""One writer per run folder.

The lock is the operating system's, on an empty file that stays: it ends with its process, however
that dies, so a lock left behind is never mistaken for a living one, and nothing need be cleaned up.
POSIX record locks belong to the process, not to the descriptor: data-loading workers do not inherit
them and cannot keep a dead run locked. Within one process a set does the same.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import BinaryIO

from leukreg.errors import RunError

NAME = ".lock"
_held: dict[tuple[int, str], BinaryIO] = {}
"""By process and folder: open lock files. A forked child has another process id."""
_guard = threading.Lock()


class Lock:
    """The right to write a run folder."""

    def __init__(self, folder: Path) -> None:
        self._key = (os.getpid(), str(folder.resolve()))
        self._folder = folder

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            RunError: Another living process, or this one, writes the folder.
        """
        with _guard:
            file = None if self._key in _held else _grasp(self._folder / NAME)
            if file is None:
                raise RunError(
                    f"{self._folder}: another process is writing this run; "
                    "wait for it, or end it, before resuming"
                )
            _held[self._key] = file

    def release(self) -> None:
        with _guard:
            file = _held.pop(self._key, None)
            if file is not None and self._key[0] == os.getpid():
                file.close()


def is_locked(folder: Path) -> bool:
    """Whether a living process writes the folder; False where that cannot be told."""
    with _guard:
        if (os.getpid(), str(folder.resolve())) in _held:
            return True
        path = folder / NAME
        if not path.exists():
            return False
        try:
            file = _grasp(path, tries=1)
        except OSError:
            return False
        if file is None:
            return True
        file.close()
        return False


def _grasp(path: Path, tries: int = 5) -> BinaryIO | None:
    """An open, locked file; None where another process holds it.

    A listing tries a lock for an instant to see whether it is held, hence a few tries.
    """
    for attempt in range(tries):
        file = path.open("ab")
        try:
            _lock(file)
            return file
        except OSError:
            file.close()
        if attempt + 1 < tries:
            time.sleep(0.02)
    return None


if sys.platform == "win32":
    import msvcrt

    def _lock(file: BinaryIO) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: BinaryIO) -> None:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
