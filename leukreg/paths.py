"""Where things lie: caches and crash logs, and paths that begin with ~."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def expanded(path: str | Path) -> Path:
    """The path with ``~`` and ``~user`` expanded; an unknown user's stays as it is."""
    from pathlib import Path

    # Path.expanduser raises RuntimeError for an unknown user; a reader is told what is not there.
    return Path(os.path.expanduser(path))


IMAGE_BYTES = 2**30
"""The largest image file that is read: no picture below the limit of pixels needs more."""
TABLE_BYTES = 2**30
"""The largest table that is read."""


def read_regular(path: Path, most: int = IMAGE_BYTES) -> bytes:
    """The bytes of a file that somebody named.

    Raises:
        OSError: As :func:`require_regular`, or it cannot be read.
    """
    require_regular(path, most)
    return path.read_bytes()


def require_regular(path: Path, most: int | None = IMAGE_BYTES) -> None:
    """Refuse what would be read for ever, or fill the memory: pipes, devices, sparse files.

    Raises:
        OSError: It is no file, larger than ``most`` bytes (None: any size is read), or not there;
            ``strerror`` says which.
    """
    import errno
    import stat

    found = os.stat(path)
    kinds = {
        stat.S_IFIFO: "a pipe",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFDIR: "a folder",
        stat.S_IFSOCK: "a socket",
    }
    kind = kinds.get(stat.S_IFMT(found.st_mode))
    if kind == "a folder":
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
    if kind is not None:
        raise OSError(errno.EINVAL, f"it is {kind}, not a file", str(path))
    if most is not None and found.st_size > most:
        size = f"{found.st_size >> 20:,} MiB; at most {most >> 20:,} MiB are read"
        raise OSError(errno.EFBIG, f"it is too large: {size}", str(path))


def cache_root() -> Path:
    """``$LEUKREG_CACHE``, or ``leukreg`` in the platform's folder for caches. Not created here."""
    from pathlib import Path

    return Path(cache_folder())


def cache_folder() -> str:
    """:func:`cache_root` as text: ``leukreg --help`` cannot afford to import pathlib."""
    chosen = os.environ.get("LEUKREG_CACHE") or os.path.join(_platform_caches(), "leukreg")
    return os.path.abspath(os.path.expanduser(chosen))


def _platform_caches() -> str:
    if sys.platform == "darwin":
        return "~/Library/Caches"
    if sys.platform == "win32":
        return os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification: a relative path is invalid and must be ignored.
    return xdg if os.path.isabs(xdg) else "~/.cache"
