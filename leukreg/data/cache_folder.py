"""Where leukreg keeps what it can make again: list it, clear it.

Every area of the cache carries a ``CACHEDIR.TAG`` (bford.info/cachedir), and only tagged folders
are ever cleared, so a mistaken ``LEUKREG_CACHE`` costs nobody their files.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from leukreg.errors import DataError
from leukreg.files import is_gone
from leukreg.paths import cache_root as cache_root

TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# Made by leukreg; safe to delete.\n"
COSTLY = "# It took hours to make.\n"
"""Second line in the tag of an area that is cleared only where that is asked for."""
TEMPORARY = "tmp-"
"""How the names of folders begin that are being written, or are going."""
STALE_SECONDS = 24 * 3600
"""Half-written folders older than this belong to a process that was killed."""
_HOST = re.sub(r"[^\w-]", "_", platform.node())


@dataclass(frozen=True, slots=True)
class CachePart:
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


def cache_part(area: str, name: str) -> Path:
    """The folder ``name`` of an area, made, with leftovers of killed processes removed.

    Raises:
        DataError: It cannot be written.
    """
    folder = cache_area(area) / name
    try:
        folder.mkdir(exist_ok=True)
        clear_leftovers(folder)
    except OSError as error:
        raise DataError(not_writable(folder, error)) from error
    return folder


@contextmanager
def alone(part: Path) -> Iterator[None]:
    """One process at a time makes what a part of the cache lacks; the others wait, and find it.

    Where the disk has no locks, all make it.
    """
    from filelock import FileLock

    with ExitStack() as held:
        with suppress(OSError, NotImplementedError):
            held.enter_context(FileLock(part.parent / f".{part.name}.lock"))
        yield


def not_writable(area: Path, error: OSError) -> str:
    """What to tell a reader whose cache cannot be written."""
    return (
        f"the cache {area} cannot be written: {error.strerror or error}; make room "
        "(`leukreg cache clear`) or point LEUKREG_CACHE at another folder"
    )


def entries() -> tuple[CachePart, ...]:
    """Everything in the cache, largest first."""
    found = [_measure(area, part) for area in _areas() for part in _parts(area)]
    return tuple(sorted(found, key=lambda entry: (-entry.bytes, entry.area, entry.name)))


def named(name: str) -> tuple[CachePart, ...]:
    """The entries whose name begins with ``name``; an empty one names nothing."""
    return tuple(entry for entry in entries() if name and entry.name.startswith(name))


def clear(name: str | None = None, costly: bool = False) -> tuple[CachePart, ...]:
    """Delete the cache, or the entries that are :func:`named`; return what is gone.

    What took hours to make is kept unless it is named, or ``costly`` says that it goes too. A
    running process keeps reading what it has opened (on systems where files outlive their name).
    """
    every = entries() if name is None else named(name)
    chosen = tuple(entry for entry in every if costly or name is not None or not entry.costly)
    for entry in chosen:
        _remove(entry.path)
    return tuple(entry for entry in chosen if not entry.path.exists())


def make_room(part: Path, size: int, limit: int) -> bool:
    """Whether ``part`` can grow by ``size`` bytes in an area that holds ``limit`` at most.

    Other parts of the area go for it, those first whose folder was not touched for longest.
    """
    others, own = {}, 0
    for path in _parts(part.parent):
        with suppress(OSError):  # another process may clear it meanwhile
            held, used = _measure(part.parent, path).bytes, path.stat().st_mtime
            if path == part:
                own = held
            else:
                others[path] = used, held
    free = limit - size - own
    if free < 0:
        return False
    free -= sum(held for _, held in others.values())
    for path in sorted(others, key=others.__getitem__):
        if free >= 0:
            break
        _remove(path)
        free += others[path][1]
    return True


def _parts(area: Path) -> list[Path]:
    with suppress(OSError):
        return [path for path in area.iterdir() if path.is_dir()]
    return []


def _remove(part: Path) -> None:
    # Gone at once for those who look: a half-deleted entry would read as a damaged one.
    going = part.with_name(f"{TEMPORARY}{part.name}-{os.getpid()}")
    with suppress(OSError):
        shutil.rmtree(part.rename(going), ignore_errors=True)


def temporary_folder(parent: Path) -> Path:
    """A new folder that names its machine and process: others share a cache, and one may die."""
    owner = f"-{_HOST}.{os.getpid()}"
    for _ in range(3):  # somebody may clear the cache at this very moment
        parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            return Path(tempfile.mkdtemp(prefix=TEMPORARY, suffix=owner, dir=parent))
    return Path(tempfile.mkdtemp(prefix=TEMPORARY, suffix=owner, dir=parent))


def clear_leftovers(folder: Path) -> None:
    """Remove what killed processes left half-written; those of other machines a day later."""
    for leftover in folder.glob(f"{TEMPORARY}*"):
        owner, _, process = leftover.name.rpartition(".")
        ours = owner.endswith(f"-{_HOST}") and process.isdecimal()
        try:
            newest = max(path.stat().st_mtime for path in (leftover, *leftover.iterdir()))
        except OSError:
            continue
        if (ours and is_gone(int(process))) or time.time() - newest > STALE_SECONDS:
            shutil.rmtree(leftover, ignore_errors=True)


def _areas() -> list[Path]:
    root = cache_root()
    if not root.is_dir():
        return []
    return [path for path in sorted(root.iterdir()) if (path / "CACHEDIR.TAG").is_file()]


def _measure(area: Path, path: Path) -> CachePart:
    stats = []
    for file in path.rglob("*"):
        with suppress(OSError):
            if file.is_file():
                stats.append(file.stat())
    return CachePart(
        area=area.name,
        name=path.name,
        path=path,
        files=len(stats),
        bytes=sum(stat.st_size for stat in stats),
        changed=max((stat.st_mtime for stat in stats), default=path.stat().st_mtime),
        costly=_costly(area),
    )


def _costly(area: Path) -> bool:
    return COSTLY in (area / "CACHEDIR.TAG").read_text(encoding="ascii", errors="replace")
