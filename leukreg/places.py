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
