"""Unfinished folders beside an export: named by their process, removed when it is gone."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path


def unfinished(home: Path) -> Path:
    """Where this process makes what is to be moved to ``home``."""
    return home.with_name(f".{home.name}.{os.getpid()}.part")


def remove_leftovers(home: Path) -> None:
    """Remove what killed processes were making for ``home``; those that live keep theirs."""
    name = re.compile(rf"\.{re.escape(home.name)}\.([1-9][0-9]{{0,8}})\.part")
    for path in home.parent.iterdir():
        found = name.fullmatch(path.name)
        if found and not path.is_symlink() and path.is_dir() and _is_gone(int(found[1])):
            shutil.rmtree(path, ignore_errors=True)


def _is_gone(process: int) -> bool:
    """Whether there is no such process; False where that cannot be told."""
    if sys.platform == "win32":  # a signal ends the process there, 0 too
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:  # it is another user's
        return False
    return False
