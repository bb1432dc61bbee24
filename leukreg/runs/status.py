"""Where a run stands, and the lock by which only one process writes its folder.

The lock is the operating system's: it ends with its process, however that dies, so a lock left
behind is never mistaken for a living one, and nothing need be cleaned up. Data-loading workers do
not keep it alive: filelock lets go of it in forked children (since version 4).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from leukreg.errors import RunError, WriteError
from leukreg.files import CHECKSUMS, ERRORS, digest, write_file
from leukreg.runs.codec import checked, damaged, read_text, read_with_digest, with_digest

if TYPE_CHECKING:
    from filelock import BaseFileLock

FILE = "status.json"
State = Literal["running", "finished", "failed", "stopped"]
""""stopped": by the search that it is a trial of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """``status.json``."""

    state: State
    recipe: str
    """The recipe's name."""
    started: str
    """Local time with offset, ISO 8601."""
    ended: str | None = None
    seconds: float = 0.0
    """Working time so far, resumed stretches added up."""
    error: str | None = None
    process: int | None = None
    overrides: tuple[str, ...] = ()
    """Keys of the recipe that the command line stated (--set)."""
    sweep: str = ""
    """The folder, beside its own, of the sweep that it belongs to; empty where it is of none."""
    mended: tuple[str, ...] = ()
    """What was found damaged when the run was resumed, and made again; one sentence each."""
    checksums: str | None = None
    """Digest of ``checksums.txt`` of a finished run, which lists all its files."""
    lines: Mapping[str, int] = field(default_factory=dict)
    """Lines of every table of a finished run of version 0.1, which has no checksums."""


def is_checked(folder: Path) -> bool:
    """Whether damage to a finished run would be noticed; runs of version 0.1 have no checksums."""
    return (folder / CHECKSUMS).is_file()


def refuse_damaged(folder: Path, status: Status) -> None:
    """Hold the list of checksums of a finished run against what was noted when it finished.

    Raises:
        RunError: It is not the same; or a table of a run without one has lost or gained lines.
    """
    sums = folder / CHECKSUMS
    if status.checksums is not None and sums.is_file():
        if digest(sums) != status.checksums:
            way = "put it back from a copy, or delete it to read the run unchecked"
            raise RunError(f"{sums} is damaged: it is not as leukreg wrote it; {way}")
        return
    for name, lines in status.lines.items():
        if (found := read_text(folder / name).count("\n")) != lines:
            raise damaged(folder / name, f"it has {found} lines, not {lines}")


def now() -> str:
    return datetime.now().astimezone().isoformat(timespec="milliseconds")


def begun(recipe: str, overrides: tuple[str, ...] = (), sweep: str = "") -> Status:
    process, started = os.getpid(), now()
    return Status(
        state="running",
        recipe=recipe,
        started=started,
        process=process,
        overrides=overrides,
        sweep=sweep,
    )


def write_status(folder: Path, status: Status) -> None:
    write_file(folder / FILE, _written(status))


def _written(status: Status) -> bytes:
    # The file that changes most often vouches for itself.
    text = json.dumps(with_digest(asdict(status)), ensure_ascii=False, indent=1)
    return f"{text}\n".encode("utf-8", ERRORS)


def write_failed(folder: Path, status: Status) -> None:
    """Write the status of a failed run, over the old one where the disk has no room beside it."""
    try:
        write_status(folder, status)
    except WriteError:
        with suppress(OSError), (folder / FILE).open("r+b") as file:
            file.write(_written(status))
            file.truncate()


def read_status(folder: Path) -> Status:
    """Read ``status.json``.

    Raises:
        RunError: The file is missing or damaged.
    """
    path = folder / FILE
    data, whole = read_with_digest(path)
    if whole is False:  # a run of version 0.1 has no digest
        raise damaged(path, "it is not as leukreg wrote it")
    return checked(path, data, Status)


LOCK = ".lock"
"""The name of an empty file that stays in a run folder."""


def lock_folder(folder: Path, wait: bool = False) -> BaseFileLock:
    """The right to write a run folder, until it is released or the process ends.

    Args:
        wait: For whoever has it, as long as that takes.

    Raises:
        RunError: Another living process, or this one, writes the folder.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK)
    try:
        # A listing holds a lock for an instant, to see whether it is free: hence a few tries.
        lock.acquire(timeout=-1 if wait else 0.1, poll_interval=0.5 if wait else 0.02)
    except Timeout as error:
        raise RunError(
            f"{folder}: another process is writing this run; "
            "wait for it, or end it, before resuming"
        ) from error
    return lock


def is_locked(folder: Path) -> bool:
    """Whether a living process writes the folder; False where that cannot be told."""
    if not (folder / LOCK).exists():
        return False
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder / LOCK, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False
